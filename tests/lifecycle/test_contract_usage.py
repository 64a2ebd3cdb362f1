"""When contracts were last used: what gates report of very many, and what statuses say of it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.lifecycle.contract_usage import MAX_REPORTS_BYTES, decode_contracts, encode_contracts
from apiclients.lifecycle.usage import hour_of, time_of
from tests.lifecycle.parties import NOW, Stage

NOW_HOUR = hour_of(NOW.timestamp())
HOURS = st.integers(min_value=0, max_value=10_000_000)
USES = st.dictionaries(st.uuids().map(str), HOURS, max_size=30)


def used(hour: int | None, stage: Stage | None = None) -> Stage:
    """Gates report a use in this hour."""
    found = stage or Stage()
    found.last_use = hour
    return found


def test_status_says_when_it_was_last_used_and_the_same_report_changes_nothing() -> None:
    stage = used(NOW_HOUR)
    assert stage.settle().last_used_time == time_of(NOW_HOUR)
    before = stage.contract["status"]
    stage.settle()
    assert stage.contract["status"] == before


@pytest.mark.rule(35)
@given(st.lists(st.none() | st.integers(NOW_HOUR - 100, NOW_HOUR + 100), max_size=6))
def test_it_never_goes_back_nor_beyond_the_present_and_a_gate_that_says_nothing_erases_nothing(
    reports: list[int | None],
) -> None:
    stage, latest = Stage(), None
    for hour in reports:
        latest = max((min(one, NOW_HOUR) for one in (latest, hour) if one is not None), default=None)
        told = used(hour, stage).settle().last_used_time
        assert told == (time_of(latest) if latest is not None else None)


@given(st.integers(NOW_HOUR - 100, NOW_HOUR))
def test_nothing_else_of_a_status_depends_on_it(hour: int) -> None:
    idle, busy = Stage().settle(), used(hour).settle()
    assert busy.model_copy(update={"last_used_time": None}) == idle


def test_it_is_no_event() -> None:
    stage = Stage()
    stage.settle()
    events = list(stage.events)
    used(NOW_HOUR, stage).settle()
    assert stage.events == events


def test_it_outlives_what_becomes_of_the_contract() -> None:
    stage = used(NOW_HOUR)
    stage.settle()
    stage.last_use = None
    assert stage.ask(plan="absent").settle().last_used_time == time_of(NOW_HOUR)
    stage.now += timedelta(days=1)
    assert stage.ask(endTime="2026-03-01T12:00:00Z").settle().last_used_time == time_of(NOW_HOUR)


@given(USES)
def test_a_report_is_read_as_it_was_written(uses: dict[str, int]) -> None:
    assert decode_contracts(encode_contracts(uses, MAX_REPORTS_BYTES)) == uses


@given(USES, st.integers(min_value=0, max_value=600))
def test_a_report_is_never_too_long_and_the_first_ones_are_in_it(uses: dict[str, int], room: int) -> None:
    text = encode_contracts(uses, room)
    assert len(text) <= max(room, len("{}"))
    read = decode_contracts(text)
    assert read == {uid: uses[uid] for uid in list(uses)[: len(read)]}


def test_twenty_thousand_contracts_are_told_in_two_reports() -> None:
    """What statuses say is in no report any more, so the second one has the others."""
    uses = {str(uuid4()): NOW_HOUR for _ in range(20_000)}
    for _ in range(2):
        text = encode_contracts(uses, MAX_REPORTS_BYTES)
        assert len(text) <= MAX_REPORTS_BYTES
        for uid in decode_contracts(text):
            del uses[uid]
    assert uses == {}


def test_other_ids_than_those_of_an_api_server_are_left_out() -> None:
    uid = str(UUID(int=1))
    assert decode_contracts(encode_contracts({"1": 1, uid.replace("-", ""): 2, uid: 3}, 1000)) == {uid: 3}


@pytest.mark.parametrize(
    "text", ["", "nothing", "[]", '{"x": ""}', '{"-1": ""}', '{"1": "AAAA"}', '{"1": "!"}', '{"1": 2}', "\ud800"]
)
def test_what_is_no_report_counts_as_nothing(text: str) -> None:
    assert decode_contracts(text) == {}
