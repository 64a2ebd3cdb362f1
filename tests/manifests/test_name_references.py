"""What kustomize makes of references between our objects when it changes names, with ``manifests/kustomize``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.lifecycle.holds import hold_view, matches
from apiclients.resources.crd import KINDS
from apiclients.resources.fields import NAME_PATTERN
from apiclients.resources.objects import ApiClientHold
from apiclients.resources.schema import annotated_schema
from tests.manifests.rendered import MANIFESTS, Object, named, render
from tests.toolkit.objects import api, approval, client, contract, hold, manifest, stored

COMPONENT = MANIFESTS / "kustomize"
OWN = "billing-system"


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that names an object; ``namespace`` is the field beside it that names the object's namespace."""

    kind: str
    field: str
    target: str
    namespace: str | None = None


REFERENCES = (
    Reference("ApiClient", "spec.secret.name", "ApiClient"),
    Reference("ApiClient", "spec.retirement.acknowledgedContracts[]", "Contract"),
    Reference("ApiClientHold", "spec.clientName", "ApiClient"),
    Reference("Contract", "spec.clientName", "ApiClient"),
    Reference("Contract", "spec.api.name", "Api", "spec.api.namespace"),
    Reference("ContractApproval", "spec.client", "ApiClient"),
    Reference("ContractApproval", "spec.api", "Api"),
    Reference("ContractApproval", "spec.contract.name", "Contract", "spec.contract.namespace"),
)
#: Look like names of objects and are none.
NO_REFERENCES = {
    "ApiClient spec.client": "groups versions; no object has that name",
    "Contract spec.plan": "a plan is part of an Api",
    "ContractApproval spec.plan": "a plan is part of an Api",
    "Api spec.plans[].name": "a plan is part of an Api",
    "TokenIssuer spec.keys.configMap": "what holds the name and the key",
    "TokenIssuer spec.certificateAuthority.configMap": "what holds the name and the key",
    "TokenIssuer spec.keys.configMap.name": "a ConfigMap of the operator's namespace",
    "TokenIssuer spec.certificateAuthority.configMap.name": "a ConfigMap of the operator's namespace",
    "TokenIssuer spec.subjects[].namespace": "namespaces of others",
}
#: TokenIssuers have no namespace and ServiceAccounts are no kind of ours: they have a test of their own.
IDENTITIES = {
    "ApiClient spec.identities[].issuer",
    "ApiClient spec.identities[].serviceAccountName",
}
CHANGES = {
    "prefix": {"namePrefix": "eu-"},
    "suffix": {"nameSuffix": "-eu"},
    "namespace": {"namespace": "preview"},
    "all": {"namePrefix": "eu-", "nameSuffix": "-7", "namespace": "preview"},
}
change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


def names_in(schema: Object, path: str) -> Iterator[str]:
    """The fields below a schema that may hold the name of an object: by their pattern, or by what they are called."""
    if schema.get("pattern") == NAME_PATTERN or re.search(r"([nN]ame|[nN]amespace|configMap)(\[\])?$", path):
        yield path
    for name, child in schema.get("properties", {}).items():
        yield from names_in(child, f"{path}.{name}")
    if schema["type"] == "array":
        yield from names_in(schema["items"], f"{path}[]")


def test_every_field_that_can_name_an_object_is_followed_or_known_to_name_none() -> None:
    found = set()
    for kind in KINDS:
        found |= {f"{kind.kind} {path}" for path in names_in(annotated_schema(kind.spec), "spec")}
    followed = {f"{ref.kind} {ref.field}" for ref in REFERENCES}
    namespaces = {f"{ref.kind} {ref.namespace}" for ref in REFERENCES if ref.namespace}
    free_text = {"ApiClient spec.displayName", "Api spec.displayName", "Api spec.plans[].displayName"}
    assert found == followed | namespaces | set(NO_REFERENCES) | free_text | IDENTITIES


def test_identities_follow_service_accounts_and_not_token_issuers(tmp_path: Path) -> None:
    """A limit of kustomize, told in the docs: a namespaced object does not find one that has no namespace."""
    identity = {"issuer": "kc", "serviceAccountName": "billing"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "billing", "namespace": OWN}}
    issuer = manifest("TokenIssuer", "", "kc", {"keys": {"cluster": {}}, "audiences": ["a"]})
    del issuer["metadata"]["namespace"]
    found = build(
        tmp_path, [client("billing", namespace=OWN, identities=[identity]), account, issuer], CHANGES["prefix"]
    )
    (changed,) = (one["spec"]["identities"] for one in found if one["kind"] == "ApiClient")
    assert changed == [{"issuer": "kc", "serviceAccountName": "eu-billing"}]


@change
@pytest.mark.parametrize("reference", REFERENCES, ids=lambda ref: f"{ref.kind} {ref.field}")
def test_a_reference_follows_what_it_names(reference: Reference, change: dict[str, str], tmp_path: Path) -> None:
    objects = {"ApiClient": client("billing", namespace=OWN), "Api": api("orders", namespace=OWN)}
    objects["Contract"] = contract("billing-orders", "billing", (OWN, "orders"), namespace=OWN)
    objects["ContractApproval"] = approval("yes", (OWN, "billing-orders"), "billing", (OWN, "orders"))
    objects["ApiClientHold"] = hold("leak", "billing", namespace=OWN)
    put(objects[reference.kind], reference.field, objects[reference.target]["metadata"]["name"])
    rendered = build(tmp_path, [*objects.values()], change)
    (referrer,) = [obj for obj in rendered if obj["kind"] == reference.kind]
    (target,) = [obj for obj in rendered if obj["kind"] == reference.target]
    name = objects[reference.target]["metadata"]["name"]
    assert target["metadata"]["name"] == f"{change.get('namePrefix', '')}{name}{change.get('nameSuffix', '')}"
    assert look(referrer, reference.field) == target["metadata"]["name"]
    if reference.namespace:
        assert look(referrer, reference.namespace) == target["metadata"]["namespace"] == change.get("namespace", OWN)


@change
def test_a_hold_stops_the_client_that_it_was_written_for(change: dict[str, str], tmp_path: Path) -> None:
    written = [client("billing", namespace=OWN), hold("leak", "billing", namespace=OWN)]
    made, placed = build(tmp_path, written, change)
    view = hold_view(ApiClientHold.from_object(stored(placed)))
    assert matches(view, made["metadata"]["namespace"], made["metadata"]["name"], {})


@change
def test_what_is_not_part_of_the_build_keeps_its_name(change: dict[str, str], tmp_path: Path) -> None:
    (rendered,) = build(tmp_path, [contract("billing-orders", "billing", ("shop", "orders"), namespace=OWN)], change)
    assert rendered["spec"] == {
        "clientName": "billing",
        "api": {"namespace": "shop", "name": "orders"},
        "plan": "basic",
    }


def test_references_follow_through_layers(tmp_path: Path) -> None:
    written = [client("billing", namespace=OWN), hold("leak", "billing", namespace=OWN)]
    base = write(tmp_path / "base", written, {})
    staging = layer(tmp_path / "staging", base, {"namePrefix": "staging-"})
    rendered = render(layer(tmp_path / "preview", staging, {"namePrefix": "pr7-", "namespace": "preview"}))
    assert named(rendered, "ApiClientHold", "pr7-staging-leak")["spec"]["clientName"] == "pr7-staging-billing"


def test_without_the_component_a_hold_would_stop_nobody(tmp_path: Path) -> None:
    """kustomize knows no references of ours by itself: when it does, the component can go."""
    folder = write(tmp_path, [client("billing"), hold("leak", "billing")], {"namePrefix": "eu-"}, components=())
    assert named(render(folder), "ApiClientHold", "eu-leak")["spec"]["clientName"] == "billing"


def test_a_prefix_is_not_followed_from_one_namespace_into_another(tmp_path: Path) -> None:
    """A limit of kustomize, told in the docs: a namespaced object finds only what is in its own namespace."""
    written = [api("orders", namespace="shop"), contract("c", "billing", ("shop", "orders"), namespace="team-a")]
    rendered = build(tmp_path, written, {"namePrefix": "eu-"})
    assert named(rendered, "Contract", "eu-c")["spec"]["api"]["name"] == "orders"


@pytest.mark.parametrize("kind", ["Deployment", "Pod", "CronJob"])
def test_a_secret_named_like_its_client_is_followed_into_pods(kind: str, tmp_path: Path) -> None:
    written = [client("billing", namespace=OWN, secret={"name": "billing"}), workload(kind, "billing")]
    rendered = build(tmp_path, written, {"nameSuffix": "-eu"})
    assert named(rendered, "ApiClient", "billing-eu")["spec"]["secret"]["name"] == "billing-eu"
    (used,) = [str(obj) for obj in rendered if obj["kind"] == kind]
    assert (used.count("'billing-eu'"), used.count("'billing'")) == (6, 0)


def test_a_secret_with_a_name_of_its_own_keeps_it(tmp_path: Path) -> None:
    written = [client("billing", namespace=OWN, secret={"name": "credentials"}), workload("Deployment", "credentials")]
    rendered = build(tmp_path, written, {"namePrefix": "eu-"})
    assert named(rendered, "ApiClient", "eu-billing")["spec"]["secret"]["name"] == "credentials"
    assert "eu-credentials" not in str(rendered)


def test_all_references_move_to_the_namespace_where_that_is_asked_for(tmp_path: Path) -> None:
    written = [
        contract("billing-orders", "billing", ("shop", "orders"), namespace="team-a"),
        approval("yes", ("team-a", "billing-orders"), "billing", ("shop", "orders")),
    ]
    folder = write(tmp_path, written, {"namespace": "preview"}, configurations=(COMPONENT / "namespace.yaml",))
    made, given = render(folder)
    assert made["spec"]["api"] == {"namespace": "preview", "name": "orders"}
    assert given["spec"]["contract"] == {"namespace": "preview", "name": "billing-orders"}


def workload(kind: str, secret: str) -> Object:
    """A workload that uses a Secret in every way there is."""
    used = {"env": [{"name": "ID", "valueFrom": {"secretKeyRef": {"name": secret, "key": "client-id"}}}]}
    used["envFrom"] = [{"secretRef": {"name": secret}}]
    container = {"name": "app", "image": "app", **used}
    volumes = [
        {"name": "plain", "secret": {"secretName": secret}},
        {"name": "projected", "projected": {"sources": [{"secret": {"name": secret}}]}},
    ]
    pod = {"containers": [container], "initContainers": [container | {"name": "init"}], "volumes": volumes}
    template = {"template": {"spec": pod}}
    specs = {
        "Pod": ("v1", pod),
        "Deployment": ("apps/v1", template),
        "CronJob": ("batch/v1", {"jobTemplate": {"spec": template}}),
    }
    version, spec = specs[kind]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "app", "namespace": OWN}, "spec": spec}


def put(obj: Object, path: str, value: str) -> None:
    *parents, last = path.split(".")
    for name in parents:
        obj = obj.setdefault(name, {})
    obj[last.removesuffix("[]")] = [value] if last.endswith("[]") else value


def look(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj[name.removesuffix("[]")]
    return obj[0] if isinstance(obj, list) else obj


def build(folder: Path, objects: list[Object], change: dict[str, str]) -> list[Object]:
    """The objects after a change of names, in the order in which they were given, with the component."""
    rendered = render(write(folder, objects, change))
    order = [obj["kind"] for obj in objects]
    return sorted(rendered, key=lambda obj: order.index(obj["kind"]))


def write(
    folder: Path,
    objects: list[Object],
    change: dict[str, str],
    *,
    components: tuple[Path, ...] = (COMPONENT,),
    configurations: tuple[Path, ...] = (),
) -> Path:
    """A kustomization of objects. Configurations are copied into it, as kustomize reads none from elsewhere."""
    folder.mkdir(exist_ok=True)
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    for path in configurations:
        (folder / path.name).write_text(path.read_text())
    parts = {
        "resources": ["objects.yaml"],
        "components": [os.path.relpath(path, folder.resolve()) for path in components],
        "configurations": [path.name for path in configurations],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(parts | change))
    return folder


def layer(folder: Path, below: Path, change: dict[str, str]) -> Path:
    """A kustomization on top of another one."""
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [f"../{below.name}"]} | change))
    return folder
