"""Where the boxes and lines of a graph are: clients on the left, Apis on the right, contracts between them. Pure.

The same graph is always drawn the same way. Boxes of a column never overlap, and the height grows with the number of
rows alone: every contract has a row, next to the client that it belongs to, so only lines to Apis cross each other.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

#: All lengths are in pixels of CSS.
BOX_HEIGHT = 26.0
#: From one row to the next.
PITCH = 32.0
#: Between the rows of two clients.
_GAP = 8.0
_MARGIN = 6.0
_SIDE_WIDTH = 280.0
_MIDDLE_WIDTH = 320.0
#: The room of the lines between two columns.
_LANE = 110.0

#: Indexes of a box on the left and of one on the right.
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float = BOX_HEIGHT

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def center(self) -> float:
        """The height of its middle."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing of this size; boxes and lines in the order of what was given."""

    width: float
    height: float
    left: tuple[Box, ...]
    #: One for each pair; empty where lines lead from the left to the right at once.
    middle: tuple[Box, ...]
    right: tuple[Box, ...]
    #: The lines of each pair, as data of SVG paths.
    lines: tuple[tuple[str, ...], ...]


def arrange(left: int, right: int, pairs: Sequence[Pair], *, boxes: bool = True) -> Layout:
    """Arrange so many boxes on both sides and, if ``boxes``, one between them for each pair.

    The left side keeps its order. The right side is sorted by where its lines come from.
    """
    ranks = _ranks(right, pairs)
    order = sorted(range(len(pairs)), key=lambda one: (pairs[one][0], ranks[pairs[one][1]], one))
    rows, left_y, bottom = _rows(left, pairs, order, boxes=boxes)
    height = max(bottom, _MARGIN + right * PITCH)
    right_y = _spread(ranks, _means(right, pairs, rows) if boxes else _evenly(ranks, height), height)
    middle_x = _MARGIN + _SIDE_WIDTH + _LANE
    right_x = middle_x + _MIDDLE_WIDTH + _LANE
    left_boxes = tuple(Box(_MARGIN, y, _SIDE_WIDTH) for y in left_y)
    middle = tuple(Box(middle_x, y, _MIDDLE_WIDTH) for y in rows) if boxes else ()
    right_boxes = tuple(Box(right_x, y, _SIDE_WIDTH) for y in right_y)
    stops = [
        (left_boxes[at], *((middle[number],) if boxes else ()), right_boxes[to])
        for number, (at, to) in enumerate(pairs)
    ]
    return Layout(
        width=right_x + _SIDE_WIDTH + _MARGIN,
        height=height + _MARGIN,
        left=left_boxes,
        middle=middle,
        right=right_boxes,
        lines=tuple(tuple(_line(one, two) for one, two in itertools.pairwise(boxed)) for boxed in stops),
    )


def _ranks(right: int, pairs: Sequence[Pair]) -> list[int]:
    """The place of each box on the right: by the mean of what leads to it, which crosses few lines; the others last."""
    sources: list[list[int]] = [[] for _ in range(right)]
    for at, to in pairs:
        sources[to].append(at)
    order = sorted(range(right), key=lambda one: (not sources[one], fmean(sources[one]) if sources[one] else 0.0, one))
    ranks = [0] * right
    for rank, one in enumerate(order):
        ranks[one] = rank
    return ranks


def _rows(
    left: int, pairs: Sequence[Pair], order: Sequence[int], *, boxes: bool
) -> tuple[list[float], list[float], float]:
    """The heights of the pairs and of the boxes on the left, each in the middle of its pairs; and where they end."""
    of_left: list[list[int]] = [[] for _ in range(left)]
    for one in order:
        of_left[pairs[one][0]].append(one)
    rows, left_y, y = [0.0] * len(pairs), [0.0] * left, _MARGIN
    for at, mine in enumerate(of_left):
        count = max(1, len(mine)) if boxes else 1
        for number, one in enumerate(mine):
            rows[one] = y + number * PITCH
        left_y[at] = y + (count - 1) * PITCH / 2
        y += count * PITCH + (_GAP if boxes else 0.0)
    return rows, left_y, y


def _means(right: int, pairs: Sequence[Pair], rows: Sequence[float]) -> list[float | None]:
    """The height of the middle of the lines that lead to each box on the right."""
    sources: list[list[float]] = [[] for _ in range(right)]
    for (_, to), y in zip(pairs, rows, strict=True):
        sources[to].append(y)
    return [fmean(found) if found else None for found in sources]


def _evenly(ranks: Sequence[int], height: float) -> list[float | None]:
    """Heights at even distances: lines that cross the whole picture are easier to tell apart then."""
    return [_MARGIN + (rank + 0.5) * (height - _MARGIN) / len(ranks) - BOX_HEIGHT / 2 for rank in ranks]


def _spread(ranks: Sequence[int], wanted: Sequence[float | None], height: float) -> list[float]:
    """The heights on the right: each as near to the one that is wanted as the boxes above and below let it."""
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    places, lowest = [0.0] * len(ranks), _MARGIN
    for one in order:
        places[one] = max(lowest, wanted[one] or lowest)
        lowest = places[one] + PITCH
    highest = height - BOX_HEIGHT
    for one in reversed(order):
        places[one] = min(places[one], highest)
        highest = places[one] - PITCH
    return [round(place, 1) for place in places]


def _line(one: Box, two: Box) -> str:
    middle = (one.right + two.x) / 2
    start, end = f"{one.right:g} {one.center:g}", f"{two.x:g} {two.center:g}"
    return f"M{start}C{middle:g} {one.center:g} {middle:g} {two.center:g} {end}"
