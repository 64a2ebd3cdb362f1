"""What a program printed on a terminal, colours included, as a picture of that terminal."""

import re
from collections.abc import Iterator

from demo.pictures.svg import Span, box, page, text

_BACK, _BAR, _INK = "#0d1117", "#161b22", "#e6edf3"
_COLORS = {"31": "#ff7b72", "32": "#3fb950", "33": "#d29922", "36": "#39c5cf", "2": "#8b949e"}
_SIZE, _LEADING, _MARGIN, _TOP = 13.0, 19.0, 18.0, 40.0
_ESCAPE = re.compile("\x1b\\[([0-9;]*)m")


def render(printed: str, command: str) -> str:
    """The picture of a terminal in which ``command`` printed that."""
    lines = [[Span(f"$ {command}", _SIZE, _INK, bold=True, mono=True)], *map(_spans, printed.rstrip().split("\n"))]
    width = max(sum(span.width for span in line) for line in lines) + 2 * _MARGIN
    height = _TOP + len(lines) * _LEADING + _MARGIN
    frame = [box(0.5, 0.5, width - 1, height - 1, fill=_BACK, radius=8, line="#30363d")]
    dots = ("#ff5f57", "#febc2e", "#28c840")
    frame += [f'<circle cx="{18 + 18 * n}" cy="18" r="6" fill="{color}"/>' for n, color in enumerate(dots)]
    rows = (row for number, line in enumerate(lines) for row in _row(line, _TOP + _LEADING * (number + 0.7)))
    return page([*frame, *rows], round(width), round(height), command)


def _row(line: list[Span], y: float) -> Iterator[str]:
    x = _MARGIN
    for span in line:
        # Spaces are moved over, not drawn: fonts differ in how they show many of them.
        start = len(span.text) - len(span.text.lstrip(" "))
        shown = span.with_text(span.text.strip(" "))
        yield text(shown, x + span.with_text(" " * start).width, y)
        x += span.width


def _spans(line: str) -> list[Span]:
    """A line in pieces of one colour; runs of spaces part them, so that columns stay columns."""
    found, color, bold = [], _INK, False
    for number, part in enumerate(_ESCAPE.split(line)):
        if number % 2:
            bold = part == "1"
            color = _COLORS.get(part, _INK)
        else:
            pieces = re.split(r"(?<=\s)(?=\S)(?<=\s\s)", part)
            found += [Span(piece, _SIZE, color, bold=bold, mono=True) for piece in pieces if piece]
    return found
