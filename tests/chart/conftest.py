"""helm, and what it makes of the chart."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.toolkit.go_programs import go_program

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "manifests" / "chart"
ISSUER = "https://apiclients.example.com"

Object = dict[str, Any]
Render = Callable[..., list[Object]]

#: Values that together turn on everything that is not on by default.
MATRIX: dict[str, Object] = {
    "default": {},
    "everything": {
        "policies": {"strict": True},
        "keys": {"existingSecret": "restored-keys"},
        "serviceAccountToken": {"expirationSeconds": 600},
        "dashboard": {"enabled": True},
        "operator": {"secretNamespaces": ["platform"], "replicas": 2},
        "gate": {"autoscaling": {"enabled": True}, "tlsSecret": "gate-tls", "trafficDistribution": "PreferSameZone"},
        "networkPolicy": {"enabled": True, "gateFrom": [{"namespaceSelector": {}}]},
        "ingress": {"enabled": True, "host": "tokens.example.com", "tlsSecret": "t", "className": "nginx"},
        "commonLabels": {"team": "platform"},
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more", "namespace": "platform"}},
        ],
    },
    "openshift": {"openshift": True},
}
#: Kinds of other projects, which the API server of the tests does not know.
FOREIGN: Object = {
    "serviceMonitor": {"enabled": True, "skipIfMissing": False},
    "prometheusRule": {"enabled": True, "skipIfMissing": False},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["tokens.example.com"]},
    "certificate": {"enabled": True, "issuerRef": {"name": "ca"}, "dnsNames": ["tokens.example.com"]},
    "gate": {"tlsSecret": "gate-tls"},
}


@pytest.fixture(scope="session")
def helm() -> Path:
    """helm, built first if need be: some minutes."""
    return go_program(Path(__file__).with_name("helm"), "helm.sh/helm/v4/cmd/helm")


@pytest.fixture(scope="session")
def helm_3() -> Path:
    """The last major version, which many still have."""
    return go_program(Path(__file__).with_name("helm3"), "helm.sh/helm/v3/cmd/helm")


def run(helm: Path, *arguments: str, values: Object | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm with values on its standard input."""
    text = yaml.safe_dump({"issuer": ISSUER} if values is None else values)
    command = [str(helm), *arguments, "--values=-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def render(helm: Path) -> Render:
    """The objects of the chart, for values beside the issuer, a namespace and a name of the release."""

    def rendered(
        values: Object | None = None, namespace: str = "apiclients-system", release: str = "x", apis: str = ""
    ) -> list[Object]:
        more = [f"--api-versions={apis}"] if apis else []
        arguments = ("template", release, str(CHART), f"--namespace={namespace}", *more)
        done = run(helm, *arguments, values={"issuer": ISSUER} | (values or {}))
        assert done.returncode == 0, done.stderr
        return [obj for obj in yaml.safe_load_all(done.stdout) if obj]

    return rendered
