"""The API server takes every manifest of manifests/gateways, with the gateways' own definitions in place."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from apiclients.resources.names import GROUP
from cluster import LocalCluster
from demo.stage import ROOT
from tests.gateways.table import FROM_THE_CALLER, OF_THE_GATE
from tests.toolkit.upstream_crds import upstream_crds

FOLDER = ROOT / "manifests" / "gateways"
MANIFESTS = sorted(FOLDER.glob("*.yaml"))
#: Of ingress-nginx: an annotation that it does not know does nothing, and nobody says so.
INGRESS_NGINX = {
    "auth-url",
    "auth-method",
    "auth-response-headers",
    "auth-keepalive",
    "configuration-snippet",
}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    definitions = upstream_crds()
    with LocalCluster() as found:
        # Server-side: kubectl's annotation has no room for definitions of this size.
        found.kubectl("apply", "--server-side", "-f", str(definitions))
        found.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(definitions))
        for namespace in ("shop", "gateways", "apiclients-system"):
            found.kubectl("create", "namespace", namespace)
        yield found


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_the_api_server_takes_it(cluster: LocalCluster, manifest: Any) -> None:
    done = cluster.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", str(manifest), check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no warnings"


def test_the_check_finds_a_misspelt_field(cluster: LocalCluster) -> None:
    wrong = (FOLDER / "envoy-gateway.yaml").read_text().replace("statusOnError", "statusOnErrors")
    done = cluster.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", input=wrong, check=False
    )
    assert "statusOnErrors" in done.stderr


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_all_headers_of_the_gate_are_named(manifest: Any) -> None:
    text = manifest.read_text().lower()
    assert not [name for name in OF_THE_GATE if name.lower() not in text]
    if "early" in text or "callers-own" in text:
        assert not [name for name in FROM_THE_CALLER if name.lower() not in text]


def test_annotations_of_ingress_nginx_are_known() -> None:
    ingress = yaml.safe_load((FOLDER / "ingress-nginx.yaml").read_text())
    names = {name.partition("/")[2] for name in ingress["metadata"]["annotations"]}
    assert names == INGRESS_NGINX


def test_all_ask_the_gates_service_on_its_port() -> None:
    service = next(
        one
        for one in yaml.safe_load_all((ROOT / "manifests" / "base" / "gate.yaml").read_text())
        if one["kind"] == "Service"
    )
    name, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    for manifest in MANIFESTS:
        text = manifest.read_text()
        assert name in text, manifest
        assert str(port) in text, manifest
    assert GROUP not in "".join(path.read_text() for path in MANIFESTS), "they need none of our kinds"
