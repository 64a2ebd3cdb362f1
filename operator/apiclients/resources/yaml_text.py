"""YAML that people paste: the API server reads back what was meant, and not a number, a truth or a null.

What a plain scalar means is decided by ``sigs.k8s.io/yaml``, which is YAML 1.1 with the numbers of Go: ``6063e25`` and
``3.0`` are floats, ``0x1f`` and ``1_000`` integers, ``yes`` and ``y`` truths. So a text is written plain only if it
begins with a letter and is none of these words; all else is put in quotes.
"""

from collections.abc import Iterable
from typing import Any

#: In any case, to be on the safe side. ``~`` and ``<<`` begin with no letter.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"})
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
#: What can stand in a plain scalar anywhere, also within brackets.
_PLAIN = _LETTERS | frozenset("0123456789._/-")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
#: No line is folded: a long text is one line, as kubectl writes it.
_WIDTH = 2**31 - 1


def scalar(text: str) -> str:
    """A text as one YAML scalar, plain or in double quotes, for any place in a document."""
    if _reads_as_text(text) and _PLAIN.issuperset(text):
        return text
    return f'"{"".join(_escaped(character) for character in text)}"'


def flow_list(texts: Iterable[str]) -> str:
    """Texts as a list on one line: ``[billing, "3.0"]``."""
    return f"[{', '.join(map(scalar, texts))}]"


def dump(data: Any, *, on_one_line: bool = False) -> str:
    """JSON data as a YAML document, in the order that it has; ends with a line break."""
    import yaml  # only where it is asked for

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - kubectl shows none either
            return True

    Dumper.add_representer(
        str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))
    )
    text = yaml.dump(
        data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=on_one_line
    )
    return str(text)


def _reads_as_text(text: str) -> bool:
    return text[:1] in _LETTERS and text.lower() not in _WORDS


def _style(text: str) -> str | None:
    """The style of a text in a document; None leaves to PyYAML whether its characters allow a plain one."""
    if not _reads_as_text(text):
        return '"'
    lines = text.split("\n")
    if len(lines) > 1:
        return "|" if all(line == line.rstrip() and line.isprintable() for line in lines) else '"'
    return None if text.isprintable() else '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if character.isprintable() and code <= 0xFFFF:
        return character
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
