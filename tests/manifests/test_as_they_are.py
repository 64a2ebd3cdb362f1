"""What a reader types first works as it is: the example overlay, then all examples, on a new cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from apiclients.lifecycle.identities import identity_views, is_granted
from apiclients.lifecycle.issuers import issuer_view
from apiclients.resources.objects import ApiClient, TokenIssuer
from cluster import LocalCluster
from tests.manifests.rendered import MANIFESTS, ROOT, named, of_kind, render
from tests.toolkit.objects import JsonObject
from tests.toolkit.waiting import eventually

EXAMPLES = ROOT / "examples"
SYSTEM = "apiclients-system"


def examples(place: Path) -> Iterator[JsonObject]:
    """The objects of a file, or of all files in a folder."""
    for file in sorted(place.rglob("*.yaml")) if place.is_dir() else [place]:
        yield from yaml.safe_load_all(file.read_text())


@pytest.fixture(scope="module")
def bare() -> Iterator[LocalCluster]:
    """Nothing is installed, and no namespace is there but those of Kubernetes."""
    with LocalCluster() as cluster:
        yield cluster


@pytest.mark.cluster
def test_the_example_overlay_then_all_examples(bare: LocalCluster) -> None:
    bare.kubectl("apply", "-k", str(MANIFESTS / "overlays/example"))
    bare.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    found = bare.kubectl("get", "deployment,service,ingress,networkpolicy", "-n", SYSTEM, "-o", "name").stdout
    assert {"deployment.apps/apiclient-gate", "ingress.networking.k8s.io/apiclient-gate"} <= set(found.split())

    def applied() -> bool:  # discovery of new kinds takes kubectl and the API server a moment
        return bare.kubectl("apply", "-R", "-f", str(EXAMPLES), check=False).returncode == 0

    eventually("kubectl knows the new kinds", applied)
    again = bare.kubectl("apply", "-R", "-f", str(EXAMPLES))
    assert again.stderr == ""
    ours = [
        line for line in again.stdout.splitlines() if not line.startswith("resourcequota/")
    ]  # 1000 comes back as 1k
    assert [line for line in ours if not line.endswith(" unchanged")] == []
    names = "jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{'\\n'}{end}"
    clients = bare.kubectl("get", "apiclients", "--all-namespaces", "-o", names).stdout.split()
    declared = (obj["metadata"] for obj in examples(EXAMPLES) if obj["kind"] == "ApiClient")
    assert set(clients) == {f"{metadata['namespace']}/{metadata['name']}" for metadata in declared}


@pytest.mark.rule(30)
@pytest.mark.parametrize("file", sorted((EXAMPLES / "issuers").iterdir()), ids=lambda file: file.stem)
def test_the_client_of_an_issuers_example_may_claim_what_it_claims(file: Path) -> None:
    found = {obj["kind"]: {**obj, "metadata": {**obj["metadata"], "uid": "u"}} for obj in examples(file)}
    issuer, client = TokenIssuer.from_object(found["TokenIssuer"]), ApiClient.from_object(found["ApiClient"])
    (identity,) = client.spec.identities
    (claim,) = identity_views(client)
    assert claim.subject.endswith(identity.subject or f"team-a:{identity.service_account_name}")
    assert claim.issuer == issuer.metadata.name
    assert is_granted(issuer_view(issuer), claim)


def test_the_namespaces_of_all_examples_come_first() -> None:
    first, *others = sorted(EXAMPLES.rglob("*.yaml"))
    made = {obj["metadata"]["name"] for obj in yaml.safe_load_all(first.read_text())}
    used = {obj["metadata"]["namespace"] for file in others for obj in examples(file) if "namespace" in obj["metadata"]}
    assert used <= made


def test_the_issuer_of_the_example_overlay_is_where_its_ingress_is() -> None:
    objects = render(MANIFESTS / "overlays/example")
    (settings,) = of_kind(objects, "ConfigMap")
    (ingress,) = of_kind(objects, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    assert settings["data"]["issuer"] == f"https://{rule['host']}"
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    ports = named(objects, "Service", "apiclient-gate")["spec"]["ports"]
    for path in rule["http"]["paths"]:
        assert path["path"] in {"/token", "/jwks", "/.well-known/"}
        assert path["backend"]["service"]["port"]["name"] in [port["name"] for port in ports]
