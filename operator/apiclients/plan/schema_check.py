"""Whether a manifest has the form that the API server demands, read from the models.

Only what the CustomResourceDefinitions and the policies about values check; life-cycle rules are no part of it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from apiclients.plan.yaml_marks import Path
from apiclients.resources.apiclient import MAX_JWKS, PRIVATE_MEMBER_PATTERN
from apiclients.resources.crd import KINDS, Kind
from apiclients.resources.fields import DURATION_BOUNDS, DURATION_PATTERN, NAME_PATTERN, TIME_PATTERN, parse_duration
from apiclients.resources.plan_rules import (
    EMPTY_MAP,
    FORCED,
    INVALID_FIELD,
    NO_DESIRED_STATUS,
    STATUS_IN_GIT,
    UNKNOWN_FIELD,
    PlanRule,
)
from apiclients.resources.schema import KEY_BOUNDS, annotated_schema

KINDS_BY_NAME: dict[str, Kind] = {kind.kind: kind for kind in KINDS}

_TOP = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_METADATA = frozenset(
    {
        "name", "namespace", "labels", "annotations", "finalizers", "ownerReferences", "generateName", "uid",
        "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
        "managedFields", "selfLink",
    }
)  # fmt: skip
#: By these values Flux and Argo CD delete what the API server refuses as invalid, and create it anew.
_FORCE = {
    "kustomize.toolkit.fluxcd.io/force": re.compile("enabled", re.IGNORECASE),
    "argocd.argoproj.io/sync-options": re.compile(r"(.*,)?\s*Force=true\s*(,.*)?", re.IGNORECASE),
}
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "object": (dict,), "array": (list,)}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with one field."""

    rule: PlanRule
    path: Path
    message: str
    #: Whether the API server refuses the object because of it.
    refused: bool = True


@cache
def spec_schema(kind: str) -> dict[str, Any]:
    """The structural schema of a kind's spec."""
    return annotated_schema(KINDS_BY_NAME[kind].spec)


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
    yield from _check_force(metadata.get("annotations"))


def _check_name(metadata: dict[str, Any], key: str) -> Iterator[Problem]:
    value = metadata.get(key)
    if value is None:
        if key == "name":
            yield Problem(INVALID_FIELD, ("metadata",), "metadata.name is missing")
    elif not isinstance(value, str) or len(value) > 63 or not re.fullmatch(NAME_PATTERN, value):
        message = f"metadata.{key}: {value!r} is not a valid name: at most 63 of a-z, 0-9, - and ."
        yield Problem(INVALID_FIELD, ("metadata", key), message)


def _check_texts(values: object, path: Path) -> Iterator[Problem]:
    if values is None:
        return
    if not isinstance(values, dict):
        yield Problem(INVALID_FIELD, path, f"{path_text(path)} must be a map")
        return
    for key, value in values.items():
        if not isinstance(value, str):
            message = f"{path_text((*path, key))}: {value!r} is not a string: put it in quotes"
            yield Problem(INVALID_FIELD, (*path, key), message)


def _check_force(annotations: object) -> Iterator[Problem]:
    values = annotations if isinstance(annotations, dict) else {}
    for key, pattern in _FORCE.items():
        if pattern.fullmatch(str(values.get(key, ""))):
            message = f"metadata.annotations[{key}]: {values[key]} may end the object, its credentials and tokens"
            yield Problem(FORCED, ("metadata", "annotations", key), message, refused=False)


def _check_spec(kind: str, spec: object) -> Iterator[Problem]:
    if not isinstance(spec, dict):
        yield Problem(INVALID_FIELD, ("spec",) if spec is not None else (), "spec is missing")
        return
    schema = spec_schema(kind)
    if "desiredStatus" in schema["properties"] and spec.get("desiredStatus") is None:
        allowed = " or ".join(schema["properties"]["desiredStatus"]["enum"])
        yield Problem(NO_DESIRED_STATUS, ("spec",), f"spec.desiredStatus is missing: it must be {allowed}")
    yield from _walk(schema, spec, ("spec",))
    for rule, holds in zip(KINDS_BY_NAME[kind].rules, _RULES.get(kind, ()), strict=True):
        if not holds(spec):
            yield Problem(INVALID_FIELD, ("spec",), rule.message)


def _ways_to_say_whom(spec: Mapping[str, object]) -> int:
    ways = [spec.get("clientName") is not None, spec.get("selector") is not None, spec.get("allClients") is True]
    return sum(ways)


def _claims_in_one_way(spec: Mapping[str, object]) -> bool:
    identities = spec.get("identities")
    claims = [one for one in identities if isinstance(one, dict)] if isinstance(identities, list) else []
    return all((one.get("subject") is None) != (one.get("serviceAccountName") is None) for one in claims)


def _keeps_private_keys(spec: Mapping[str, object]) -> bool:
    keys = spec.get("keys")
    jwks = keys.get("jwks") if isinstance(keys, dict) else None
    return not isinstance(jwks, str) or len(jwks) > MAX_JWKS or not re.search(PRIVATE_MEMBER_PATTERN, jwks)


def _has_one_source(spec: Mapping[str, object]) -> bool:
    keys = spec.get("keys")
    sources = ("discoveryURL", "jwksURL", "configMap", "cluster")
    return isinstance(keys, dict) and sum(keys.get(source) is not None for source in sources) == 1


def _names_its_issuer(spec: Mapping[str, object]) -> bool:
    keys = spec.get("keys")
    return spec.get("issuer") is not None or (isinstance(keys, dict) and keys.get("cluster") is not None)


#: The rules of each kind, in the order in which ``resources.crd`` has them in CEL.
_RULES: Mapping[str, tuple[Callable[[Mapping[str, object]], bool], ...]] = {
    "ApiClient": (_claims_in_one_way, _keeps_private_keys),
    "ApiClientHold": (lambda spec: _ways_to_say_whom(spec) == 1,),
    "TokenIssuer": (_has_one_source, _names_its_issuer),
}


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
            if KEY_BOUNDS in schema and (problem := _text_problem(schema[KEY_BOUNDS], key)):
                yield Problem(INVALID_FIELD, (*path, key), f"{path_text(path)}: the key {_shown(key)} {problem}")
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
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"is not {schema.get('minLength', 0)} to {schema.get('maxLength')} characters long"
    if schema.get("format") == "date-time":
        return None if re.fullmatch(TIME_PATTERN, value) else "is not a time; use e.g. 2026-01-31T12:00:00Z"
    # All patterns begin with ^ and end with $, which in Python also matches before a line break at the end.
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        return f"does not match {schema['pattern']}"
    return None


def _duration_problem(schema: dict[str, Any], value: str) -> str | None:
    try:
        span = parse_duration(value)
    except ValueError:
        return "is not a duration; use e.g. 90s, 12h or 1h30m (there is no unit for days: 24h)"
    minimum, maximum = schema[DURATION_BOUNDS]
    within = parse_duration(minimum) <= span <= parse_duration(maximum)
    return None if within else f"must be a duration between {minimum} and {maximum}"


def _unknown(path: Path) -> Problem:
    return Problem(UNKNOWN_FIELD, path, f"{path_text(path)}: there is no such field")


def _wrong_type(schema: dict[str, Any], value: object) -> str:
    wanted = {"string": "text", "integer": "a whole number", "object": "a map", "array": "a list"}[schema["type"]]
    quotes = schema["type"] == "string" and isinstance(value, int | float)
    return f"not {wanted}" + (": put it in quotes" if quotes else "")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
