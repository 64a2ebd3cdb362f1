"""Where the boxes of a graph are: readable whatever the graph, and always the same."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from apiclients.cli.dashboard.views.layout import BOX_HEIGHT, PITCH, Box, Layout, Pair, arrange

Graph = tuple[int, int, list[Pair]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph, contracts given twice and boxes without contracts included."""
    left, right = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    if not left or not right:
        return left, right, []
    ends = st.tuples(st.integers(0, left - 1), st.integers(0, right - 1))
    return left, right, draw(st.lists(ends, max_size=120))


def crowd() -> Graph:
    """500 boxes: 120 clients, 320 contracts, 60 Apis."""
    chance = random.Random(7)
    return 120, 60, [(chance.randrange(120), chance.randrange(60)) for _ in range(320)]


def overlap(boxes: Sequence[Box]) -> bool:
    """Whether any two of one column do."""
    tops = sorted(box.y for box in boxes)
    return any(two - one < BOX_HEIGHT for one, two in itertools.pairwise(tops))


def check(drawing: Layout) -> None:
    """Nothing overlaps, and everything is inside."""
    columns = [column for column in (drawing.left, drawing.middle, drawing.right) if column]
    assert not any(map(overlap, columns))
    for one, two in itertools.pairwise(columns):
        assert max(box.right for box in one) < min(box.x for box in two)
    for box in (box for column in columns for box in column):
        assert box.x >= 0
        assert box.y >= 0
        assert box.right <= drawing.width
        assert box.bottom <= drawing.height
    numbers = (float(one) for lines in drawing.lines for line in lines for one in re.findall(r"[\d.]+", line))
    assert all(0 <= number <= max(drawing.width, drawing.height) for number in numbers)


@given(graphs(), st.booleans())
def test_nothing_overlaps_and_everything_is_inside(graph: Graph, boxes: bool) -> None:
    left, right, pairs = graph
    drawing = arrange(left, right, pairs, boxes=boxes)
    check(drawing)
    assert (len(drawing.left), len(drawing.right), len(drawing.lines)) == (left, right, len(pairs))
    assert drawing == arrange(left, right, list(pairs), boxes=boxes)


@given(graphs())
def test_a_contract_is_next_to_its_client(graph: Graph) -> None:
    left, right, pairs = graph
    drawing = arrange(left, right, pairs)
    for at, box in enumerate(drawing.left):
        mine = sorted(drawing.middle[number].y for number, (of, _) in enumerate(pairs) if of == at)
        assert all(two - one == PITCH for one, two in itertools.pairwise(mine))
        assert not mine or mine[0] <= box.y <= mine[-1]


@given(graphs(), st.booleans())
def test_it_takes_no_more_room_than_its_rows(graph: Graph, boxes: bool) -> None:
    left, right, pairs = graph
    drawing = arrange(left, right, pairs, boxes=boxes)
    rows = max(left + len(pairs) * boxes, right)
    assert drawing.height <= rows * (PITCH + 8) + 12
    assert drawing.width <= 1200


def test_500_boxes_have_a_bound() -> None:
    drawing = arrange(*crowd())
    check(drawing)
    assert drawing.width * drawing.height <= 1120 * 500 * 25


def test_boxes_are_joined_where_their_lines_end() -> None:
    drawing = arrange(1, 1, [(0, 0)])
    (left,), (middle,), (right,), ((first, second),) = drawing.left, drawing.middle, drawing.right, drawing.lines
    assert first.startswith(f"M{left.right:g} {left.center:g}C")
    assert first.endswith(f" {middle.x:g} {middle.center:g}")
    assert second.endswith(f" {right.x:g} {right.center:g}")
    ((line,),) = arrange(1, 1, [(0, 0)], boxes=False).lines
    assert line.count("C") == 1
