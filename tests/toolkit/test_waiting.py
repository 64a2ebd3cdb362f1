"""Whoever waits in vain is told for what, how long, and what was seen last."""

import itertools

import pytest

from tests.toolkit.waiting import async_eventually, eventually, settled


def test_the_first_true_answer_is_returned() -> None:
    numbers = itertools.count()
    assert eventually("there are three", lambda: (n := next(numbers)) == 3 and n) == 3


def test_a_wait_in_vain_tells_what_was_awaited_how_long_and_what_was_seen_last() -> None:
    with pytest.raises(AssertionError, match=r"not within 0.05 s: a file is there; seen last: \[\]"):
        eventually("a file is there", list, seconds=0.05)


async def test_an_event_loop_waits_for_functions_and_coroutines() -> None:
    numbers = itertools.count()

    async def probe() -> int | None:
        return next(numbers)

    assert await async_eventually("a number", probe) == 1
    assert await async_eventually("another number", lambda: next(numbers)) == 2
    with pytest.raises(AssertionError, match=r"not within 0.05 s: never; seen last: None"):
        await async_eventually("never", lambda: None, seconds=0.05)


def test_what_keeps_changing_does_not_settle() -> None:
    numbers = itertools.count()
    with pytest.raises(AssertionError, match=r"does not settle within 0.3 s: a clock"):
        settled("a clock", lambda: next(numbers), seconds=0.3)
