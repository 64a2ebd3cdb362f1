"""When clients and secrets were last used: what gates report, and what statuses say of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.lifecycle.usage import (
    MAX_REPORT_BYTES,
    LastUse,
    decode,
    encode,
    hour_of,
    is_told,
    last_used_time,
    later,
    time_of,
)
from tests.lifecycle.world import DAY, HOUR, START, World, available

HOURS = st.integers(min_value=0, max_value=1_000_000)
USES = st.builds(LastUse, HOURS, st.dictionaries(st.integers(min_value=1, max_value=99), HOURS, max_size=5))
NOW_HOUR = hour_of(START.timestamp())


def used(world: World, hour: int, **credentials: int) -> World:
    """Gates report a use in this hour."""
    world.last_use = LastUse(hour, {int(name[1:]): when for name, when in credentials.items()})
    return world


def test_status_says_when_client_and_secret_were_last_used() -> None:
    world = used(available(), NOW_HOUR, c1=NOW_HOUR)
    status = world.settle()
    assert status.last_used_time == status.credentials[0].last_used_time == time_of(NOW_HOUR)
    assert world.last_use is not None
    assert is_told(world.last_use, status)


def test_the_same_report_again_changes_nothing() -> None:
    world = used(available(), NOW_HOUR, c1=NOW_HOUR)
    world.settle()
    before = world.status
    world.settle()
    assert world.status == before
    world.last_use = None
    world.settle()
    assert world.status == before


def test_it_never_goes_back_and_never_beyond_the_present() -> None:
    world = used(available(), NOW_HOUR)
    world.settle()
    assert used(world, NOW_HOUR - 5).settle().last_used_time == time_of(NOW_HOUR)
    assert used(world, NOW_HOUR + 100).settle().last_used_time == time_of(hour_of(world.now.timestamp()))


def test_a_secret_that_replaces_another_was_not_used_yet_and_the_other_keeps_what_is_known() -> None:
    world = used(available(), NOW_HOUR, c1=NOW_HOUR)
    world.settle()
    world.wait(HOUR).edit(secret__revision=2)
    new, previous = world.settle().credentials
    assert (new.last_used_time, previous.last_used_time) == (None, time_of(NOW_HOUR))


def test_it_outlives_suspension_and_retirement() -> None:
    world = used(available(), NOW_HOUR, c1=NOW_HOUR)
    world.settle()
    world.last_use = None
    world.desire("Suspended").settle()
    status = world.desire("Retired").settle()
    world.wait(2 * DAY).settle()
    assert status.last_used_time == world.typed_status.last_used_time == time_of(NOW_HOUR)


def test_it_is_no_transition_and_no_event() -> None:
    world = available()
    events, history = list(world.events), world.typed_status.history
    used(world, NOW_HOUR, c1=NOW_HOUR).settle()
    assert (world.events, world.typed_status.history) == (events, history)


@given(st.dictionaries(st.text("0123456789abcdef-", min_size=1, max_size=40), USES, max_size=20))
def test_a_report_is_read_as_it_was_written(uses: dict[str, LastUse]) -> None:
    assert decode(encode(uses.items())[0]) == uses


def test_a_report_is_never_too_long_and_the_first_ones_are_in_it() -> None:
    uses = {f"{number:036d}": LastUse(NOW_HOUR, {1: NOW_HOUR}) for number in range(10_000)}
    asked: list[str] = []

    def each() -> Iterator[tuple[str, LastUse]]:
        for uid, use in uses.items():
            asked.append(uid)
            yield uid, use

    text, count = encode(each())
    assert len(text) <= MAX_REPORT_BYTES + 2
    assert len(asked) == count + 1, "what has no room is not made"
    read = decode(text)
    assert list(read) == list(uses)[: len(read)]
    assert len(read) == count > 2_500


@pytest.mark.parametrize(
    "text", ["", "nothing", "[]", '{"u": 1}', '{"u": [-1, {}]}', '{"u": [1, {"x": 2}]}', '{"u": [1]}', "\ud800"]
)
def test_what_is_no_report_counts_as_nothing(text: str) -> None:
    assert decode(text) == {}


@given(st.none() | USES, USES)
def test_two_reports_say_the_later_times(one: LastUse | None, other: LastUse) -> None:
    both = later(one, other)
    for report in (one, other):
        if report is not None:
            assert both.client >= report.client
            assert all(both.credentials[id_] >= hour for id_, hour in report.credentials.items())
    assert later(both, other) == both


def test_times_of_one_hour_are_one_time() -> None:
    assert last_used_time(None, hour_of((START + timedelta(minutes=59)).timestamp()), START + HOUR) == START
