"""Machine-readable output: JSON, YAML, names."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from apiclients.cli.screens.text import write
from apiclients.kube.objects import JsonObject, ResourceType
from apiclients.resources.fields import format_duration, format_time
from apiclients.resources.yaml_text import dump


def to_json(value: Any) -> Any:
    """A view model as JSON: camelCase, RFC 3339; what is None is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((_camel(field.name), getattr(value, field.name)) for field in fields(value))
        return {name: to_json(part) for name, part in pairs if part is not None}
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Enum):
        return value.name.capitalize() if not value.value.isascii() else value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(part) for part in value]
    return value


def print_data(data: Any, output: str) -> None:
    """Print JSON data as json or yaml."""
    write(sys.stdout, render_data(data, output).rstrip("\n"))


def render_data(data: Any, output: str) -> str:
    """JSON data as json or yaml."""
    if output == "json":
        return json.dumps(data, indent=2, ensure_ascii=False)
    return dump(data)


def object_list(objects: Iterable[JsonObject]) -> JsonObject:
    """Objects as kubectl prints them: a List, without managedFields."""
    return {"apiVersion": "v1", "kind": "List", "items": [without_managed_fields(obj) for obj in objects]}


def without_managed_fields(obj: JsonObject) -> JsonObject:
    """An object without the bookkeeping of server-side apply."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def title(resource: ResourceType, name: str) -> str:
    """What ``-o name`` prints: ``apiclient.apiclients.dev/billing-1.0``."""
    return f"{resource.kind.lower()}.{resource.group}/{name}"


def _camel(name: str) -> str:
    head, *tail = name.rstrip("_").split("_")
    return head + "".join(part.capitalize() for part in tail)
