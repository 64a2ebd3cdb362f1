"""A contract with an endTime: in force until then, reminded of, and asked for anew once the end was moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.lifecycle.api_view import Route
from apiclients.lifecycle.calls import CallDenial, route_at
from apiclients.lifecycle.contract_view import contract_view, stands_first
from apiclients.lifecycle.contracts import END_REMINDER, ObservedContract, contract_due, decide_contract
from apiclients.lifecycle.timing import CLOCK_RETRY
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.fields import format_time
from apiclients.resources.objects import Contract
from tests.lifecycle.parties import GOLD, MANUAL_BASIC, NOW, Stage, in_force, message, raw_contract, told

DAY = timedelta(days=1)
#: Until then seconds since the epoch tell microseconds apart.
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - of TIMES
AROUND = st.timedeltas(-2 * END_REMINDER, 2 * END_REMINDER)


def ends(after: timedelta) -> str:
    return format_time(NOW + after)


def ending(time: datetime) -> Contract:
    raw = raw_contract()
    raw["spec"]["endTime"] = format_time(time)
    return Contract.from_object(raw)


@pytest.mark.rule(34)
def test_it_ends_by_itself_and_says_so() -> None:
    stage = in_force().ask(endTime=ends(DAY))
    stage.settle()
    assert stage.seen == "Active/Active"
    stage.now += DAY
    status = stage.settle()
    assert (stage.seen, told(status, "Active")) == ("Inactive/Ended", "False/Ended")
    assert message(status) == f"The contract ended at {ends(DAY)}."
    assert status.in_force is None
    assert not stands_first(contract_view(Contract.from_object(stage.contract))), "it is in nobody's way"


@pytest.mark.rule(34)
def test_within_a_week_it_says_that_it_ends_once() -> None:
    stage = in_force().ask(endTime=ends(END_REMINDER + DAY))
    assert told(stage.settle(), "ExpiringSoon") == "-"
    stage.now += DAY
    assert told(stage.settle(), "ExpiringSoon") == "True/EndsSoon"
    stage.now += DAY
    stage.settle()
    stage.now = NOW + END_REMINDER + DAY
    assert told(stage.settle(), "ExpiringSoon") == "-"
    assert [(event.reason, event.warning) for event in stage.events] == [("EndsSoon", True), ("Ended", False)]


@pytest.mark.rule(34)
def test_moving_the_end_before_it_has_come_changes_nothing_else() -> None:
    stage = in_force("gold").ask(endTime=ends(DAY))
    before = stage.settle().in_force
    assert stage.ask(endTime=ends(100 * DAY)).settle().in_force == before
    assert stage.ask(endTime=None).settle().in_force == before
    assert stage.events[-1].reason == "EndsSoon"


@pytest.mark.rule(34)
def test_moved_afterwards_it_is_asked_for_anew() -> None:
    stage = in_force().ask(endTime=ends(DAY))
    stage.now += DAY
    stage.settle()
    assert stage.ask(endTime=ends(3 * DAY)).settle().observed_status is ContractStatusName.ACTIVE
    stage.now += 2 * DAY
    stage.settle()
    stage.offer(MANUAL_BASIC, GOLD)
    stage.ask(endTime=None).settle()
    assert stage.seen == "PendingApproval/PendingApproval"
    stage.say("basic").settle()
    assert stage.seen == "Active/Active"


@pytest.mark.rule(26)
def test_no_contract_ends_by_a_clock_that_cannot_be_trusted() -> None:
    stage = in_force().ask(endTime=ends(DAY))
    contract = Contract.from_object(stage.contract)
    observed: ObservedContract = replace(stage._observed(), clock_trusted=False)
    late = NOW + 2 * DAY
    assert decide_contract(observed, late).observed_status is ContractStatusName.ACTIVE
    assert contract_due(contract, late, clock_trusted=False) == late + CLOCK_RETRY
    assert contract_due(contract, late, clock_trusted=True) is None


@pytest.mark.rule(34)
@given(end=TIMES, around=AROUND)
def test_between_two_looks_the_decision_is_the_same(end: datetime, around: timedelta) -> None:
    contract, now = ending(end), end + around
    due = contract_due(contract, now, clock_trusted=True)
    stage = Stage({**raw_contract(), "spec": {**raw_contract()["spec"], "endTime": format_time(end)}})

    def seen(time: datetime) -> tuple[ContractStatusName | None, str]:
        status = decide_contract(stage._observed(), time)
        return status.observed_status, told(status, "ExpiringSoon")

    last = datetime.max.replace(tzinfo=UTC) if due is None else due - timedelta(microseconds=1)
    assert seen(last) == seen(now)
    assert due is None or seen(due) != seen(now)


@pytest.mark.rule(34)
@given(end=st.one_of(st.none(), st.floats(0, 4e9)), now=st.floats(0, 4e9))
def test_a_route_ends_with_its_contract_to_the_moment(end: float | None, now: float) -> None:
    found = Route("basic", (), None, ends=end)
    assert route_at(found, now) == (CallDenial.NO_CONTRACT if end is not None and end <= now else found)
    assert route_at(CallDenial.API_RETIRED, now) is CallDenial.API_RETIRED
