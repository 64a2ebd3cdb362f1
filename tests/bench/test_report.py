"""What the tables say of figures."""

import pytest

from bench.growth import exponent
from bench.report import Figure, Goal, Result, Target, number, table, text


def test_ratio_is_that_of_the_medians() -> None:
    figure = Figure("wall", "s", [3.0, 9.0, 2.0], [1.0, 5.0, 2.0], "s bare", Target("<=", 1.25))
    assert (figure.median, figure.ratio, figure.reached) == (3.0, 1.5, False)
    assert figure.row() == ("wall", "3 (2 .. 9) s", "2 s bare", "1.5", "ratio <= 1.25", "MISSED")


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        (Target("<=", 3, Goal.MEDIAN), True),
        (Target("<=", 3, Goal.WORST), False),
        (Target(">=", 2, Goal.WORST), True),
        (Target("<=", 3), False),
        (None, None),
    ],
)
def test_what_a_target_is_compared_with(target: Target | None, reached: bool | None) -> None:
    assert Figure("figure", "s", [3.0, 9.0, 2.0], target=target).reached is reached


def test_only_a_count_can_be_wrong() -> None:
    exactly = Target("==", 20, Goal.WORST)
    assert Figure("count", "writes", [20, 21], target=exactly).wrong
    assert not Figure("count", "writes", [20, 20], target=exactly).wrong
    assert not Figure("wall", "s", [21.0], target=Target("<=", 20, Goal.MEDIAN)).wrong


def test_numbers_are_read_by_people() -> None:
    assert [number(value) for value in (0, 3, 0.12345, 12.345, 1234.5)] == ["0", "3", "0.123", "12.3", "1,234"]


def test_missed_is_told() -> None:
    result = Result("gate", [Figure("rate", "/s", [4.0], [10.0], "bare", Target(">=", 0.6))], notes=["two cores"])
    assert "MISSED" in table(result.figures)
    assert "* two cores" in text(result)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_exponent_of_a_power_is_that_power(power: float) -> None:
    sizes = [1_000, 3_000, 10_000]
    assert exponent(sizes, [7 * size**power for size in sizes]) == pytest.approx(power)
