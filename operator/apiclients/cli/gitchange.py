"""The change to make in Git: finds the file that declares a client, and edits it as a person would: few lines.

Comments, order and style of the file stay. What cannot be edited safely is not edited.
"""

import difflib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from apiclients.cli.errors import CliError
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.names import GROUP

_SUFFIXES = (".yaml", ".yml")
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "vendor"})
_MOST_FILES = 50_000
_MOST_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Declared:
    """A file that declares the client, and its spec in there."""

    path: Path
    text: str
    spec: MappingNode


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def find(root: Path, namespace: str, name: str) -> list[Declared]:
    """The places below ``root`` (a folder or a file) that declare the client. Raises CliError if it is not there."""
    if not root.exists():
        raise CliError(f"{root} is not there: name the folder of your Git repository with --filename")
    found: list[Declared] = []
    for number, path in enumerate(_files(root)):
        if number > _MOST_FILES:
            raise CliError(f"{root} holds too many files: name the folder or file that declares {name} with --filename")
        found += _declarations(path, namespace, name)
    return found


def changed(declared: Declared, desired: DesiredStatus, acknowledge: Collection[str]) -> str:
    """The text of the file with the wish, and with these contracts acknowledged. Raises CliError if that cannot be."""
    edits = [*_desire(declared, desired), *_acknowledge(declared, acknowledge)]
    text = declared.text
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def diff(declared: Declared, after: str) -> str:
    """A unified diff that ``git apply`` takes; the path is that within the repository."""
    path = _in_repository(declared.path)
    lines = difflib.unified_diff(
        declared.text.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _SKIPPED_FOLDERS)
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(_SUFFIXES))


def _declarations(path: Path, namespace: str, name: str) -> list[Declared]:
    """What a file declares; files that are no YAML (templates) or not readable declare nothing."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return []
        text = path.read_bytes().decode()
        if GROUP not in text or name not in text:
            return []
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return []
    specs = (_spec_of(node, namespace, name) for node in nodes)
    return [Declared(path, text, spec) for spec in specs if spec is not None]


def _spec_of(node: Node | None, namespace: str, name: str) -> MappingNode | None:
    metadata = _value(node, "metadata")
    place = _scalar(_value(metadata, "namespace"))
    api = _scalar(_value(node, "apiVersion")) or ""
    matches = (
        _scalar(_value(node, "kind")) == "ApiClient"
        and api.startswith(f"{GROUP}/")
        and _scalar(_value(metadata, "name")) == name
        and place in (None, namespace)
    )
    spec = _value(node, "spec")
    return spec if matches and isinstance(spec, MappingNode) else None


def _desire(declared: Declared, desired: DesiredStatus) -> list[_Edit]:
    node = _value(declared.spec, "desiredStatus")
    if not isinstance(node, ScalarNode):
        raise CliError(f"{declared.path} has no plain spec.desiredStatus: change it by hand to {desired}")
    if node.value == desired:
        return []
    return [_Edit(node.start_mark.index, node.end_mark.index, desired)]


def _acknowledge(declared: Declared, names: Collection[str]) -> list[_Edit]:
    spec, retirement = declared.spec, _value(declared.spec, "retirement")
    known = _value(retirement, "acknowledgedContracts")
    missing = sorted(set(names) - _items(known))
    if not missing:
        return []
    text = ", ".join(missing)
    if isinstance(known, SequenceNode):
        return [_appended(known, missing)]
    if retirement is None:
        return [_beside_desire(declared.text, spec, f"[{text}]")]
    if isinstance(retirement, MappingNode) and known is None:
        return [_first_in(retirement, f"acknowledgedContracts: [{text}]")]
    raise CliError(f"{declared.path} has a spec.retirement that cannot be edited: add acknowledgedContracts: [{text}]")


def _appended(known: SequenceNode, missing: list[str]) -> _Edit:
    if known.flow_style:
        position = known.end_mark.index - 1
        return _Edit(position, position, (", " if known.value else "") + ", ".join(missing))
    position, column = known.value[-1].end_mark.index, known.start_mark.column
    return _Edit(position, position, "".join(f"\n{' ' * column}- {name}" for name in missing))


def _beside_desire(text: str, spec: MappingNode, names: str) -> _Edit:
    key, value = next((k, v) for k, v in spec.value if k.value == "desiredStatus")
    if spec.flow_style:
        position = value.end_mark.index
        return _Edit(position, position, f", retirement: {{acknowledgedContracts: {names}}}")
    position = text.find("\n", value.end_mark.index)
    position = len(text) if position < 0 else position
    indent = " " * key.start_mark.column
    return _Edit(position, position, f"\n{indent}retirement:\n{indent}  acknowledgedContracts: {names}")


def _first_in(mapping: MappingNode, line: str) -> _Edit:
    if mapping.flow_style:
        position = mapping.start_mark.index + 1
        return _Edit(position, position, line + (", " if mapping.value else ""))
    position = mapping.start_mark.index
    return _Edit(position, position, f"{line}\n{' ' * mapping.start_mark.column}")


def _value(node: Node | None, key: str) -> Any:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _scalar(node: Node | None) -> str | None:
    return str(node.value) if isinstance(node, ScalarNode) else None


def _items(node: Node | None) -> set[str]:
    return {str(item.value) for item in node.value} if isinstance(node, SequenceNode) else set()


def _in_repository(path: Path) -> str:
    absolute = path.resolve()
    root = next((folder for folder in absolute.parents if (folder / ".git").exists()), Path.cwd())
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else path.as_posix()
