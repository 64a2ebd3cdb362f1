"""The change to make in Git: finds the file that declares an object, and edits it as a person would: few lines.

Comments, order and style of the file stay. What cannot be edited safely is not edited.
"""

import difflib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from apiclients.cli.errors import CliError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.objects import ResourceType
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.approval import Decision
from apiclients.resources.names import GROUP
from apiclients.resources.yaml_text import flow_list, scalar

_SUFFIXES = (".yaml", ".yml")
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "vendor"})
_MOST_FILES = 50_000
_MOST_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Declared:
    """A file that declares the object, and its spec in there."""

    path: Path
    text: str
    spec: MappingNode
    #: None: whoever applies it says where.
    namespace: str | None

    @property
    def cautions(self) -> list[str]:
        """What somebody has to know who changes it."""
        if self.namespace is not None:
            return []
        return [
            f"{self.path} names no namespace: where it is applied to several, by overlays, this changes all of them"
        ]


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def find(root: Path, namespace: str, name: str, resource: ResourceType = API_CLIENTS) -> list[Declared]:
    """The places below ``root`` (a folder or a file) that declare the object. Raises CliError if it is not there."""
    if not root.exists():
        raise CliError(f"{root} is not there: name the folder of your Git repository with --filename")
    found: list[Declared] = []
    for number, path in enumerate(_files(root)):
        if number > _MOST_FILES:
            raise CliError(f"{root} holds too many files: name the folder or file that declares {name} with --filename")
        found += _declarations(path, namespace, name, resource)
    return found


def changed(declared: Declared, desired: DesiredStatus, acknowledge: Collection[str]) -> str:
    """The text of the file with the desired status and these contracts acknowledged. Raises CliError."""
    return _edited(declared, [*_set(declared, "desiredStatus", desired), *_acknowledge(declared, acknowledge)])


def decided(declared: Declared, decision: Decision, reason: str | None) -> str:
    """The text of the file with another decision of a ContractApproval; no reason keeps that of the file.

    Raises CliError.
    """
    edits = _set(declared, "decision", decision)
    if reason is not None and _value(declared.spec, "reason") is not None:
        edits += _set(declared, "reason", reason)
    elif reason is not None:
        field = f"reason: {scalar(reason)}"
        edits.append(_after(declared, "decision", field, (field,)))
    return _edited(declared, edits)


def replanned(declared: Declared, plan: str) -> str:
    """The text of the file with another plan of a Contract. Raises CliError."""
    return _edited(declared, _set(declared, "plan", plan))


def revised(declared: Declared, revision: int) -> str:
    """The text of the file with another ``spec.secret.revision``, which asks for a new secret. Raises CliError."""
    return _edited(declared, [_revise(declared, revision)])


def _revise(declared: Declared, revision: int) -> _Edit:
    secret = _value(declared.spec, "secret")
    known, line = _value(secret, "revision"), f"revision: {revision}"
    if secret is None:
        return _after(declared, "desiredStatus", f"secret: {{{line}}}", ("secret:", f"  {line}"))
    if isinstance(known, ScalarNode):
        return _Edit(known.start_mark.index, known.end_mark.index, str(revision))
    if isinstance(secret, MappingNode) and known is None:
        return _first_in(secret, line)
    raise CliError(f"{declared.path} has a spec.secret that cannot be edited: add {line}")


def _edited(declared: Declared, edits: Iterable[_Edit]) -> str:
    text = declared.text
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def diff(declared: Declared, after: str) -> str:
    """A unified diff that ``git apply`` takes; the path is that within the repository."""
    return _unified(declared, after, f"b/{_in_repository(declared.path)}")


def removal(declared: Declared) -> str:
    """The same for a file that goes, with all that is in it."""
    return _unified(declared, "", "/dev/null")


def _unified(declared: Declared, after: str, name_after: str) -> str:
    lines = difflib.unified_diff(
        declared.text.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"a/{_in_repository(declared.path)}",
        name_after,
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _SKIPPED_FOLDERS)
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(_SUFFIXES))


def _declarations(path: Path, namespace: str, name: str, resource: ResourceType) -> list[Declared]:
    """What a file declares; files that are no YAML (templates) or not readable declare nothing."""
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:  # reading a FIFO blocks
            return []
        text = path.read_bytes().decode()
        if GROUP not in text or name not in text:
            return []
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return []
    specs = ((_spec_of(node, namespace, name, resource.kind), _namespace_of(node)) for node in nodes)
    return [Declared(path, text, spec, place) for spec, place in specs if spec is not None]


def _namespace_of(node: Node | None) -> str | None:
    return _scalar(_value(_value(node, "metadata"), "namespace"))


def _spec_of(node: Node | None, namespace: str, name: str, kind: str) -> MappingNode | None:
    metadata = _value(node, "metadata")
    api = _scalar(_value(node, "apiVersion")) or ""
    matches = (
        _scalar(_value(node, "kind")) == kind
        and api.startswith(f"{GROUP}/")
        and _scalar(_value(metadata, "name")) == name
        and _namespace_of(node) in (None, namespace)
    )
    spec = _value(node, "spec")
    return spec if matches and isinstance(spec, MappingNode) else None


def _set(declared: Declared, key: str, value: str) -> list[_Edit]:
    node = _value(declared.spec, key)
    if not isinstance(node, ScalarNode):
        raise CliError(f"{declared.path} has no plain spec.{key}: change it by hand to {value}")
    if node.value == value:
        return []
    start, end = node.start_mark.index, node.end_mark.index
    line_break = "\n" if declared.text[start:end].endswith("\n") else ""  # a block scalar holds that of its last line
    return [_Edit(start, end, scalar(value) + line_break)]


def _acknowledge(declared: Declared, names: Collection[str]) -> list[_Edit]:
    retirement = _value(declared.spec, "retirement")
    known = _value(retirement, "acknowledgedContracts")
    missing = sorted(set(names) - _items(known))
    if not missing:
        return []
    listed = flow_list(missing)
    if isinstance(known, SequenceNode):
        return [_appended(declared.text, known, missing)]
    if retirement is None:
        block = ("retirement:", f"  acknowledgedContracts: {listed}")
        return [_after(declared, "desiredStatus", f"retirement: {{acknowledgedContracts: {listed}}}", block)]
    if isinstance(retirement, MappingNode) and known is None:
        return [_first_in(retirement, f"acknowledgedContracts: {listed}")]
    raise CliError(f"{declared.path} has a spec.retirement that cannot be edited: add acknowledgedContracts: {listed}")


def _appended(text: str, known: SequenceNode, missing: list[str]) -> _Edit:
    if known.flow_style:
        position = known.end_mark.index - 1
        goes_on = bool(known.value) and not text[known.value[-1].end_mark.index :].lstrip().startswith(",")
        return _Edit(position, position, (", " if goes_on else "") + ", ".join(map(scalar, missing)))
    position, column = _line_end(text, known.value[-1]), known.start_mark.column
    return _Edit(position, position, "".join(f"\n{' ' * column}- {scalar(name)}" for name in missing))


def _after(declared: Declared, key: str, flow: str, block: Iterable[str]) -> _Edit:
    """A further field of spec after one that is there, in the style of spec."""
    found = next(((k, v) for k, v in declared.spec.value if k.value == key), None)
    if found is None:
        raise CliError(f"{declared.path} has no spec.{key}: add {flow} to spec by hand")
    name, value = found
    if declared.spec.flow_style:
        return _Edit(value.end_mark.index, value.end_mark.index, f", {flow}")
    position = _line_end(declared.text, value)
    indent = " " * name.start_mark.column
    return _Edit(position, position, "".join(f"\n{indent}{line}" for line in block))


def _line_end(text: str, node: Node) -> int:
    """Where the last line of a node ends, with the comment that stands there."""
    end = node.end_mark.index
    if text[node.start_mark.index : end].endswith("\n"):  # a block scalar holds the break of its last line
        return end - 1
    position = text.find("\n", end)
    return len(text) if position < 0 else position


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
