"""CustomResourceDefinitions of other projects, out of their pinned Go modules; kept in the cache of this machine."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from cluster.binaries import cache_folder
from cluster.build import exclusively, find_toolchain, go_environment

_MODULE = Path(__file__).parent / "upstream"
_SECONDS = 600
_GATEWAY_API = "config/crd/experimental/gateway.networking.k8s.io_"
_ENVOY_GATEWAY = "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_"
_PROMETHEUS = "example/prometheus-operator-crd/monitoring.coreos.com_"

#: Where they are in each module, and which.
_FILES: dict[str, dict[str, tuple[str, ...]]] = {
    "sigs.k8s.io/gateway-api": {
        f"{_GATEWAY_API}httproutes.yaml": ("HTTPRoute",),
        f"{_GATEWAY_API}referencegrants.yaml": ("ReferenceGrant",),
        f"{_GATEWAY_API}backendtlspolicies.yaml": ("BackendTLSPolicy",),
    },
    "github.com/cert-manager/cert-manager": {
        "deploy/crds/cert-manager.io_certificates.yaml": ("Certificate",),
    },
    "github.com/prometheus-operator/prometheus-operator": {
        f"{_PROMETHEUS}servicemonitors.yaml": ("ServiceMonitor",),
        f"{_PROMETHEUS}prometheusrules.yaml": ("PrometheusRule",),
    },
    "github.com/envoyproxy/gateway": {
        f"{_ENVOY_GATEWAY}securitypolicies.yaml": ("SecurityPolicy",),
        f"{_ENVOY_GATEWAY}clienttrafficpolicies.yaml": ("ClientTrafficPolicy",),
        f"{_ENVOY_GATEWAY}backendtrafficpolicies.yaml": ("BackendTrafficPolicy",),
    },
    "istio.io/api": {
        "kubernetes/customresourcedefinitions.gen.yaml": ("AuthorizationPolicy", "EnvoyFilter"),
    },
    "github.com/traefik/traefik/v3": {
        "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml": (
            "Middleware",
            "IngressRoute",
            "ServersTransport",
        ),
    },
}


def upstream_crds() -> Path:
    """A file with all of them, fetched first if need be."""
    pinned = b"".join((_MODULE / name).read_bytes() for name in ("go.mod", "go.sum")) + repr(_FILES).encode()
    target = cache_folder().parent.parent / "upstream-crds" / f"{hashlib.sha256(pinned).hexdigest()[:12]}.yaml"
    if not target.is_file():
        with exclusively(target):
            if not target.is_file():
                _fetch(target)
    return target


def _fetch(target: Path) -> None:
    toolchain = find_toolchain()
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as folder:
        work = Path(folder)
        module = shutil.copytree(_MODULE, work / "module")
        done = subprocess.run(
            [toolchain.go, "mod", "download", "-json", *_FILES],
            cwd=module,
            env=go_environment(toolchain, work / "caches", work),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (
            f"the modules of {_MODULE} were not fetched:\n{done.stdout[-500:]}{done.stderr[-2000:]}"
        )
        _check_sums(done.stdout)
        definitions = [found for told in _documents(done.stdout) for found in _read(told["Path"], Path(told["Dir"]))]
        written = work / "all.yaml"
        written.write_text(yaml.safe_dump_all(definitions))
        written.rename(target)


def _check_sums(told: str) -> None:
    """Each module is the one that go.sum pins."""
    pinned = (_MODULE / "go.sum").read_text().splitlines()
    for module in _documents(told):
        assert f"{module['Path']} {module['Version']} {module['Sum']}" in pinned, module


def _documents(text: str) -> list[dict[str, Any]]:
    """The JSON objects that follow each other in a text."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found


def _read(module: str, folder: Path) -> list[dict[str, Any]]:
    found = []
    for name, kinds in _FILES[module].items():
        definitions = [one for one in yaml.safe_load_all((folder / name).read_text()) if one]
        wanted = [one for one in definitions if one["spec"]["names"]["kind"] in kinds]
        assert len(wanted) == len(kinds), f"{name} of {module} has not all of {kinds}"
        found += wanted
    return found
