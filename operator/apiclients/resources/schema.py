"""Turns a pydantic model into a structural schema (apiextensions.k8s.io/v1).

Pydantic emits JSON Schema that a CustomResourceDefinition may not hold: ``$ref`` and ``$defs``, ``anyOf`` with null
for optional fields, ``title``, ``const``, ``null`` defaults. This converter removes them and fails loudly on anything
else that Kubernetes would refuse or that would merge or cost without bounds.
"""

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from apiclients.resources.fields import Model, format_duration

_KEPT = (
    "type",
    "description",
    "format",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
)


class SchemaError(TypeError):
    """A model has something that a structural schema cannot say. The message names the field."""


class _Generate(GenerateJsonSchema):
    """Pydantic's generator, with durations as Kubernetes writes them."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def structural_schema(model: type[Model]) -> dict[str, Any]:
    """The structural schema of a model. Raises :class:`SchemaError`."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generate)
    return _convert(schema, schema.get("$defs", {}), model.__name__)


def _convert(node: dict[str, Any], defs: dict[str, Any], where: str) -> dict[str, Any]:
    node = _resolve(node, defs, where)
    kept = {key: node[key] for key in _KEPT if key in node}
    if "const" in node:
        kept["enum"] = [node["const"]]
    _check(kept, node, where)
    if node["type"] == "object":
        kept |= _object_parts(node, defs, where)
    if node["type"] == "array":
        kept["items"] = _convert(node["items"], defs, f"{where}[]")
    return kept


def _resolve(node: dict[str, Any], defs: dict[str, Any], where: str) -> dict[str, Any]:
    """Follow ``$ref`` and fold "this or null"; siblings (description, default) win over the referred node."""
    node = dict(node)
    choices = [choice for choice in node.pop("anyOf", []) if choice.get("type") != "null"]
    if len(choices) > 1:
        raise SchemaError(f"{where}: a choice between types is not structural")
    for source in choices or ([{"$ref": node.pop("$ref")}] if "$ref" in node else []):
        target = defs[source["$ref"].rsplit("/", 1)[-1]] if "$ref" in source else source
        return _resolve({**target, **node}, defs, where)
    return node


def _object_parts(node: dict[str, Any], defs: dict[str, Any], where: str) -> dict[str, Any]:
    if "properties" not in node:
        return {"additionalProperties": _convert(node["additionalProperties"], defs, f"{where}.*")}
    parts: dict[str, Any] = {"properties": {}}
    if node.get("required"):
        parts["required"] = node["required"]
    for name, child in node["properties"].items():
        converted = _convert(child, defs, f"{where}.{name}")
        default = _default(child, converted)
        parts["properties"][name] = converted | ({"default": default} if default is not None else {})
    return parts


def _default(child: dict[str, Any], converted: dict[str, Any]) -> Any:
    """Constants become CRD defaults. An object with no required field defaults to {}, so that those below apply."""
    if child.get("default") is not None:
        return child["default"]
    whole = converted["type"] == "object" and "properties" in converted and "required" not in converted
    return {} if whole and "anyOf" not in child else None


def _check(kept: dict[str, Any], node: dict[str, Any], where: str) -> None:
    kind = kept.get("type")
    if kind is None:
        raise SchemaError(f"{where}: no type")
    if kind == "number":
        raise SchemaError(f"{where}: floats do not belong in an API; use an integer or a string")
    if kind == "string" and "maxLength" not in kept and "enum" not in kept:
        raise SchemaError(f"{where}: a string needs max_length")
    if kind == "array" and ("maxItems" not in kept or "x-kubernetes-list-type" not in kept):
        raise SchemaError(f"{where}: a list needs max_length and a list type (LIST_SET, LIST_ATOMIC, list_map)")
    if kind == "object" and "properties" not in node and "maxProperties" not in kept:
        raise SchemaError(f"{where}: a map needs max_length")
    if node.get("uniqueItems"):
        raise SchemaError(f"{where}: uniqueItems is not structural; use LIST_SET")
