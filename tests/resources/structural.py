"""A small judge of objects against a structural schema: what the API server would say of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from apiclients.resources.crd import KINDS
from apiclients.resources.schema import structural_schema

_TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


@cache
def schema_of(part: str, crd: str = "apiclients.dev_apiclients.yaml") -> dict[str, Any]:
    """The schema of ``spec`` or ``status`` of a kind, as its CRD and the policy about its values have it together."""
    (kind,) = (kind for kind in KINDS if kind.file_name == crd)
    model = kind.spec if part == "spec" else kind.status
    assert model is not None
    return structural_schema(model)


def violations(value: Any, schema: dict[str, Any], where: str = "") -> Iterator[str]:
    """Everything in a value that its schema does not allow, unknown fields included."""
    if not isinstance(value, _TYPES[schema["type"]]):
        yield f"{where}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where}: {value} is out of bounds"
    if isinstance(value, str):
        yield from _of_text(value, schema, where)
    if isinstance(value, list):
        yield from _of_list(value, schema, where)
    if isinstance(value, dict):
        yield from _of_object(value, schema, where)


def _of_text(value: str, schema: dict[str, Any], where: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{where}: {len(value)} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} does not match {schema['pattern']}"
    if schema.get("format") == "date-time" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", value):
        yield f"{where}: {value!r} is no time"


def _of_list(value: list[Any], schema: dict[str, Any], where: str) -> Iterator[str]:
    if len(value) > schema["maxItems"]:
        yield f"{where}: {len(value)} items"
    keys = schema.get("x-kubernetes-list-map-keys", [])
    known = [tuple(item[key] for key in keys) for item in value] if keys else []
    if len(set(known)) < len(known):
        yield f"{where}: the same key twice"
    for item in value:
        yield from violations(item, schema["items"], f"{where}[]")


def _of_object(value: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[str]:
    yield from (f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value)
    for name, child in value.items():
        inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
        if inner is None:
            yield f"{where}: {name} is unknown"
        else:
            yield from violations(child, inner, f"{where}.{name}")
