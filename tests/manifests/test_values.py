"""Every bound of every field: an edit that breaks it is refused with 403, and the object stays as it is.

Tools that are told to use force answer a 422 with deleting the object and creating it again, and for a client that is
the end of its tokens, its secret and its client id.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from apiclients.resources.crd import KINDS
from apiclients.resources.fields import DURATION_BOUNDS, format_duration, parse_duration
from apiclients.resources.schema import KEY_BOUNDS, annotated_schema
from apiclients.resources.value_policies import stale_files
from tests.manifests.rendered import MANIFESTS
from tests.toolkit.admin import APPLY, Admin, Answer
from tests.toolkit.objects import JsonObject, manifest

pytestmark = [pytest.mark.cluster, pytest.mark.rule(27)]

#: A spec of each kind in which every field is there.
FULL: dict[str, JsonObject] = {
    "ApiClient": {
        "desiredStatus": "Available", "client": "a", "version": "1", "displayName": "a", "description": "a",
        "owner": "a",
        "secret": {
            "issue": True, "name": "a", "lifetime": "2160h", "rotation": "Manual", "renewBefore": "1h",
            "overlap": "1h", "revision": 1,
            "template": {"labels": {"team": "a"}, "annotations": {"note": "a"}},
        },
        "tokens": {"lifetime": "1h", "notBefore": "2026-01-31T12:00:00Z"},
        "identities": [{"issuer": "a", "subject": "a"}],
        "keys": {"jwks": '{"keys": []}'},
        "retirement": {"acknowledgedContracts": ["a"], "gracePeriod": "1h"},
    },
    "Api": {
        "desiredStatus": "Published", "version": "1", "displayName": "a",
        "plans": [
            {"name": "a", "displayName": "a", "scopes": ["a"], "rateLimit": {"requests": 1, "window": "1m"}},
        ],
        "consumers": {
            "from": "Selector",
            "selector": {
                "matchLabels": {"team": "a"},
                "matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}],
            },
        },
        "retirement": {"acknowledgedContractCount": 0, "gracePeriod": "1h"},
    },
    "Contract": {"clientName": "a", "api": {"namespace": "a", "name": "a"}, "plan": "a"},
    "ContractApproval": {
        "contract": {"namespace": "a", "name": "a"}, "client": "a", "api": "a", "plan": "a", "decision": "Approved",
        "reason": "a",
    },
    "ApiClientHold": {
        "selector": {
            "matchLabels": {"team": "a"},
            "matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}],
        },
        "reason": "a", "expiresTime": "2026-01-31T12:00:00Z",
    },
    "TokenIssuer": {
        "issuer": "https://a", "keys": {"configMap": {"name": "a", "key": "a"}},
        "certificateAuthority": {"configMap": {"name": "a", "key": "a"}}, "audiences": ["a"], "algorithms": ["ES256"],
        "types": ["JWT"], "subjectClaim": "sub", "scopesFrom": "Token", "maxTokenLifetime": "1h",
        "refreshInterval": "1m", "staleKeysFor": "24h", "subjects": [{"namespace": "a", "prefix": "a"}],
    },
}  # fmt: skip
PLURALS = {kind.kind: kind.plural for kind in KINDS}
#: What stays a matter of structure, and with it a 422. The documentation says that force is never to be used on these
#: kinds.
STRUCTURAL: dict[str, tuple[str, tuple[str | int, ...], Any]] = {
    "a value that is not in an enum": ("ApiClient", ("desiredStatus",), "Avialable"),
    "a number for a text": ("ApiClient", ("version",), 1.0),
    "a required field that is missing": ("Contract", ("plan",), None),
    # Server-side apply leaves an empty list out.
    "no plan at all": ("Api", ("plans",), []),
    "a plan that is there twice": ("Api", ("plans",), [{"name": "a"}, {"name": "a"}]),
    "a name that is there twice": ("ApiClient", ("retirement", "acknowledgedContracts"), ["a", "a"]),
}


@dataclass(frozen=True, slots=True)
class Edit:
    """One value at one place of a spec."""

    kind: str
    path: tuple[str | int, ...]
    value: Any
    #: What the message names.
    named: str


def edits() -> Iterator[Edit]:
    """One edit for each bound of each field of each kind."""
    for kind in KINDS:
        for path, named, schema in _nodes(annotated_schema(kind.spec), (), "spec"):
            for value in _wrong(schema):
                yield Edit(kind.kind, path, value, named)
    yield Edit("ApiClientHold", ("clientName",), "a", "exactly one of spec.clientName")
    yield Edit("ApiClient", ("identities", 0, "serviceAccountName"), "a", "exactly one of subject")
    for member in ('"d": "x"', '"k":"x"', '"qi"\n : "x"'):
        yield Edit("ApiClient", ("keys", "jwks"), f'{{"keys": [{{{member}}}]}}', "spec.keys.jwks holds a private key")
    yield Edit("TokenIssuer", ("keys", "cluster"), {}, "exactly one of spec.keys.discoveryURL")
    yield Edit("TokenIssuer", ("issuer",), None, "spec.issuer is needed")


def _nodes(
    schema: JsonObject, path: tuple[str | int, ...], named: str
) -> Iterator[tuple[tuple[str | int, ...], str, JsonObject]]:
    yield path, named, schema
    for name, child in schema.get("properties", {}).items():
        yield from _nodes(child, (*path, name), f"{named}.{name}")
    if "items" in schema:
        yield from _nodes(schema["items"], (*path, 0), f"{named}[]")
    if "additionalProperties" in schema:
        yield from _nodes(schema["additionalProperties"], (*path, "team"), f"{named}[*]")


def _wrong(schema: JsonObject) -> Iterator[Any]:
    """Values of the right type, each of which breaks another bound."""
    if DURATION_BOUNDS in schema:
        low, high = map(parse_duration, schema[DURATION_BOUNDS])
        yield from ("90d", "", "99999h99999h99999h", format_duration(high) + "1s")
        if low:
            yield "0s"
    elif schema.get("format") == "date-time":
        yield from ("yesterday", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "9" * 65)
    elif schema["type"] == "string" and "enum" not in schema:
        yield "x" * (schema["maxLength"] + 1)
        yield "x" * 100_000
        yield from ("",) if schema.get("minLength") else ()
        yield from ("-\n ",) if "pattern" in schema else ()
    elif schema["type"] == "integer":
        yield from (schema["minimum"] - 1, schema["maximum"] + 1)
    elif schema["type"] == "array" and "enum" not in schema["items"]:  # more than there are must be there twice
        yield [_item(schema["items"], number) for number in range(schema["maxItems"] + 1)]
    elif "additionalProperties" in schema:
        yield {f"x{number}": "a" for number in range(schema["maxProperties"] + 1)}
        yield from ({"x" * 400: "a"},) if KEY_BOUNDS in schema else ()


def _item(schema: JsonObject, number: int) -> Any:
    if schema["type"] == "string":
        return f"x{number}"
    known = dict.fromkeys(("name", "key", "issuer", "subject", "namespace", "prefix"), f"x{number}")
    known |= {"operator": "Exists"}
    return {key: value for key, value in known.items() if key in schema["properties"]}


def edited(spec: JsonObject, path: tuple[str | int, ...], value: Any) -> JsonObject:
    """A spec with another value at a place; None takes it away."""
    found: Any = deepcopy(spec)
    place = found
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return found  # type: ignore[no-any-return]


def put(admin: Admin, team: str, kind: str, spec: JsonObject, **query: str) -> Answer:
    """Server-side apply."""
    namespace, name = place(kind, team)
    body = manifest(kind, team, name, spec)
    if namespace is None:
        del body["metadata"]["namespace"]
    return admin.ask(
        "PATCH", PLURALS[kind], namespace, name, body, content=APPLY, fieldManager="git", force="true", **query
    )


def place(kind: str, team: str) -> tuple[str | None, str]:
    """Namespace and name of the object of a test."""
    return (None, team) if kind == "TokenIssuer" else (team, "one")


def test_the_policies_are_what_the_models_say() -> None:
    assert stale_files(MANIFESTS / "control/policies") == []


@pytest.mark.parametrize("kind", FULL)
def test_an_edit_that_breaks_a_bound_is_refused_with_403_and_the_field_named(
    admin: Admin, team: str, kind: str
) -> None:
    assert put(admin, team, kind, FULL[kind]).status == 201
    mine = [edit for edit in edits() if edit.kind == kind]
    assert len(mine) >= 8
    for edit in mine:
        answer = put(admin, team, kind, edited(FULL[kind], edit.path, edit.value), dryRun="All")
        shown = repr(edit.value)[:60]
        assert (answer.status, answer.body.get("reason")) == (403, "Forbidden"), (edit.path, shown, answer)
        assert edit.named.removesuffix("[*]") in answer.message, (edit.path, shown, answer.message)
    assert put(admin, team, kind, FULL[kind]).status == 200


@pytest.mark.parametrize("what", STRUCTURAL)
def test_what_is_a_matter_of_structure_is_a_422(admin: Admin, team: str, what: str) -> None:
    kind, path, value = STRUCTURAL[what]
    assert put(admin, team, kind, FULL[kind]).status == 201
    answer = put(admin, team, kind, edited(FULL[kind], path, value), dryRun="All")
    assert answer.status in (400, 422, 500), answer


@pytest.mark.parametrize("kind", FULL)
def test_what_was_there_before_the_policy_can_be_labelled_and_put_right(admin: Admin, team: str, kind: str) -> None:
    made = put(admin, team, kind, FULL[kind]).body
    labelled = deepcopy(made)
    namespace, name = place(kind, team)
    labelled["metadata"] = {"name": name, "labels": {"team": "b"}} | ({"namespace": team} if namespace else {})
    target = (PLURALS[kind], namespace, name)
    answer = admin.ask("PATCH", *target, labelled, content=APPLY, fieldManager="git", force="true")
    assert answer.status == 200


def as_flux_applies(admin: Admin, team: str, kind: str, spec: JsonObject) -> Answer:
    """What ``ssa.ResourceManager.Apply`` of Flux does with ``force``.

    It tries with a dry run, and answers "invalid" and "immutable" by deleting the object and creating it again.
    """
    tried = put(admin, team, kind, spec, dryRun="All")
    if tried.body.get("reason") == "Invalid" or "field is immutable" in tried.message:
        admin.delete(PLURALS[kind], team, "one")
    elif tried.status >= 300:
        return tried
    return put(admin, team, kind, spec)


@pytest.mark.parametrize(
    ("kind", "path", "typo"),
    [
        ("ApiClient", ("secret", "lifetime"), "99999h"),
        ("ApiClient", ("tokens", "notBefore"), "2026-01-31"),
        ("Api", ("retirement", "acknowledgedContractCount"), -1),
        ("Contract", ("plan",), "Gold"),
    ],
)
def test_a_typo_destroys_nothing_also_with_force(
    admin: Admin, team: str, kind: str, path: tuple[str | int, ...], typo: Any
) -> None:
    before = put(admin, team, kind, FULL[kind]).body
    answer = as_flux_applies(admin, team, kind, edited(FULL[kind], path, typo))
    assert answer.status == 403
    assert f"spec.{'.'.join(map(str, path))}" in answer.message
    assert admin.get(PLURALS[kind], team, "one") == before
