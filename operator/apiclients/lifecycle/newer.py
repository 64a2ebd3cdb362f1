"""What a newer version has in a status beside what this one knows: it stays when the status is written (rule 32)."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from apiclients.resources.conditions import ConditionType
from apiclients.resources.fields import Model
from apiclients.resources.objects import text_at
from apiclients.resources.schema import structural_schema


def with_newer_fields(status: Model, stored: object) -> dict[str, Any]:
    """A status as JSON, together with the fields and conditions of the stored one that no model here has.

    Fields of an object or list item that goes away go with it. Where the CRD does not know them either, the API server
    has pruned them already.
    """
    merged: dict[str, Any] = _merged(_schema(type(status)), status.to_object(), stored)
    conditions = stored.get("conditions") if isinstance(stored, Mapping) else None
    if isinstance(conditions, list):
        others = [one for one in conditions if text_at(one, "type") not in set(ConditionType)]
        if others:
            merged["conditions"] = [*merged.get("conditions", ()), *others]
    return merged


@cache
def _schema(model: type[Model]) -> dict[str, Any]:
    return structural_schema(model)


def _merged(schema: Mapping[str, Any], new: Any, stored: object) -> Any:
    """``new`` with what ``stored`` has beside the schema, at every depth where the two are the same object."""
    if isinstance(new, dict) and isinstance(stored, Mapping) and "properties" in schema:
        properties = schema["properties"]
        known = {name: _merged(properties[name], value, stored.get(name)) for name, value in new.items()}
        return known | {name: value for name, value in stored.items() if name not in properties}
    keys = schema.get("x-kubernetes-list-map-keys")
    if isinstance(new, list) and isinstance(stored, list) and keys:
        before = {_mark(item, keys): item for item in stored}
        return [_merged(schema["items"], item, before.get(_mark(item, keys))) for item in new]
    return new


def _mark(item: object, keys: list[str]) -> str:
    """What makes two items of a list the same one."""
    return repr([item.get(key) for key in keys]) if isinstance(item, Mapping) else ""
