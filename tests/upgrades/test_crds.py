"""The CRDs, and the values that policies take, go on from those of the previous release: docs/upgrades.md."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from apiclients.lifecycle.features import Feature
from apiclients.resources.crd import CRD_KINDS, Kind, custom_resource_definition
from apiclients.resources.schema import annotated_schema
from tests.upgrades.releases import missing_history, previous, previous_crd, previous_values, was_there
from tests.upgrades.schema_changes import crd_changes, fields_of, schema_changes

#: Fields of spec that came after the previous release and refuse nothing that passes without them. Whoever adds a field
#: to spec decides: it stands here, or it is a Feature that gates list in their Leases.
NOT_RESTRICTING: frozenset[str] = frozenset(
    {
        # An old gate knows no tokens of other issuers, and refuses them.
        "ApiClient.spec.identities",
        "ApiClient.spec.identities.issuer",
        "ApiClient.spec.identities.subject",
        "ApiClient.spec.identities.serviceAccountName",
        # It knows no client assertions either.
        "ApiClient.spec.keys",
        "ApiClient.spec.keys.jwks",
        # The operator takes the digests out of status, without which an old gate accepts no secret.
        "ApiClient.spec.secret.issue",
    }
)

BY_NAME = {kind.kind: kind for kind in CRD_KINDS}
CLIENT = BY_NAME["ApiClient"]


def kinds(test: Any) -> Any:
    """For every kind that the previous release had."""
    known = [kind for kind in CRD_KINDS if was_there(kind)]
    return pytest.mark.parametrize("kind", known, ids=lambda kind: kind.kind)(test)


@kinds
def test_no_crd_has_changed_in_a_way_that_breaks_somebody(kind: Kind) -> None:
    assert crd_changes(previous_crd(kind), custom_resource_definition(kind)) == []


@kinds
def test_no_value_of_a_spec_is_refused_that_was_good(kind: Kind) -> None:
    assert list(schema_changes(previous_values(kind), annotated_schema(kind.spec), "spec")) == []


def new_fields(kind: Kind) -> set[str]:
    """The fields of a spec that came after the previous release."""
    before, now = (set(fields_of(schema, "spec")) for schema in (previous_values(kind), annotated_schema(kind.spec)))
    return {f"{kind.kind}.{field}" for field in now - before}


@pytest.mark.rule(33)
@kinds
def test_somebody_has_said_of_each_new_field_whether_it_restricts(kind: Kind) -> None:
    unsaid = new_fields(kind) - NOT_RESTRICTING - set(Feature)
    assert unsaid == set(), "does an old gate, which ignores it, let something pass? Then it is a Feature"


@pytest.mark.rule(33)
@pytest.mark.parametrize("feature", Feature)
def test_a_feature_is_a_field_of_its_kind(feature: Feature) -> None:
    kind = BY_NAME[feature.partition(".")[0]]
    assert feature.field in set(fields_of(annotated_schema(kind.spec), "spec"))


# Whether the comparison is worth anything: each of these breaks somebody, and what follows them does not.


def at(crd: dict[str, Any], *path: str) -> dict[str, Any]:
    """The schema of a field."""
    node: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for name in path:
        node = node["items"] if name == "[]" else node["properties"][name]
    return node


def edited(change: Any) -> list[str]:
    before = custom_resource_definition(CLIENT)
    after = copy.deepcopy(before)
    change(after)
    return crd_changes(before, after)


BREAKING: dict[str, tuple[Any, str]] = {
    "a field goes": (lambda crd: at(crd, "spec", "secret")["properties"].pop("overlap"), "spec.secret.overlap is gone"),
    "a field of status goes": (lambda crd: at(crd, "status")["properties"].pop("clientId"), "status.clientId is gone"),
    "a field of an item goes": (
        lambda crd: at(crd, "status", "credentials", "[]")["properties"].pop("digest"),
        "status.credentials[].digest is gone",
    ),
    "a field is required": (
        lambda crd: at(crd, "spec")["required"].append("owner"),
        "spec: owner is required now",
    ),
    "a value goes": (
        lambda crd: at(crd, "spec", "desiredStatus")["enum"].remove("Retired"),
        "spec.desiredStatus: Retired is no value any more",
    ),
    "values are listed": (
        lambda crd: at(crd, "spec", "owner").update(enum=["me"]),
        "spec.owner: any other value is no value any more",
    ),
    "a type is another": (
        lambda crd: at(crd, "spec", "version").update(type="integer"),
        "spec.version: type is another",
    ),
    "a list is shorter": (
        lambda crd: at(crd, "status", "history").update(maxItems=1),
        "status.history: maxItems is lower",
    ),
    "a text has a pattern": (
        lambda crd: at(crd, "spec", "owner").update(pattern="@"),
        "spec.owner: pattern is stricter or another",
    ),
    "a text has a least length": (
        lambda crd: at(crd, "spec", "owner").update(minLength=1),
        "spec.owner: minLength is higher",
    ),
    "a validation comes": (
        lambda crd: at(crd, "spec").update({"x-kubernetes-validations": [{"rule": "false"}]}),
        "spec: x-kubernetes-validations is stricter or another",
    ),
    "a default is another": (
        lambda crd: at(crd, "spec", "tokens", "lifetime").update(default="1h"),
        "spec.tokens.lifetime: leaving it out means something else",
    ),
    "a list is merged otherwise": (
        lambda crd: at(crd, "status", "credentials").update({"x-kubernetes-list-type": "atomic"}),
        "status.credentials: x-kubernetes-list-type is another",
    ),
    "the version is not served": (
        lambda crd: crd["spec"]["versions"][0].update(served=False),
        "v1alpha1 is not served any more",
    ),
    "status is no subresource": (
        lambda crd: crd["spec"]["versions"][0]["subresources"].pop("status"),
        "subresource status is gone",
    ),
    "a field cannot be selected": (
        lambda crd: crd["spec"]["versions"][0]["selectableFields"].clear(),
        ".spec.desiredStatus cannot be selected any more",
    ),
    "a short name goes": (
        lambda crd: crd["spec"]["names"]["categories"].clear(),
        "names.categories lacks",
    ),
    "the scope is another": (lambda crd: crd["spec"].update(scope="Cluster"), "scope is another"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_change_that_breaks_somebody_is_noticed(name: str) -> None:
    change, sentence = BREAKING[name]
    assert any(found.startswith(sentence) for found in edited(change)), edited(change)


COMPATIBLE: dict[str, Any] = {
    "a field comes": lambda crd: at(crd, "spec")["properties"].update(costCenter={"type": "string", "default": "none"}),
    "a value comes": lambda crd: at(crd, "spec", "desiredStatus")["enum"].append("Resting"),
    "a bound goes": lambda crd: at(crd, "status", "history").pop("maxItems"),
    "a field need not be there": lambda crd: at(crd, "spec").pop("required"),
    "a description is another": lambda crd: at(crd, "spec", "owner").update(description="Whom to call."),
    "a version comes": lambda crd: crd["spec"]["versions"].append(
        {**crd["spec"]["versions"][0], "name": "v1beta1", "storage": False}
    ),
    "a column comes": lambda crd: crd["spec"]["versions"][0].update(additionalPrinterColumns=[]),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_a_change_that_breaks_nobody_is_let_through(name: str) -> None:
    assert edited(COMPATIBLE[name]) == []


@pytest.mark.parametrize(
    ("path", "change", "sentence"),
    [
        (("secret", "lifetime"), {"x-duration-bounds": ["1s", "8760h"]}, "its bounds are narrower"),
        (("owner",), {"maxLength": 10}, "maxLength is lower"),
        (("secret", "revision"), {"minimum": 1}, "minimum is higher"),
        (("secret", "notBefore"), {"pattern": "Z$"}, "pattern is stricter"),
    ],
)
def test_a_value_that_is_refused_by_a_policy_is_noticed(
    path: tuple[str, ...], change: dict[str, Any], sentence: str
) -> None:
    before = annotated_schema(CLIENT.spec)
    after = copy.deepcopy(before)
    node = after
    for name in path:
        node = node["properties"][name]
    node.update(change)
    (found,) = schema_changes(before, after, "spec")
    assert sentence in found


def test_a_key_of_a_schema_that_nobody_can_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="multipleOf"):
        list(schema_changes({"type": "integer"}, {"type": "integer", "multipleOf": 2}))


def test_a_history_that_does_not_reach_back_is_told() -> None:
    reason = missing_history(replace(previous(), commit="0123456789" * 4))
    assert reason is not None
    assert "git fetch --unshallow" in reason
    assert "git says: fatal" in reason or "git is not there" in reason
