"""Turns a pydantic model into a structural schema (apiextensions.k8s.io/v1).

Pydantic emits JSON Schema that a CustomResourceDefinition may not hold: ``$ref`` and ``$defs``, ``anyOf`` with null
for optional fields, ``title``, ``const``, ``null`` defaults. This converter removes them and fails loudly on anything
else that Kubernetes would refuse or that would merge or cost without bounds.

It also leaves out defaults inside lists. kubectl and Argo CD compare a list as a whole with what was applied, so a
field that the API server adds to an item is a difference that never ends. Such a default is the model's alone.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from apiclients.resources.fields import DURATION_BOUNDS, Model, format_duration

_STRUCTURE = ("type", "description", "enum", "x-kubernetes-list-type", "x-kubernetes-list-map-keys")
_VALUES = (
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
#: Where the schema of a map has the bounds of its keys.
KEY_BOUNDS = "x-key-bounds"


class SchemaError(TypeError):
    """A model has something that a structural schema cannot say. The message names the field."""


class _Generate(GenerateJsonSchema):
    """Pydantic's generator, with durations as Kubernetes writes them."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def structural_schema(model: type[Model]) -> dict[str, Any]:
    """The structural schema of a model with the bounds of values, as a CRD has it. Raises :class:`SchemaError`."""
    return _schema(model, (*_STRUCTURE, *_VALUES))


def structure(model: type[Model]) -> dict[str, Any]:
    """The same without the bounds of values, as a CRD has it of what people edit. Raises :class:`SchemaError`."""
    return _schema(model, _STRUCTURE)


def annotated_schema(model: type[Model]) -> dict[str, Any]:
    """The same with the bounds of durations (``DURATION_BOUNDS``) and of keys (``KEY_BOUNDS``) as data."""
    return _schema(model, (*_STRUCTURE, *_VALUES, DURATION_BOUNDS, KEY_BOUNDS))


def _schema(model: type[Model], kept: tuple[str, ...]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generate)
    return _Converter(schema.get("$defs", {}), kept).convert(schema, model.__name__)


@dataclass(frozen=True, slots=True)
class _Converter:
    """Converts the schema of one model; ``kept`` are the keys that stay."""

    defs: dict[str, Any]
    kept: tuple[str, ...]

    def convert(self, node: dict[str, Any], where: str, *, in_list: bool = False) -> dict[str, Any]:
        node = _resolve(node, self.defs, where)
        if "propertyNames" in node:
            node[KEY_BOUNDS] = node["propertyNames"]
        kept = {key: node[key] for key in self.kept if key in node}
        if "const" in node:
            kept["enum"] = [node["const"]]
        _check(node, where)
        if node["type"] == "object":
            kept |= self._object_parts(node, where, in_list=in_list)
        if node["type"] == "array":
            kept["items"] = self.convert(node["items"], f"{where}[]", in_list=True)
        return kept

    def _object_parts(self, node: dict[str, Any], where: str, *, in_list: bool) -> dict[str, Any]:
        if "properties" not in node:
            return {"additionalProperties": self.convert(node["additionalProperties"], f"{where}.*", in_list=in_list)}
        if not node["properties"]:
            return {}  # as the API server keeps it, or what is installed would differ
        parts: dict[str, Any] = {"properties": {}}
        if node.get("required"):
            parts["required"] = list(node["required"])
        for name, child in node["properties"].items():
            converted = self.convert(child, f"{where}.{name}", in_list=in_list)
            may_have_default = not in_list and name not in node.get("required", [])
            default = _default(child, converted) if may_have_default else None
            parts["properties"][name] = converted | ({"default": default} if default is not None else {})
        return parts


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


def _default(child: dict[str, Any], converted: dict[str, Any]) -> Any:
    """Constants become CRD defaults. An object with no required field defaults to {}, so that those below apply."""
    if child.get("default") is not None:
        return child["default"]
    whole = converted["type"] == "object" and "properties" in converted and "required" not in converted
    return {} if whole and "anyOf" not in child else None


def _check(node: dict[str, Any], where: str) -> None:
    kind = node.get("type")
    if kind is None:
        raise SchemaError(f"{where}: no type")
    if kind == "number":
        raise SchemaError(f"{where}: floats do not belong in an API; use an integer or a string")
    if kind == "string" and not {"maxLength", "enum", "const"} & node.keys():
        raise SchemaError(f"{where}: a string needs max_length")
    if kind == "array" and ("maxItems" not in node or "x-kubernetes-list-type" not in node):
        raise SchemaError(f"{where}: a list needs max_length and a list type (LIST_SET, LIST_ATOMIC, list_map)")
    if kind == "object" and "properties" not in node and "maxProperties" not in node:
        raise SchemaError(f"{where}: a map needs max_length")
    if node.get("uniqueItems"):
        raise SchemaError(f"{where}: uniqueItems is not structural; use LIST_SET")
