"""What ``values.yaml`` says, as a JSON schema that helm checks, and as the table of the chart's README."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

#: Maps that Kubernetes defines, not this chart: anything may be in them.
_OPEN = {"podSecurityContext", "containerSecurityContext", "resources", "labels"}
_ENUMS = {
    "pullPolicy": ["Always", "IfNotPresent", "Never"],
    "trafficDistribution": ["", "PreferClose", "PreferSameZone", "PreferSameNode"],
}
#: Values of which Kubernetes takes more than the type of the default.
_MIXED: dict[str, list[str]] = {"maxUnavailable": ["integer", "string"]}
#: The API server makes no token for a shorter time.
_MINIMA = {"expirationSeconds": 600, "replicas": 0, "minReplicas": 1, "maxReplicas": 1}
_PATTERNS = {"digest": "^(sha256:[0-9a-f]{64})?$", "issuer": "^(https?://[^ ?#]*[^/ ?#])?$"}
_TYPES = {"str": "string", "bool": "boolean", "int": "integer", "seq": "array", "map": "object"}


@dataclass(frozen=True, slots=True)
class Value:
    """One value: where it stands, what its comment says, and its default."""

    path: tuple[str, ...]
    description: str
    node: yaml.Node

    @property
    def type(self) -> str:
        """Its type in JSON schema."""
        return _TYPES[self.node.tag.rpartition(":")[2]]

    @property
    def is_leaf(self) -> bool:
        """Whether it is set as a whole, not part by part."""
        return not isinstance(self.node, yaml.MappingNode) or not self.node.value or self.path[-1] in _OPEN


def read(text: str) -> list[Value]:
    """All values, in the order of the file. A comment directly above a key describes it.

    Raises ValueError for a value without: people read the table, not the templates.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    found = list(_walk(root, (), text.splitlines()))
    if bare := [".".join(value.path) for value in found if value.is_leaf and not value.description]:
        raise ValueError(f"values.yaml: write a comment above {', '.join(bare)}")
    return found


def _walk(mapping: yaml.MappingNode, path: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for key, node in mapping.value:
        value = Value((*path, key.value), _comment(lines, key.start_mark.line), node)
        yield value
        if not value.is_leaf:
            yield from _walk(node, value.path, lines)


def _comment(lines: list[str], number: int) -> str:
    found: list[str] = []
    while number > 0 and lines[number - 1].lstrip().startswith("#"):
        number -= 1
        found.insert(0, lines[number].lstrip().removeprefix("#").strip())
    return " ".join(found)


def schema(values: list[Value]) -> str:
    """The JSON schema: a misspelled value is refused before anything is installed."""
    root: dict[str, object] = {"$schema": "https://json-schema.org/draft-07/schema#", "type": "object"}
    properties: dict[tuple[str, ...], dict[str, object]] = {(): {}}
    root["additionalProperties"], root["properties"] = False, properties[()]
    properties[()]["global"] = {"type": "object"}  # helm puts it there for subcharts
    for value in values:
        found: dict[str, object] = {"type": _MIXED.get(value.path[-1], value.type)}
        if value.description:
            found["description"] = value.description
        name = value.path[-1]
        if name in _ENUMS:
            found["enum"] = _ENUMS[name]
        if name in _MINIMA:
            found["minimum"] = _MINIMA[name]
        if name in _PATTERNS:
            found["pattern"] = _PATTERNS[name]
        if not value.is_leaf:
            properties[value.path] = {}
            found |= {"additionalProperties": False, "properties": properties[value.path]}
        properties[value.path[:-1]][name] = found
    return json.dumps(root, indent=2) + "\n"


def table(values: list[Value]) -> str:
    """The rows of the README."""
    rows = [
        f"| `{'.'.join(value.path)}` | {_default(value)} | {value.description} |" for value in values if value.is_leaf
    ]
    return "\n".join(["| value | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def _default(value: Value) -> str:
    text = yaml.safe_dump(_plain(value.node), default_flow_style=True, width=10_000).strip().removesuffix("\n...")
    return f"`{text}`"


def _plain(node: yaml.Node) -> object:
    return yaml.safe_load(yaml.serialize(node))
