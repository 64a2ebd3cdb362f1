"""The little of SVG that the pictures need: text of a known width, boxes, a page around them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

#: Widths of Helvetica, in thousandths of the size, from the space to the tilde.
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip
_OTHER, _ICON, _BOLD, _MONO = 700, 1000, 1.07, 0.602
_SANS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_FIXED = "ui-monospace, Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace"

INK, FAINT, LINE, PAPER, SHADE = "#1f2328", "#59636e", "#d1d9e0", "#ffffff", "#f6f8fa"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one style."""

    text: str
    size: float = 14
    color: str = INK
    bold: bool = False
    mono: bool = False
    #: The colour behind it.
    back: str | None = None

    @property
    def width(self) -> float:
        """How much room it takes; the picture is told so, whatever font there is."""
        if self.mono:
            return len(self.text) * self.size * _MONO
        units = sum(_WIDTHS[ord(c) - 32] if " " <= c <= "~" else _ICON if c > "\uffff" else _OTHER for c in self.text)
        return units * self.size / 1000 * (_BOLD if self.bold else 1)

    def with_text(self, text: str) -> "Span":
        """The same style, another text."""
        return replace(self, text=text)


def text(span: Span, x: float, y: float) -> str:
    """A piece of text; ``y`` is its base line."""
    if not span.text.strip():
        return ""
    back = ""
    if span.back is not None:
        back = box(x - 2, y - span.size, span.width + 4, span.size * 1.4, fill=span.back, radius=3)
    style = f'font-size="{span.size:g}" fill="{span.color}"' + (' font-weight="bold"' if span.bold else "")
    kind = ' class="m"' if span.mono else ""
    length = f'textLength="{span.width:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'{back}<text x="{x:.1f}" y="{y:.1f}" {style}{kind} {length} xml:space="preserve">{escape(span.text)}</text>'


def box(x: float, y: float, width: float, height: float, *, fill: str, radius: float = 0, line: str = "none") -> str:
    """A rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:g}" '
        f'fill="{fill}" stroke="{line}"/>'
    )


def page(parts: Iterable[str], width: float, height: float, title: str) -> str:
    """A whole picture; ``title`` is what screen readers say."""
    head = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
    style = f"<style>text{{font-family:{_SANS}}}text.m{{font-family:{_FIXED}}}</style>"
    body = "\n".join(part for part in parts if part)
    return f'<svg {head} height="{height:g}" role="img">\n<title>{escape(title)}</title>\n{style}\n{body}\n</svg>\n'
