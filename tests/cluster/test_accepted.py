"""Whatever the API server accepts every program reads, and the plan refuses what it refuses: objects from schemas."""

import contextlib
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiclients.plan.schema_check import KINDS_BY_NAME, check
from apiclients.resources.fields import TIME_PATTERN, parse_time
from apiclients.resources.objects import (
    Api,
    ApiClient,
    ApiClientHold,
    Contract,
    ContractApproval,
    InvalidObjectError,
)
from apiclients.resources.schema import structural_schema
from tests.toolkit.objects import JsonObject
from tests.toolkit.policies import without_value_policies
from tests.toolkit.product import Product, Team, condition, metrics
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.rule(32)
API_VERSION = "apiclients.dev/v1alpha1"
READERS: dict[str, Any] = {
    "ApiClient": ApiClient,
    "Api": Api,
    "Contract": Contract,
    "ContractApproval": ContractApproval,
    "ApiClientHold": ApiClientHold,
}
#: Requests are sent as fast as the server answers; the same ones at each run.
BOUNDED = settings(max_examples=150, deadline=None, derandomize=True, database=None)

DURATIONS = ["12h", "1h30m5s", "0s", "1s", "72h", "72h1s", "17520h", "17520h1s", "1h1h1h", "90d", "1.5h", "12h\n", ""]
NAMES = ["a", "a-b.c", "a" * 63, "a" * 64, "A", "-a", "a.", "a\n", "", "ä", "a_b"]
TEXTS = ["", "x", "two words", "ä€😀", "line\n", "\x00", "x" * 253, "x" * 254, "ä" * 1024, "x" * 1025]
SCOPES = ["orders.read", "", 'a"b', "a b", "a\\b", "!", "~", "ä", "a\n", "x" * 128, "x" * 129]
ODD: list[Any] = [None, True, 0, -1, 1.0, 1.5, 2**31, 2**63, "1", [], {}, ""]


@cache
def _parts_of_times() -> st.SearchStrategy[str]:
    date = st.sampled_from(
        ["2026-01-31", "2026-02-29", "2024-02-29", "0000-02-29", "0001-01-01", "9999-12-31", "2026-13-01", "2026-1-1"]
    )
    mark = st.sampled_from(["T", "t", " ", "T\n", ""])
    time = st.sampled_from(["00:00:00", "23:59:59", "24:00:00", "23:59:60", "12:60:00", "1:00:00", "12:00", "٠٠:00:00"])
    fraction = st.sampled_from(["", ".5", ".123456789123", ",5", ".", "x5", ":5", "\n5", ".5.5"])
    zone = st.sampled_from(["Z", "z", "+01:00", "-23:59", "+24:00", "+14:60", "+99:99", "+0100", "", "ztZ", "Z\n"])
    return st.tuples(date, mark, time, fraction, zone).map("".join)


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values for a schema: mostly right ones, those at its bounds, and a few of other types."""
    # Odd values are rare, so that most objects have one thing wrong with them, or nothing. (Zero is drawn most often.)
    return st.integers(0, 39).flatmap(lambda roll: st.sampled_from(ODD) if roll == 37 else _likely(schema))


def _likely(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema["type"]:
        case "object":
            return _objects(schema)
        case "array":
            most = min(schema["maxItems"], 3)
            return st.lists(values_of(schema["items"]), min_size=schema.get("minItems", 0), max_size=most)
        case "integer":
            low, high = schema.get("minimum", 0), schema.get("maximum", 2**31)
            return st.sampled_from([*[low, low + 1, high] * 10, low - 1, high + 1, float(low)])
        case "boolean":
            return st.booleans()
        case _:
            return _texts(schema)


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from([*schema["enum"] * 20, schema["enum"][0].lower(), f"{schema['enum'][0]}\n"])
    if schema.get("format") == "date-time":
        return st.sampled_from(["2026-01-31T12:00:00Z", "2020-01-31t12:00:00.5+01:00"]) | _parts_of_times()
    pattern = schema.get("pattern", "")
    if "h|m|s" in pattern:
        return st.sampled_from(DURATIONS[3:5] * 20 + DURATIONS)
    if pattern.startswith("^[a-z0-9]"):
        return st.sampled_from(NAMES[:3] * 25 + NAMES)
    return st.sampled_from((SCOPES[:1] * 60 + SCOPES) if "x21" in pattern else (TEXTS[1:3] * 30 + TEXTS))


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        keys = st.sampled_from(["team", "example.com/team", "", "x" * 400, "a\n"])
        return st.dictionaries(keys, values_of(schema["additionalProperties"]), max_size=2)
    required = set(schema.get("required", ()))
    parts = {name: values_of(node) for name, node in schema["properties"].items()}
    needed = {name: part for name, part in parts.items() if name in required}
    optional = {name: part for name, part in parts.items() if name not in required}
    made = st.fixed_dictionaries(needed, optional=optional)
    return st.tuples(made, st.integers(0, 59)).map(lambda pair: _spoiled(pair[0], pair[1], required))


def _spoiled(value: dict[str, Any], roll: int, required: set[str]) -> dict[str, Any]:
    """Now and then a required field is missing, or one is unknown."""
    if roll == 41 and required:
        return {name: child for name, child in value.items() if name != min(required)}
    return value | {"unheardOf": 1} if roll == 43 else value


def _body(kind: str, spec: Any, name: str = "generated") -> JsonObject:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _accepts(team: Team, kind: str, body: JsonObject, **query: str) -> JsonObject | None:
    """The object as the API server would store it; None when it refuses it, as it does with kubectl."""
    plural = KINDS_BY_NAME[kind].plural
    answer = team.product.admin.ask("POST", plural, team.namespace, body=body, fieldValidation="Strict", **query)
    assert answer.status == 201 or answer.status in (400, 403, 422), answer
    return answer.body if answer.status == 201 else None


def _refused_by_plan(team: Team, kind: str, body: JsonObject) -> list[str]:
    metadata = body["metadata"] | {"namespace": team.namespace}
    return [problem.message for problem in check(kind, body | {"metadata": metadata}) if problem.refused]


def _reads(kind: str, stored: JsonObject) -> bool:
    try:
        READERS[kind].from_object(stored)
    except InvalidObjectError:
        return False
    return True


@pytest.mark.parametrize("kind", READERS)
def test_the_plan_accepts_what_the_api_server_accepts_and_every_program_reads_it(team: Team, kind: str) -> None:
    schema = structural_schema(KINDS_BY_NAME[kind].spec)
    seen = {True: 0, False: 0}

    @BOUNDED
    @given(_likely(schema))
    def same(spec: dict[str, Any]) -> None:
        body = _body(kind, spec)
        stored = _accepts(team, kind, body, dryRun="All")
        refused = _refused_by_plan(team, kind, body)
        assert (stored is None) == bool(refused), (refused, spec)
        seen[stored is not None] += 1
        assert stored is None or _reads(kind, stored), spec

    same()
    assert min(seen.values()) >= 5, f"too many of one sort to tell anything: {seen}"


#: What the models cannot read, and the CRDs take, where nobody has applied the policies about values.
UNREADABLE: dict[str, JsonObject] = {
    "ApiClient": {"desiredStatus": "Available", "tokens": {"notBefore": "0000-01-01T00:00:00Z"}},
    "ApiClientHold": {"clientName": "nobody", "reason": "test", "expiresTime": "2026-01-01T00:00:00+24:00"},
    "Api": {"desiredStatus": "Published", "plans": [{"name": "Gold"}]},
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_reported_by_operator_and_gates(team: Team, kind: str) -> None:
    body = _body(kind, UNREADABLE[kind])
    assert _refused_by_plan(team, kind, body)
    assert not _reads(kind, body | {"metadata": {"name": "x", "uid": "u", "namespace": "n"}})
    with without_value_policies(team.product):
        _is_reported(team, kind, body)


def _is_reported(team: Team, kind: str, body: JsonObject) -> None:
    """On the object by the operator, in metrics by every gate; and both know when it is over."""
    plural, name, admin = KINDS_BY_NAME[kind].plural, body["metadata"]["name"], team.product.admin
    before = _unreadable_in_gates(team.product, kind)
    assert _accepts(team, kind, body) is not None
    eventually(
        f"{kind} {name} is reported",
        lambda: condition(admin.get(plural, team.namespace, name), "Stalled").get("reason") == "Unreadable",
    )
    eventually("the gates count it", lambda: _unreadable_in_gates(team.product, kind) == [n + 1 for n in before])
    admin.delete(plural, team.namespace, name)
    eventually("the gates count it no more", lambda: _unreadable_in_gates(team.product, kind) == before)


def _unreadable_in_gates(product: Product, kind: str) -> list[float]:
    series = f'apiclient_gate_unreadable_objects{{kind="{KINDS_BY_NAME[kind].plural}"}}'
    return [metrics(gate)[series] for gate in product.gates]


def test_times_are_read_as_the_api_server_takes_them(team: Team) -> None:
    """What it takes is read to the instant that RFC 3339 says."""
    outcomes: set[tuple[bool, bool]] = set()

    @settings(BOUNDED, max_examples=400)
    @given(_parts_of_times())
    def same(text: str) -> None:
        spec = {"desiredStatus": "Available", "tokens": {"notBefore": text}}
        accepted = _accepts(team, "ApiClient", _body("ApiClient", spec), dryRun="All") is not None
        assert accepted is bool(re.fullmatch(TIME_PATTERN, text)), text
        read = None
        with contextlib.suppress(ValueError):
            read = parse_time(text)
        outcomes.add((accepted, read is not None))
        assert not accepted or read is not None, text
        assert read is None or read == _instant(text), text

    same()
    assert outcomes == {(True, True), (False, True), (False, False)}


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T00:00:00z", "2026-01-01t00:00:00Z", "2026-01-01T00:00:00.25Z", "2026-01-01T05:30:00+05:30"],
)
def test_not_before_in_any_form_works_everywhere(team: Team, text: str) -> None:
    client = team.declare("billing-1.0", tokens={"notBefore": text})
    client.until_condition("Ready", "True", "Available")
    team.product.until_accepted(client.token())


@pytest.mark.parametrize("form", ["%Y-%m-%dt%H:%M:%Sz", "%Y-%m-%dT%H:%M:%S.999999999Z", "%Y-%m-%dT%H:%M:%S-00:00"])
def test_a_hold_in_any_form_stops_and_ends_in_operator_and_gates(team: Team, form: str) -> None:
    client = team.declare("billing-1.0")
    token = client.token()
    team.product.until_accepted(token)
    end = datetime.now(UTC) + timedelta(seconds=6)
    spec = {"clientName": "billing-1.0", "reason": "test", "expiresTime": end.strftime(form)}
    assert _accepts(team, "ApiClientHold", _body("ApiClientHold", spec, "stop")) is not None
    team.product.until_refused(token)
    client.until_condition("Ready", "True", "Held")
    team.product.until_accepted(token)
    client.until_condition("Ready", "True", "Available")


def _instant(text: str) -> datetime:
    """An independent reading, of the forms that this file generates."""
    date, clock = text.upper().replace(",", ".").split("T")
    zone = clock[-1:] if clock.endswith("Z") else clock[-6:]
    clock = clock.removesuffix(zone)
    whole, _, fraction = clock.partition(".")
    offset = timedelta()
    if zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    local = datetime.strptime(f"{date} {whole}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return local + timedelta(microseconds=int(fraction[:6].ljust(6, "0") or 0)) - offset
