"""Overlaps that nobody needs: told where it is known, and never where it is not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.lifecycle.overlaps import Overlap, may_end, overlaps, unneeded, unused_until
from apiclients.lifecycle.replicas import Replica
from apiclients.lifecycle.reports import NO_REPORTS, Report, Reports, reports
from apiclients.lifecycle.usage import LastUse, hour_of, last_used_time
from apiclients.resources.apiclient import Credential, CredentialState
from tests.lifecycle.world import DAY, HOUR, START, World, available

pytestmark = pytest.mark.rule(35)

MINUTE = timedelta(minutes=1)
BEGAN, ENDS = START + 10 * HOUR, START + 34 * HOUR
MINUTES = st.integers(min_value=0, max_value=60 * 60).map(lambda minutes: START + minutes * MINUTE)


def credential(id_: int, issued: datetime, expires: datetime, last_used: datetime | None = None) -> Credential:
    return Credential(
        id=id_,
        revision=1,
        state=CredentialState.PREVIOUS,
        issued_time=issued,
        expires_time=expires,
        digest="d",
        pepper="p",
        cause="Age",
        last_used_time=last_used,
    )


def overlap(last_used: datetime | None = None, ends: datetime = ENDS) -> Overlap:
    return Overlap(credential(1, START - DAY, ends, last_used), BEGAN)


@given(st.lists(MINUTES, max_size=5), MINUTES, st.none() | MINUTES)
def test_what_was_used_in_its_overlap_never_counts_as_unused(
    uses: list[datetime], until: datetime, lost: datetime | None
) -> None:
    """Gates report to the hour, and what was seen up to some time."""
    told = max((hour_of(use.timestamp()) for use in uses if use <= until), default=None)
    found = overlap(last_used_time(None, told, until))
    known = unused_until(found, Reports(until, lost))
    if known is not None:
        assert not [use for use in uses if BEGAN <= use <= known]
        assert BEGAN < known <= until
    for lifetime in (HOUR, 12 * HOUR):
        assert not may_end(found, Reports(until, lost), lifetime) or (known is not None and known - BEGAN >= lifetime)


@pytest.mark.parametrize(
    ("known", "may"),
    [
        (Reports(BEGAN + 12 * HOUR), True),
        (Reports(BEGAN + 12 * HOUR - MINUTE), False),
        (Reports(BEGAN + 12 * HOUR, lost=BEGAN - MINUTE), True),
        (Reports(BEGAN + 12 * HOUR, lost=BEGAN), False),
        (Reports(lost=BEGAN - HOUR), False),
        (NO_REPORTS, False),
    ],
    ids=["a-tokens-life", "shorter", "gate-lost-before", "gate-lost-since", "no-report", "nothing-known"],
)
def test_an_overlap_may_end_after_a_tokens_life_without_use(known: Reports, may: bool) -> None:
    assert may_end(overlap(), known, 12 * HOUR) is may
    assert may_end(overlap(BEGAN - 2 * HOUR), known, 12 * HOUR) is may
    assert not may_end(overlap(BEGAN), known, 12 * HOUR)


def test_a_use_in_the_hour_of_the_rotation_may_have_been_before_or_after_it() -> None:
    began = BEGAN + 30 * MINUTE
    for last, until in ((BEGAN - HOUR, ENDS), (BEGAN, None)):
        assert unused_until(Overlap(credential(1, START, ENDS, last), began), Reports(ENDS)) == until


def gate(name: str, renewed: datetime) -> Replica:
    return Replica(name, "1", True, False, "", 1, 1, None, renewed, 15 * timedelta(seconds=1))


def reported(complete: datetime | None, ends: datetime | None = None) -> Report:
    return Report({}, {}, complete, ends)


def test_reports_go_as_far_as_that_of_the_gate_that_is_the_most_behind() -> None:
    now = BEGAN
    gates = [gate("a", now), gate("b", now), gate("killed", now - HOUR), gate("long-gone", now - DAY)]
    told = {"a-usage": reported(now - MINUTE), "b-usage": reported(now - 5 * MINUTE)}
    lost = now - HOUR + timedelta(seconds=15)
    assert reports(gates, told, now) == Reports(now - 5 * MINUTE, lost)
    assert reports(gates, told | {"b-usage": reported(None)}, now) == Reports(None, lost), "no room for all"
    assert reports(gates, {"a-usage": reported(now)}, now) == Reports(None, lost), "an older gate"
    assert reports([], {}, now) == NO_REPORTS


def test_a_report_without_a_living_gate_is_that_of_one_that_was_killed() -> None:
    """Whose own Lease may be deleted by then, as ``doctor`` says."""
    now, end = BEGAN, BEGAN - MINUTE
    told = {"a-usage": reported(now, now + HOUR), "killed-usage": reported(now - HOUR, end)}
    assert reports([gate("a", now)], told, now) == Reports(now, lost=end)
    assert reports([], told, now) == Reports(None, lost=now + HOUR)


def test_reports_go_no_further_than_now_and_what_ended_before_they_were_read_is_missing() -> None:
    now = BEGAN
    told = {"a-usage": reported(now + MINUTE)}
    assert reports([gate("a", now)], told, now) == Reports(now)
    assert reports([gate("a", now)], told, now, now - HOUR) == Reports(now, lost=now - HOUR)


def rotated() -> World:
    """A client in the overlap of 24 hours, which begins now, with its second credential."""
    return available().wait(HOUR).edit(secret__revision=2, secret__overlap="24h")


def ended(world: World, known: Reports | None = None, **used: int) -> list[str]:
    """The Events of the end of its overlap."""
    world.settle()
    world.wait(DAY)
    world.reports = known or Reports(world.now - 10 * MINUTE)
    world.last_use = LastUse(0, {int(name[1:]): hour for name, hour in used.items()}) if used else None
    before = len(world.events)
    world.settle()
    world.settle()
    return [event.reason for event in world.events[before:]]


def test_that_nobody_needed_an_overlap_is_told_once() -> None:
    world = rotated()
    assert ended(world) == ["OverlapUnused"]
    assert [c.id for c in world.typed_status.credentials] == [2]
    assert world.events[-1].note == (
        "Nobody used secret #1 in its overlap, from 2026-03-01T11:10:00Z to 2026-03-02T11:10:00Z; "
        "gates have reported until 2026-03-02T11:00:00Z."
    )
    assert not world.events[-1].warning


def test_it_is_not_told_where_it_was_used_or_is_not_known() -> None:
    hour = hour_of((START + HOUR).timestamp())
    assert ended(rotated(), c1=hour) == ended(rotated(), c1=hour + 20) == []
    assert ended(rotated(), c1=hour - 1) == ended(rotated(), c2=hour) == ["OverlapUnused"]
    assert ended(rotated(), Reports(START + HOUR + DAY - HOUR)) == [], "the last report is too old"
    assert ended(rotated(), NO_REPORTS) == []
    assert ended(rotated(), Reports(START + DAY + HOUR, lost=START + 3 * HOUR)) == []


def test_an_overlap_that_ends_otherwise_is_not_whole() -> None:
    world = rotated()
    world.settle()
    world.wait(2 * HOUR).edit(secret__overlap="1h")
    world.reports = Reports(world.now)
    world.settle()
    assert "OverlapUnused" not in [event.reason for event in world.events]


def test_each_of_several_overlaps_begins_with_its_own_successor() -> None:
    times = [START + number * HOUR for number in range(3)]
    chain = [credential(number, time, ENDS) for number, time in enumerate(times, 1)]
    last = chain[-1].model_copy(update={"state": CredentialState.CURRENT})
    found = overlaps([chain[0], last, chain[1]])
    assert [(one.previous.id, one.began) for one in found] == [(2, times[2]), (1, times[1])]
    assert len(unneeded([*chain[:2], last], [last], Reports(ENDS), ENDS)) == 2
    assert unneeded([*chain[:2], last], [last], Reports(ENDS), ENDS - MINUTE) == ()
