"""Generates ``docs/reference.md``: every field, condition and reason, from the models.

``python -m apiclients.resources.reference docs/reference.md`` writes it; ``--check`` only compares.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apiclients.resources.conditions import CONDITIONS
from apiclients.resources.crd import CRD_KINDS, Kind
from apiclients.resources.fields import DURATION_BOUNDS
from apiclients.resources.names import API_VERSION
from apiclients.resources.reasons import REASONS
from apiclients.resources.schema import annotated_schema

_HEAD = f"""\
# Reference of `{API_VERSION}`

Generated from the models by `make generate`; `kubectl explain` shows the same. What the fields are for is told on the
pages of the kinds.
"""


def reference() -> str:
    """The whole page."""
    kinds = "\n".join(_kind(kind) for kind in CRD_KINDS)
    conditions = _table(("condition", "True means"), [(f"`{kind}`", text) for kind, text in CONDITIONS.items()])
    reasons = _table(("reason", "means"), [(f"`{reason}`", REASONS[reason].message) for reason in sorted(REASONS)])
    return f"{_HEAD}\n{kinds}\n## Conditions\n\n{conditions}\n## Reasons\n\n{reasons}"


def _kind(kind: Kind) -> str:
    parts = [f"## {kind.kind}\n\n{kind.description}\n"]
    for part, model in (("spec", kind.spec), ("status", kind.status)):
        if model is None:
            continue
        rows = [row for row in _rows(annotated_schema(model), part) if not row[0].startswith("`status.conditions[]")]
        parts.append(_table(("field", "type", "default", "meaning"), rows))
    return "\n".join(parts)


def _rows(schema: dict[str, Any], where: str) -> Iterator[tuple[str, ...]]:
    required = set(schema.get("required", ()))
    for name, node in schema.get("properties", {}).items():
        path = f"{where}.{name}"
        default = "required" if name in required and where == "spec" else _default(node)
        yield f"`{path}`", _type(node), default, _text(node["description"])
        yield from _rows(node.get("items", node), f"{path}[]" if node["type"] == "array" else path)


def _type(node: dict[str, Any]) -> str:
    if "enum" in node:
        return " \\| ".join(str(value) for value in node["enum"])
    if node["type"] == "array":
        item = node["items"].get("format") or node["items"]["type"]
        return f"list of {item}, at most {node['maxItems']}"
    if "additionalProperties" in node:
        return f"map, at most {node['maxProperties']}"
    if DURATION_BOUNDS in node:
        minimum, maximum = node[DURATION_BOUNDS]
        return f"duration between {minimum} and {maximum}"
    return node.get("format") or str(node["type"])


def _default(node: dict[str, Any]) -> str:
    value = node.get("default")
    return f"`{value}`" if value not in (None, {}, "") else ""


def _text(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m apiclients.resources.reference", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the file is stale")
    args = parser.parse_args(argv)
    if not args.check:
        args.file.write_text(reference())
    elif not args.file.is_file() or args.file.read_text() != reference():
        print(f"{args.file} is not what the models say: run `make generate`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
