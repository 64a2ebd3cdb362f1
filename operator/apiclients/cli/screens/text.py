"""Text on a terminal: colour, ages, tables, wrapping."""

import os
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TextIO

NONE = "<none>"
UNKNOWN = "<unknown>"

_ESCAPES = re.compile("\x1b\\[[0-9;]*m")
#: Control characters but tab and line feed, and characters that are invisible or change the direction of text:
#: U+061C, U+200B, U+200E, U+200F, U+202A-202E, U+2060-2064, U+2066-2069, U+FEFF, and tags (U+E0000-E007F).
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
    r"\U000e0000-\U000e007f]"
)
#: A byte of a file name that is not UTF-8 (PEP 383), which cannot be written as UTF-8.
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ASCII = str.maketrans(
    {"✔": "+", "✖": "x", "◷": "~", "●": "*", "├": "|", "└": "`", "│": "|", "─": "-", "→": ">", "…": "~"}
)


class Mark(StrEnum):
    """How something stands, as an icon in a column of its own."""

    GOOD = "✔"
    WAITS = "◷"
    BAD = "✖"
    PLAIN = "●"


@dataclass(frozen=True, slots=True)
class Style:
    """Whether to colour, and how wide a screen is."""

    color: bool = False
    width: int = 100

    def bold(self, text: str) -> str:
        """Headings and names."""
        return self._in("1", text)

    def dim(self, text: str) -> str:
        """What matters less."""
        return self._in("2", text)

    def mark(self, mark: Mark) -> str:
        """An icon in its colour."""
        return self._in({Mark.GOOD: "32", Mark.WAITS: "33", Mark.BAD: "31", Mark.PLAIN: "36"}[mark], mark)

    def marked(self, mark: Mark, text: str) -> str:
        """Text in the colour of an icon."""
        return self._in({Mark.GOOD: "32", Mark.WAITS: "33", Mark.BAD: "31", Mark.PLAIN: "36"}[mark], text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text


def style_for(stream: TextIO, choice: str) -> Style:
    """The style for a stream; ``choice`` is auto, always or never. Width: COLUMNS, the terminal's, or 100."""
    terminal = stream.isatty()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    color = choice == "always" or (choice == "auto" and terminal and not plain)
    return Style(color, _width(stream, terminal))


def _width(stream: TextIO, terminal: bool) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        return max(60, int(columns))
    if terminal:
        try:
            return max(60, os.get_terminal_size(stream.fileno()).columns)
        except OSError:
            pass
    return 100


def write(stream: TextIO, text: str) -> None:
    """Write text and a line break, in ASCII where the stream cannot show more."""
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        text = text.translate(_ASCII).encode("ascii", "replace").decode()
    stream.write(text + "\n")
    stream.flush()


def clean(text: str) -> str:
    """Text of others on one line, without control characters that could move the cursor or hide something."""
    return harmless(" ".join(text.split()))


def harmless(text: str) -> str:
    """The same, with its spaces and lines as they are."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def visible(text: str) -> int:
    """How many columns a text takes."""
    return len(_ESCAPES.sub("", text))


def span(value: timedelta) -> str:
    """A length of time in one or two units, as kubectl writes ages: 45s, 12m, 5h30m, 3d4h, 64d."""
    seconds = max(0, int(value.total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d")


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"


def age(time: datetime | None, now: datetime) -> str:
    """How long ago something was."""
    return span(now - time) if time is not None else UNKNOWN


def until(time: datetime, now: datetime) -> str:
    """``in 3d`` or ``3d ago``."""
    return f"in {span(time - now)}" if time > now else f"{span(now - time)} ago"


def last_used(time: datetime | None, now: datetime) -> str:
    """How long ago something was used, which is known to the hour: ``3h``, ``<1h``, or that it never was."""
    if time is None:
        return "never"
    return "<1h" if now - time < timedelta(hours=1) else age(time, now)


def table(rows: Sequence[Sequence[str]], *, indent: str = "", gap: int = 3) -> list[str]:
    """Lines with aligned columns; the last column is not padded."""
    if not rows:
        return []
    widths = [max(visible(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [indent + _row(row, widths, gap) for row in rows]


def _row(row: Sequence[str], widths: Sequence[int], gap: int) -> str:
    cells = [cell + " " * (width - visible(cell) + gap) for cell, width in zip(row, widths, strict=True)]
    return "".join(cells).rstrip()


def wrap(text: str, width: int, *, first: str = "", rest: str | None = None) -> list[str]:
    """A paragraph as lines of at most ``width`` columns; words are never broken. ``first`` may hold colour."""
    margin = visible(first)
    hanging = rest if rest is not None else " " * margin
    lines = textwrap.wrap(
        text,
        width=max(20, width),
        initial_indent=" " * margin,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [first + lines[0][margin:], *lines[1:]] if lines else [first.rstrip()] if first.strip() else []


def joined(lines: Iterable[str]) -> str:
    """Lines as one text, without spaces at their ends."""
    return "\n".join(line.rstrip() for line in lines)
