"""YAML to plain values, with the line of every field. Nothing is ever constructed but plain values.

PyYAML composes; the values are made here, so that they are what Kubernetes makes of the same text: no dates, no
base-60 numbers. libyaml does the parsing where PyYAML was built with it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import Resolver
from yaml.scanner import Scanner

#: Path to a field: keys, and positions in lists.
Path = tuple[str | int, ...]

#: More values than any honest document has; aliases can multiply without bounds.
MAX_VALUES = 200_000
_MAX_DEPTH = 64

_DOCUMENT = re.compile(r"^---(?=\s|$)[^\n]*\n?", re.MULTILINE)
_END = re.compile(r"^\.\.\.(?=\s|$)", re.MULTILINE)


class YamlError(ValueError):
    """Text that is not YAML, or too much of it. ``line`` counts from 1 within the document."""

    def __init__(self, problem: str, line: int) -> None:
        self.problem = problem
        self.line = line
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its text and how many lines stand before it."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Marked:
    """A value with the line (from 1) of every field in it."""

    value: Any
    lines: dict[Path, int] = field(repr=False)


def documents(text: str) -> Iterator[Document]:
    """The documents of a stream. A marker stands at the start of a line, where no block scalar can have it."""
    position = line = 0
    for match in _DOCUMENT.finditer(text):
        yield Document(text[position : match.start()], line)
        line += text.count("\n", position, match.start())
        # What follows the marker on its line belongs to the document; the marker itself is kept for the parser.
        position = match.start()
    yield Document(text[position:], line)


class _Resolver(Resolver):
    """Plain scalars as ``sigs.k8s.io/yaml`` reads them: YAML 1.1 without times and base-60 numbers."""


_Resolver.yaml_implicit_resolvers = {}
_Resolver.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
    list("yYnNtTfFoO"),
)
_Resolver.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$"),
    list("-+0123456789"),
)
_Resolver.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$"
        r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)
_Resolver.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Resolver.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])


class _PureLoader(Reader, Scanner, Parser, Composer, _Resolver):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        _Resolver.__init__(self)


def _loader() -> Any:
    try:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]
    except ImportError:
        return _PureLoader

    class Loader(CParser, _Resolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _Resolver.__init__(self)

    return Loader


_LOADER = _loader()


def parse(text: str) -> Marked | None:
    """The value of one document; None when there is nothing in it. Raises :class:`YamlError`."""
    try:
        node = _LOADER(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(error.problem or "not YAML", mark.line + 1 if mark else 1) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 1
        raise YamlError("a character that YAML does not allow", line) from error
    except RecursionError as error:
        raise YamlError("nested too deeply", 1) from error
    if node is None:
        return None
    maker = _Maker()
    return Marked(maker.make(node, (), 0), maker.lines)


class _Maker:
    """Makes the value of a composed node and notes the lines."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self._count = 0

    def make(self, node: Node, path: Path, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_VALUES or depth > _MAX_DEPTH:
            raise YamlError("nested too deeply, or multiplied by aliases", node.start_mark.line + 1)
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, SequenceNode):
            return [self.make(child, (*path, number), depth + 1) for number, child in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: MappingNode, path: Path, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise YamlError("a key that is no text", line)
            if key_node.tag == "tag:yaml.org,2002:merge":
                for part in _parts(value_node):
                    merged = {**self._mapping(part, path, depth + 1), **merged}
                continue
            key = _text(key_node)
            if key in made:
                raise YamlError(f"the key {key!r} is there twice", line)
            self.lines[*path, key] = line
            made[key] = self.make(value_node, (*path, key), depth + 1)
        return {**merged, **made} if merged else made


def _parts(node: Node) -> list[MappingNode]:
    parts = node.value if isinstance(node, SequenceNode) else [node]
    if not all(isinstance(part, MappingNode) for part in parts):
        raise YamlError("<< merges maps only", node.start_mark.line + 1)
    return list(parts)


def _text(node: Node) -> str:
    """The text of a scalar. Half a character, as an escape can write it, is nothing that JSON could hold."""
    text = str(node.value)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise YamlError("half a character", node.start_mark.line + 1)
    return text


_TRUE = {"y", "yes", "true", "on"}


def _scalar(node: Node) -> Any:
    text = _text(node)
    try:
        match node.tag:
            case "tag:yaml.org,2002:bool":
                return text.lower() in _TRUE
            case "tag:yaml.org,2002:int":
                return _number(text.replace("_", ""))
            case "tag:yaml.org,2002:float":
                return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
            case "tag:yaml.org,2002:null":
                return None
    except ValueError:
        return text
    return text


def _number(text: str) -> int | float:
    """An integer, or what Go makes of one that fits in no 64 bits."""
    value = _integer(text)
    return value if -(2**63) <= value < 2**64 else float(value)


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lower()
    if digits.startswith(("0b", "0o", "0x")):
        return sign * int(digits, 0)
    return sign * int(digits, 8 if len(digits) > 1 and digits.startswith("0") else 10)
