"""What a CRD has changed that breaks somebody: objects that were good, clients that read or apply them.

Within a version of the API (``v1alpha1``) nothing is taken away: what was accepted stays accepted and means the same.
docs/upgrades.md promises that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apiclients.resources.fields import DURATION_BOUNDS, parse_duration
from apiclients.resources.schema import KEY_BOUNDS

Schema = Mapping[str, Any]

#: Keys under which a larger value takes less, and those under which a smaller one does.
_LEAST = ("minLength", "minItems", "minProperties", "minimum")
_MOST = ("maxLength", "maxItems", "maxProperties", "maximum")
#: What has to stay as it is: it says how values are stored, merged and found.
_SAME = (
    "type",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-preserve-unknown-fields",
)
#: Constraints that may go, and may neither come nor change: nobody can tell which of two takes less.
_MAY_ONLY_GO = ("format", "pattern", "not", "allOf", "anyOf", "oneOf", "x-kubernetes-validations")
_OTHERS = ("description", "enum", "required", "properties", "items", "additionalProperties", "default", "nullable")
_KNOWN = frozenset({*_LEAST, *_MOST, *_SAME, *_MAY_ONLY_GO, *_OTHERS, DURATION_BOUNDS, KEY_BOUNDS})


def crd_changes(before: Schema, after: Schema) -> list[str]:
    """All that is incompatible between two versions of a CustomResourceDefinition, one sentence each."""
    old, new = before["spec"], after["spec"]
    found = [f"{key} is another" for key in ("group", "scope") if old[key] != new[key]]
    found += [
        f"names.{key} is another" for key in ("kind", "plural", "singular") if old["names"][key] != new["names"][key]
    ]
    for key in ("shortNames", "categories"):
        gone = set(old["names"].get(key, ())) - set(new["names"].get(key, ()))
        found += [f"names.{key} lacks {name}" for name in sorted(gone)]
    served = {version["name"]: version for version in new["versions"] if version["served"]}
    for version in old["versions"]:
        if version["served"] and version["name"] not in served:
            found.append(f"{version['name']} is not served any more")
        elif version["served"]:
            found += _version_changes(version, served[version["name"]])
    return found


def _version_changes(old: Schema, new: Schema) -> Iterator[str]:
    for name in old.get("subresources", {}):
        if name not in new.get("subresources", {}):
            yield f"subresource {name} is gone"
    selectable = {field["jsonPath"] for field in new.get("selectableFields", ())}
    for field in old.get("selectableFields", ()):
        if field["jsonPath"] not in selectable:
            yield f"{field['jsonPath']} cannot be selected any more"
    yield from schema_changes(old["schema"]["openAPIV3Schema"], new["schema"]["openAPIV3Schema"])


def schema_changes(old: Schema, new: Schema, path: str = "") -> Iterator[str]:
    """All that a schema takes no more, or in another sense, at every depth."""
    where = path or "the object"
    unknown = (set(old) | set(new)) - _KNOWN
    if unknown:
        raise ValueError(f"{where}: nobody knows how to compare {', '.join(sorted(unknown))}")
    yield from (f"{where}: {key} is another" for key in _SAME if old.get(key) != new.get(key))
    yield from (
        f"{where}: {key} is stricter or another" for key in _MAY_ONLY_GO if key in new and old.get(key) != new[key]
    )
    yield from _bounds(old, new, where)
    yield from _values(old, new, where)
    yield from _parts(old, new, path)


def _bounds(old: Schema, new: Schema, where: str) -> Iterator[str]:
    yield from (f"{where}: {key} is higher" for key in _LEAST if key in new and new[key] > old.get(key, float("-inf")))
    yield from (f"{where}: {key} is lower" for key in _MOST if key in new and new[key] < old.get(key, float("inf")))
    if DURATION_BOUNDS in new:
        least, most = map(parse_duration, new[DURATION_BOUNDS])
        known = [parse_duration(one) for one in old.get(DURATION_BOUNDS, ())]
        if not known or least > known[0] or most < known[1]:
            yield f"{where}: its bounds are narrower"


def _values(old: Schema, new: Schema, where: str) -> Iterator[str]:
    if "enum" in new:
        gone = [value for value in old["enum"] if value not in new["enum"]] if "enum" in old else ["any other value"]
        yield from (f"{where}: {value} is no value any more" for value in gone)
    yield from (
        f"{where}: {name} is required now" for name in set(new.get("required", ())) - set(old.get("required", ()))
    )
    if old.get("nullable") and not new.get("nullable"):
        yield f"{where}: null is no value any more"
    if old.get("default") != new.get("default"):
        yield f"{where}: leaving it out means something else"


def _parts(old: Schema, new: Schema, path: str) -> Iterator[str]:
    properties = new.get("properties", {})
    for name, schema in old.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        if name in properties:
            yield from schema_changes(schema, properties[name], inner)
        else:
            yield f"{inner} is gone"
    for key, mark in (("items", "[]"), ("additionalProperties", "[*]"), (KEY_BOUNDS, "[keys]")):
        if key in old and key in new:
            yield from schema_changes(old[key], new[key], f"{path}{mark}")
        elif (key in old) != (key in new):
            yield f"{path}: {key} has come or gone"


def fields_of(schema: Schema, path: str = "") -> Iterator[str]:
    """The paths of all fields of a schema, those of list items and maps included."""
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here
        yield from fields_of(inner, here)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from fields_of(schema[key], path)
