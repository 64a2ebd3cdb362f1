"""Objects are read from their text by Structs: to the same views, and to the same refusals, as by the models."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apiclients.engine.views import View, view_of
from apiclients.gate.state import reading
from apiclients.gate.state.reading import Entry, Unreadable, Viewed, decoding, on_bad, reader
from apiclients.gate.state.state import GateState
from apiclients.gate.state.tally import Tally
from apiclients.kube.cache import Change
from apiclients.kube.decoding import JSON
from apiclients.kube.errors import KubeError
from apiclients.kube.objects import identify, uid_of
from apiclients.resources.fields import Model
from apiclients.resources.objects import AnyObject
from apiclients.resources.structs import KINDS

MANY = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
TIMES = (
    "2026-01-31T12:00:00Z",
    "2026-01-31t12:00:00z",
    "2026-01-31T12:00:00.5Z",
    "2026-01-31T12:00:00.123456Z",
    "2026-01-31T12:00:00.9999999Z",
    "2026-01-31T12:00:00+05:30",
    "2026-01-31T12:00:00+0530",
    "2026-01-31 12:00:00Z",
    "2026-01-31T12:00:00",
    "2026-02-30T12:00:00Z",
    "2026-01-31T12:00:60Z",
    "2026-01-31T24:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "2026-01-31T12:00:00Z\n",
    "2026-01-31T12:00:00." + "0" * 60 + "Z",
    "2026-01-31T12:00:00Z" + "T" * 100,
    "now",
)
DURATIONS = ("0s", "12h", "1h30m", "99999h", "1.5h", "90d", "1h1m1s1s", "12h\n", "１h", "12H", " 12h")
TEXTS = ("", "1", "a", "a\n", "-", "A", "a" * 63, "a" * 64, "é" * 63, "é" * 64, "a" * 400, "\x00", "😀", "a..b")
NUMBERS = (0, -1, 1, 2, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 1.0, 2.5, 1e300, -0.0)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    ["1", "1"],
    [1],
    {"1": None},
    {"1": 1},
    ["a"] * 300,
    [{}],
)
DAMAGES: tuple[Any, ...] = (None, 7, "no such value", [], {}, "2026-02-30T12:00:00Z", "A B\n", -(10**30))
NAMES = ("Available", "Retired", "Pending", "Active", "True", "Rejected")


def complete(annotation: Any) -> Any:
    """A value in JSON that an annotation takes, with every field that it can have."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return complete(arguments[0])
    if origin in (Union, UnionType):
        return complete(next(one for one in arguments if one is not NoneType))
    if origin is Literal:
        return arguments[0]
    if origin is list:
        return [complete(arguments[0])]
    if origin is dict:
        return {complete(arguments[0]): complete(arguments[1])}
    if issubclass(annotation, Model):
        return {field.alias: complete(field.annotation) for field in annotation.model_fields.values()}
    if issubclass(annotation, Enum):
        return next(iter(annotation)).value
    return {datetime: TIMES[0], timedelta: "12h", str: "1", int: 1, bool: True}[annotation]


def complete_object(kind: type[AnyObject]) -> dict[str, Any]:
    metadata = {
        "namespace": "team-a",
        "name": "billing",
        "uid": "11111111-0000-4000-8000-000000000001",
        "generation": 3,
        "resourceVersion": "7",
        "creationTimestamp": TIMES[0],
        "labels": {"team": "a", "tier": "gold"},
        "annotations": {"note": "é"},
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:plan": {}}}}],
    }
    parts = {"spec": complete(kind._spec_model), "status": complete(kind._status_model)}
    return {"apiVersion": "apiclients.dev/v1alpha1", "kind": kind.__name__, "metadata": metadata, **parts}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All containers in a value, with each of their keys."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


class Twice(dict[str, Any]):
    """Is written with a key that stands there twice."""

    again: tuple[str, Any]


def written(value: Any, ascii_only: bool) -> str:
    if isinstance(value, list):
        return f"[{', '.join(written(one, ascii_only) for one in value)}]"
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=ascii_only)
    pairs = [*value.items(), *([value.again] if isinstance(value, Twice) else [])]
    return f"{{{','.join(f'{json.dumps(key)}:{written(one, ascii_only)}' for key, one in pairs)}}}"


def snake(text: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in text)


@st.composite
def texts(draw: st.DrawFn, kind: type[AnyObject]) -> bytes:
    """An object as text: complete, and then damaged in some places."""
    found = {"": complete_object(kind)}
    scalars = st.sampled_from([*TIMES, *DURATIONS, *TEXTS, *NUMBERS, *NAMES])
    values = st.one_of(
        scalars, st.sampled_from(OTHERS).map(lambda one: json.loads(json.dumps(one))), st.text(max_size=9)
    )
    for _ in range(draw(st.integers(0, 4))):
        container, key = draw(st.sampled_from(list(places(found))))
        match draw(st.sampled_from(["set", "set", "set", "remove", "rename", "add", "twice"])):
            case "remove" if container is not found:
                del container[key]
            case "rename" if isinstance(container, dict) and container is not found:
                container[snake(key)] = container.pop(key)
            case "add" if isinstance(container, list):
                container.append(draw(values) if draw(st.booleans()) else container[key])
            case "add":
                container[draw(st.sampled_from(["later", "desired_status", "not_before", "labels"]))] = draw(values)
            case "twice" if isinstance(container[key], dict) and container[key] and type(container[key]) is dict:
                inner = draw(st.sampled_from(list(container[key])))
                container[key] = Twice(container[key])
                container[key].again = (inner, draw(values))
            case _:
                container[key] = draw(values)
    return written(found[""], draw(st.booleans())).encode()


def by_model(kind: str, text: bytes) -> Entry:
    body = orjson.loads(text)
    try:
        return reader(kind)(body)
    except Exception as error:
        return on_bad(kind)(body, error)


def by_struct(kind: str, text: bytes) -> Entry:
    body = decoding(kind).item(msgspec.Raw(text))
    try:
        return reader(kind)(body)  # type: ignore[arg-type]
    except Exception as error:
        assert isinstance(body, dict)
        return on_bad(kind)(body, error)


def outcome(read: Any, *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except Exception as error:
        return type(error)


def everything(read: Any, kind: str, text: bytes) -> tuple[Any, Any]:
    """What is read, and the last use of a contract, which views of contracts do not compare."""
    entry = outcome(read, kind, text)
    return entry, getattr(entry, "last_used", None)


@pytest.mark.rule(32)
@pytest.mark.parametrize("kind", KINDS)
@MANY
@given(data=st.data())
def test_damaged_or_not_an_object_is_the_same_by_struct_and_by_model(kind: str, data: st.DataObject) -> None:
    text = data.draw(texts(KINDS[kind]))
    body = outcome(orjson.loads, text)
    if not isinstance(body, dict):
        with pytest.raises(KubeError):
            decoding(kind).item(msgspec.Raw(text))
        return
    item = decoding(kind).item(msgspec.Raw(text))
    assert outcome(identify, item) == outcome(identify, body)
    assert everything(by_struct, kind, text) == everything(by_model, kind, text)
    if isinstance(item, Viewed):
        assert uid_of(item) == uid_of(body)


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_with_every_field_needs_no_model(kind: str) -> None:
    text = json.dumps(complete_object(KINDS[kind])).encode()
    assert isinstance(decoding(kind).item(msgspec.Raw(text)), Viewed)
    assert everything(by_struct, kind, text) == everything(by_model, kind, text)
    assert not isinstance(by_model(kind, text), Unreadable)


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_that_a_model_refuses_is_refused(kind: str) -> None:
    """One value at a time, at every place that there is."""
    refused = 0
    for at in range(len(list(places(complete_object(KINDS[kind]))))):
        for value in DAMAGES:
            found = complete_object(KINDS[kind])
            container, key = list(places(found))[at]
            container[key] = value
            text = json.dumps(found).encode()
            assert everything(by_struct, kind, text) == everything(by_model, kind, text), (key, value)
            refused += isinstance(outcome(by_model, kind, text), Unreadable)
    assert refused


@pytest.mark.parametrize("kind", KINDS)
def test_what_nests_too_deep_is_for_the_model(kind: str) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(KubeError):
        decoding(kind).item(msgspec.Raw(f'{{"metadata":{{"labels":{deep}}}}}'.encode()))


READ_PLACES = [("metadata", "name"), ("metadata", "labels", "team"), ("metadata", "labels", "@")]


@pytest.mark.parametrize(("kind", "place"), [*itertools.product(KINDS, READ_PLACES), ("Contract", ("spec", "plan"))])
def test_what_is_not_utf_8_is_an_error_as_by_json(kind: str, place: tuple[str, ...]) -> None:
    """A KubeError, after which lists and watches begin anew, and not the end of the gate."""
    found: Any = complete_object(KINDS[kind])
    container = found
    for key in place[:-1]:
        container = container[key]
    container[place[-1]] = "@"
    text = json.dumps(found).encode().replace(b"@", b"\xff")
    with pytest.raises(KubeError):
        decoding(kind).item(msgspec.Raw(text))
    with pytest.raises(KubeError):
        JSON.page(text)


@pytest.mark.parametrize("kind", KINDS)
def test_pages_and_events_that_are_not_utf_8_are_errors_as_by_json(kind: str) -> None:
    with pytest.raises(KubeError):
        decoding(kind).page(b'{"metadata":{"resourceVersion":"\xff"},"items":[]}')
    with pytest.raises(KubeError):
        decoding(kind).event(b'{"type":"\xff","object":{}}', "watch")


@pytest.mark.rule(32)
@pytest.mark.parametrize("kind", KINDS)
def test_a_bug_in_making_a_view_costs_one_object(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(reading, "view_of", broken)
    text = json.dumps(complete_object(KINDS[kind])).encode()
    entry = by_struct(kind, text)
    assert isinstance(entry, Unreadable)
    assert entry.reason == "ZeroDivisionError"


@pytest.mark.parametrize("by_text", [True, False])
def test_the_time_to_the_effect_contains_decoding(by_text: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now, effects = 100.0, list[float]()
    state = GateState("https://tokens.example.com", Tally(), lambda: now, effects.append)

    def slow(body: object) -> View:
        nonlocal now
        now += 3.0
        return view_of(body)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "view_of", slow)
    raw = complete_object(KINDS["ApiClient"])
    item = state.decoding["apiclients"].item(msgspec.Raw(json.dumps(raw).encode())) if by_text else raw
    assert isinstance(item, Viewed) is by_text
    entry = state.read["apiclients"](item)  # type: ignore[arg-type]
    state.apply["apiclients"](Change(("team-a", "billing"), None, entry, 7, "watch"))
    assert effects == [3.0]
