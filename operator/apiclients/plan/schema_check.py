"""Whether a manifest has the form that the API server demands: the schemas of the CRDs, read from the models.

Only what a CustomResourceDefinition checks; life-cycle rules are no part of it (DESIGN rule 27).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from apiclients.plan.rules import EMPTY_MAP, INVALID_FIELD, NO_DESIRED_STATUS, STATUS_IN_GIT, UNKNOWN_FIELD, Rule
from apiclients.plan.yaml_marks import Path
from apiclients.resources.crd import KINDS, Kind
from apiclients.resources.fields import DURATION_PATTERN, NAME_PATTERN, parse_duration, parse_time
from apiclients.resources.schema import structural_schema

KINDS_BY_NAME: dict[str, Kind] = {kind.kind: kind for kind in KINDS}

_TOP = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_METADATA = frozenset(
    {
        "name", "namespace", "labels", "annotations", "finalizers", "ownerReferences", "generateName", "uid",
        "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
        "managedFields", "selfLink",
    }
)  # fmt: skip
_DURATION_BOUNDS = re.compile(r">= duration\('(\w+)'\) && duration\(self\) <= duration\('(\w+)'\)")
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "object": (dict,), "array": (list,)}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with one field."""

    rule: Rule
    path: Path
    message: str
    #: Whether the API server refuses the object because of it.
    refused: bool = True


@cache
def spec_schema(kind: str) -> dict[str, Any]:
    """The structural schema of a kind's spec."""
    return structural_schema(KINDS_BY_NAME[kind].spec)


def check(kind: str, content: dict[str, Any]) -> list[Problem]:
    """Everything wrong with the form of one object."""
    return [*_check_top(content), *_check_metadata(content.get("metadata")), *_check_spec(kind, content.get("spec"))]


def path_text(path: Path) -> str:
    """``spec.plans[0].name``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _check_top(content: dict[str, Any]) -> Iterator[Problem]:
    for key in sorted(content.keys() - _TOP):
        yield _unknown((key,))
    if content.get("status"):
        yield Problem(STATUS_IN_GIT, ("status",), "status is ignored here: the operator alone writes it", refused=False)


def _check_metadata(metadata: object) -> Iterator[Problem]:
    if not isinstance(metadata, dict):
        yield Problem(INVALID_FIELD, ("metadata",), "metadata is missing")
        return
    for key in sorted(metadata.keys() - _METADATA):
        yield _unknown(("metadata", key))
    for key in ("name", "namespace"):
        yield from _check_name(metadata, key)
    for key in ("labels", "annotations", "finalizers"):
        if key in metadata and metadata[key] in ({}, []):
            message = f"metadata.{key} is empty: GitOps tools see a difference for ever; remove it"
            yield Problem(EMPTY_MAP, ("metadata", key), message, refused=False)
    for key in ("labels", "annotations"):
        yield from _check_texts(metadata.get(key), ("metadata", key))


def _check_name(metadata: dict[str, Any], key: str) -> Iterator[Problem]:
    value = metadata.get(key)
    if value is None:
        if key == "name":
            yield Problem(INVALID_FIELD, ("metadata",), "metadata.name is missing")
    elif not isinstance(value, str) or len(value) > 63 or not re.search(NAME_PATTERN, value):
        message = f"metadata.{key}: {value!r} is no name: at most 63 of a-z, 0-9, - and ."
        yield Problem(INVALID_FIELD, ("metadata", key), message)


def _check_texts(values: object, path: Path) -> Iterator[Problem]:
    if values is None:
        return
    if not isinstance(values, dict):
        yield Problem(INVALID_FIELD, path, f"{path_text(path)} must be a map")
        return
    for key, value in values.items():
        if not isinstance(value, str):
            message = f"{path_text((*path, key))}: {value!r} is no text: put it in quotes"
            yield Problem(INVALID_FIELD, (*path, key), message)


def _check_spec(kind: str, spec: object) -> Iterator[Problem]:
    if not isinstance(spec, dict):
        yield Problem(INVALID_FIELD, ("spec",) if spec is not None else (), "spec is missing")
        return
    schema = spec_schema(kind)
    if "desiredStatus" in schema["properties"] and spec.get("desiredStatus") is None:
        allowed = " or ".join(schema["properties"]["desiredStatus"]["enum"])
        yield Problem(NO_DESIRED_STATUS, ("spec",), f"spec.desiredStatus is missing: it must be {allowed}")
    yield from _walk(schema, spec, ("spec",))
    if kind == "ApiClientHold" and ("clientName" in spec) == ("selector" in spec):
        yield Problem(INVALID_FIELD, ("spec",), f"spec: {KINDS_BY_NAME[kind].rules[0].message}")


def _walk(schema: dict[str, Any], value: object, path: Path) -> Iterator[Problem]:
    expected = _TYPES.get(schema["type"])
    if schema["type"] == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON knows no difference
    if expected is not None and (not isinstance(value, expected) or isinstance(value, bool)):
        yield Problem(INVALID_FIELD, path, f"{path_text(path)}: {_shown(value)} is {_wrong_type(schema, value)}")
        return
    if schema["type"] == "boolean" and not isinstance(value, bool):
        yield Problem(INVALID_FIELD, path, f"{path_text(path)}: {_shown(value)} must be true or false")
        return
    if isinstance(value, dict):
        yield from _walk_object(schema, value, path)
    elif isinstance(value, list):
        yield from _walk_list(schema, value, path)
    else:
        problem = _scalar_problem(schema, value)
        if problem:
            yield Problem(INVALID_FIELD, path, f"{path_text(path)}: {_shown(value)} {problem}")


def _walk_object(schema: dict[str, Any], value: dict[str, Any], path: Path) -> Iterator[Problem]:
    if len(value) > schema.get("maxProperties", len(value)):
        yield Problem(INVALID_FIELD, path, f"{path_text(path)} has more than {schema['maxProperties']} entries")
    properties = schema.get("properties")
    if properties is None:
        for key, child in value.items():
            yield from _walk(schema["additionalProperties"], child, (*path, key))
        return
    for key in schema.get("required", []):
        if value.get(key) is None and key != "desiredStatus":
            yield Problem(INVALID_FIELD, path, f"{path_text((*path, key))} is missing")
    for key, child in value.items():
        if key not in properties:
            yield _unknown((*path, key))
        elif child is not None:  # null is as if it were not there
            yield from _walk(properties[key], child, (*path, key))


def _walk_list(schema: dict[str, Any], value: list[Any], path: Path) -> Iterator[Problem]:
    if len(value) > schema["maxItems"] or len(value) < schema.get("minItems", 0):
        bounds = f"{schema.get('minItems', 0)} to {schema['maxItems']}"
        yield Problem(INVALID_FIELD, path, f"{path_text(path)} has {len(value)} items, not {bounds}")
    for number, child in enumerate(value):
        yield from _walk(schema["items"], child, (*path, number))
    yield from _twice(schema, value, path)


def _twice(schema: dict[str, Any], value: list[Any], path: Path) -> Iterator[Problem]:
    """Lists that are sets or maps hold nothing twice."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if schema.get("x-kubernetes-list-type") not in ("set", "map"):
        return
    seen: list[object] = []
    for number, child in enumerate(value):
        mark = [child.get(key) for key in keys] if keys and isinstance(child, dict) else child
        if mark in seen:
            yield Problem(INVALID_FIELD, (*path, number), f"{path_text(path)} holds {_shown(mark)} twice")
        seen.append(mark)


def _scalar_problem(schema: dict[str, Any], value: Any) -> str | None:
    if "enum" in schema and value not in schema["enum"]:
        return f"is not one of: {', '.join(schema['enum'])}"
    if isinstance(value, str):
        return _text_problem(schema, value)
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"is not between {schema.get('minimum')} and {schema.get('maximum')}"
    return None


def _text_problem(schema: dict[str, Any], value: str) -> str | None:
    if schema.get("pattern") == DURATION_PATTERN:
        return _duration_problem(schema, value)
    if schema.get("format") == "date-time":
        return _time_problem(value)
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"is not {schema.get('minLength', 0)} to {schema.get('maxLength')} characters long"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"does not match {schema['pattern']}"
    return None


def _duration_problem(schema: dict[str, Any], value: str) -> str | None:
    try:
        span = parse_duration(value)
    except ValueError:
        return "is no duration such as 12h, 90m or 1h30m (days do not exist: 24h)"
    rule = schema["x-kubernetes-validations"][0]
    bounds = _DURATION_BOUNDS.search(rule["rule"])
    low, high = (parse_duration(part) for part in bounds.groups()) if bounds else (timedelta(), timedelta.max)
    return None if low <= span <= high else str(rule["message"])


def _time_problem(value: str) -> str | None:
    try:
        parse_time(value)
    except ValueError:
        return "is no time such as 2026-01-31T12:00:00Z"
    return None


def _unknown(path: Path) -> Problem:
    return Problem(UNKNOWN_FIELD, path, f"{path_text(path)}: there is no such field")


def _wrong_type(schema: dict[str, Any], value: object) -> str:
    wanted = {"string": "text", "integer": "a whole number", "object": "a map", "array": "a list"}[schema["type"]]
    quotes = schema["type"] == "string" and isinstance(value, int | float)
    return f"not {wanted}" + (": put it in quotes" if quotes else "")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
