"""A comment of a pull request, from its Markdown, as a forge shows it: what is folded stays folded."""

import re
from collections.abc import Iterator, Sequence
from html import unescape

from markdown_it import MarkdownIt
from markdown_it.token import Token

from demo.pictures.svg import FAINT, INK, LINE, PAPER, SHADE, Span, box, page, text

_WIDTH, _MARGIN, _LEADING, _BAR = 900.0, 24.0, 21.0, 40.0
_ICONS = {"🟥": "#d1242f", "🟧": "#e16f24", "🟦": "#0969da", "⬜": "#d1d9e0"}
_GLYPHS = {"❌": ("✖", "#d1242f"), "⚠": ("⚠", "#9a6700"), "ℹ": ("ℹ", "#0969da"), "✅": ("✔", "#1a7f37")}
_ICON = re.compile(f"([{''.join((*_ICONS, *_GLYPHS))}])\ufe0f?")
_SUMMARY = re.compile(r"<details( open)?><summary>(.*)</summary>")


def render(markdown: str, author: str) -> str:
    """The picture of a comment by ``author``."""
    return _Comment().picture(markdown, author)


class _Comment:
    """Lays a comment out from top to bottom."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.y = _BAR + 10
        self.left = _MARGIN
        self._folded = False

    def picture(self, markdown: str, author: str) -> str:
        tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
        number = 0
        while number < len(tokens):
            number = self._block(tokens, number)
        height = self.y + _MARGIN / 2
        frame = [
            box(0.5, 0.5, _WIDTH - 1, height - 1, fill=PAPER, radius=6, line=LINE),
            box(0.5, 0.5, _WIDTH - 1, _BAR, fill=SHADE, radius=6, line=LINE),
            text(Span(author, bold=True), _MARGIN, 26),
            text(Span("commented on the pull request", color=FAINT), _MARGIN + Span(author, bold=True).width + 6, 26),
        ]
        return page([*frame, *self.parts], _WIDTH, round(height), f"{author} commented on the pull request")

    def _block(self, tokens: Sequence[Token], number: int) -> int:
        """Lay out the block that begins here; returns where the next one begins."""
        token = tokens[number]
        if token.type == "html_block":
            self._html(token.content)
        elif self._folded:
            pass
        elif token.type == "table_open":
            end = next(n for n in range(number, len(tokens)) if tokens[n].type == "table_close")
            self._table(tokens[number:end])
            return end + 1
        elif token.type == "fence":
            self._fence(token.content.rstrip().split("\n"))
        elif token.type == "inline":
            self._inline(token, tokens[number - 1])
        elif token.type in ("bullet_list_open", "blockquote_open"):
            self.left += 20
        elif token.type in ("bullet_list_close", "blockquote_close"):
            self.left -= 20
            self.y += 6
        return number + 1

    def _html(self, html: str) -> None:
        opened = _SUMMARY.search(html)
        if opened is not None:
            self._folded = opened[1] is None
            sign = Span("▶" if self._folded else "▼", 10, mono=True)
            self.y += _LEADING
            self.parts.append(text(sign, self.left, self.y))
            self.y = self._flow([Span(unescape(opened[2]))], self.left + 16, self.y) + 6
            self.left += 0 if self._folded else 16
        elif "</details>" in html:
            self.left -= 0 if self._folded else 16
            self._folded = False

    def _inline(self, token: Token, around: Token) -> None:
        heading = around.type == "heading_open"
        size = {"h3": 18.0, "h4": 15.0}.get(around.tag, 14.0)
        quoted = around.type == "paragraph_open" and around.level == 1 and not around.hidden
        self.y += _LEADING + (8 if heading else 0)
        if around.hidden:
            self.parts.append(f'<circle cx="{self.left - 10:.1f}" cy="{self.y - 5:.1f}" r="2.5" fill="{INK}"/>')
        top = self.y - 15
        for line in _lines(token, size, bold=heading, color=FAINT if quoted else INK):
            self.y = self._flow(line, self.left, self.y) + _LEADING
        self.y -= _LEADING
        if quoted:
            self.parts.append(box(self.left - 14, top, 3, self.y - top + 6, fill=LINE))
        self.y += 0 if around.hidden else 8

    def _fence(self, lines: Sequence[str]) -> None:
        self.y += 10
        self.parts.append(
            box(self.left, self.y, _WIDTH - _MARGIN - self.left, 18 * len(lines) + 20, fill=SHADE, radius=6)
        )
        self.y += 6
        for line in lines:
            self.y += 18
            indent = len(line) - len(line.lstrip())
            x = self.left + 14 + Span(" " * indent, 12.5, mono=True).width
            self.parts.append(text(Span(line.strip(), 12.5, mono=True), x, self.y))
        self.y += 16

    def _table(self, tokens: Sequence[Token]) -> None:
        rows: list[list[list[Span]]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(next(_lines(token, 14, bold=len(rows) == 1), []))
        widths = [max(_width(row[n]) for row in rows) + 26 for n in range(len(rows[0]))]
        self.y += 10
        for number, row in enumerate(rows):
            x = self.left
            for cell, width in zip(row, widths, strict=True):
                self.parts.append(box(x, self.y, width, 30, fill=PAPER if number % 2 == 0 else SHADE, line=LINE))
                self._flow(cell, x + 13, self.y + 20)
                x += width
            self.y += 30
        self.y += 10

    def _flow(self, line: Sequence[Span], left: float, y: float) -> float:
        """One line of the comment, wrapped; returns the base line of its end."""
        x, run, begin = left, Span(""), left
        for piece in _pieces(line):
            if x + piece.width > _WIDTH - _MARGIN and x > left and piece.text.strip():
                self._draw(run, begin, y)
                x, y, run, begin = left, y + _LEADING, Span(""), left
            if run.text and _joins(run, piece):
                run = run.with_text(run.text + piece.text)
            else:
                self._draw(run, begin, y)
                run, begin = piece, x
            x = begin + run.width
        self._draw(run, begin, y)
        return y

    def _draw(self, span: Span, x: float, y: float) -> None:
        start = len(span.text) - len(span.text.lstrip())
        x, span = x + span.with_text(" " * start).width, span.with_text(span.text.strip())
        if span.text in _ICONS:
            side = span.size * 0.85
            self.parts.append(box(x, y - side + 1, side, side, fill=_ICONS[span.text], radius=2))
        else:
            self.parts.append(text(span, x, y))


def _lines(token: Token, size: float, *, bold: bool = False, color: str = INK) -> Iterator[list[Span]]:
    """What is inline, in lines; a forge shows the line breaks of a comment."""
    line: list[Span] = []
    strong = bold
    for child in token.children or ():
        if child.type in ("softbreak", "hardbreak"):
            yield line
            line = []
        elif child.type in ("strong_open", "strong_close"):
            strong = bold or child.type == "strong_open"
        elif child.type == "html_inline":
            size = 11.5 if child.content == "<sub>" else 14.0
            color = FAINT if child.content == "<sub>" else INK
        elif child.type == "code_inline":
            line.append(Span(child.content, size * 0.87, color, bold=strong, mono=True, back="#eff1f3"))
        elif child.content:
            line.append(Span(child.content, size, color, bold=strong))
    yield line


def _pieces(line: Sequence[Span]) -> Iterator[Span]:
    """Words and the spaces between them; code is not parted."""
    for span in line:
        for word in re.findall(r"\s+|\S+", span.text) if span.back is None else [span.text]:
            yield from _icons(span.with_text(word))


def _joins(one: Span, other: Span) -> bool:
    """Whether two pieces can be drawn as one."""
    plain = one.back is None and one.text not in _ICONS and other.text not in _ICONS
    return plain and one.with_text("") == other.with_text("")


def _icons(span: Span) -> Iterator[Span]:
    """A word in pieces: its icons, which not every font has, and the rest."""
    for part in _ICON.split(span.text):
        if part in _GLYPHS:
            glyph, color = _GLYPHS[part]
            yield Span(glyph, span.size, color, bold=True)
        elif part:
            yield span.with_text(part)


def _width(line: Sequence[Span]) -> float:
    return sum(span.width for span in line)
