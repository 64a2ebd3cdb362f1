"""Holds: whom they stop, until when, and what the client and the hold say of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from apiclients.lifecycle.client import decide
from apiclients.lifecycle.history import announcements, condition_announcements
from apiclients.lifecycle.holds import decide_hold, hold_view, holding, in_force, matches
from apiclients.resources.apiclient import MAX_HOLDS, ApiClientStatus, DesiredStatus
from apiclients.resources.fields import format_time
from apiclients.resources.hold import MAX_STOPPED_NAMES
from apiclients.resources.objects import ApiClientHold, Metadata
from tests.lifecycle.parties import NOW, check, hold, message, told
from tests.lifecycle.status_checks import faults
from tests.lifecycle.world import HOUR, World, available

BILLING = Metadata("team-a", "billing", "u-1", labels={"team": "a", "tier": "gold"})
LATER = NOW + HOUR
TEMPORARY = {"expiresTime": format_time(LATER)}


# Whom a hold speaks of: its spec, and whether it stops billing in team-a, whose labels are team=a, tier=gold.
SPEAKS_OF: list[tuple[dict[str, Any], bool]] = [
    ({"clientName": "billing"}, True),
    ({"clientName": "other"}, False),
    ({"selector": {"matchLabels": {"team": "a"}}}, True),
    ({"selector": {"matchLabels": {"team": "a", "tier": "gold"}}}, True),
    ({"selector": {"matchLabels": {"team": "b"}}}, False),
    ({"selector": {}}, True),
    ({"allClients": True}, True),
    ({"allClients": False, "clientName": "other"}, False),
    ({"allClients": True, "clientName": "other"}, True),  # the API server takes none; then the most restrictive counts
    ({"aFieldOfANewerVersion": "x"}, True),
    ({"selector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold", "iron"]}]}}, True),
    ({"selector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}}, False),
    ({"selector": {"matchExpressions": [{"key": "absent", "operator": "NotIn", "values": ["x"]}]}}, True),
    ({"selector": {"matchExpressions": [{"key": "absent", "operator": "Exists"}]}}, False),
    ({"selector": {"matchExpressions": [{"key": "absent", "operator": "DoesNotExist"}]}}, True),
]


@pytest.mark.parametrize(("spec", "stops"), SPEAKS_OF)
def test_whom_a_hold_speaks_of(spec: dict[str, Any], stops: bool) -> None:
    found = holding([hold_view(hold(**spec))], BILLING, NOW)
    assert bool(found) is stops
    assert not holding([hold_view(hold(**spec))], replace(BILLING, namespace="team-b"), NOW), (
        "only in its own namespace"
    )


@pytest.mark.rule(26)
@pytest.mark.parametrize(
    ("passed", "trusted", "stops"),
    [(-1, True, True), (0, True, False), (3600, True, False), (0, False, True), (3600, False, True)],
)
def test_a_hold_ends_by_a_clock_that_can_be_trusted(passed: int, trusted: bool, stops: bool) -> None:
    now = LATER + timedelta(seconds=passed)
    temporary = hold(**TEMPORARY)
    assert in_force(hold_view(temporary), now.timestamp(), clock_trusted=trusted) is stops
    assert bool(holding([hold_view(temporary)], BILLING, now, clock_trusted=trusted)) is stops
    decision = decide_hold(temporary, [BILLING.name], now, clock_trusted=trusted)
    assert told(decision.status, "Active") == ("True/Holding" if stops else "False/HoldExpired")
    assert decision.due is None or decision.due > now, "what is due now is done now, or looked at again later"
    assert (decision.due is not None) is stops


def test_a_hold_without_an_end_stays() -> None:
    assert in_force(hold_view(hold()), (NOW + timedelta(days=9999)).timestamp())
    assert decide_hold(hold(), [BILLING.name], NOW, clock_trusted=True).due is None


# The status of a hold.


def test_a_hold_says_whom_it_stops_and_why() -> None:
    clients = [f"client-{number:03}" for number in range(100)]
    status = decide_hold(hold(**TEMPORARY), list(reversed(clients)), NOW, clock_trusted=True).status
    check(status, 1, "apiclientholds")
    assert status.stopped_count == 100
    assert status.stopped_names == [f"client-{number:03}" for number in range(MAX_STOPPED_NAMES)]
    assert "stops 100 client(s) until 2026-03-01T11:00:00Z: The key was found" in message(status)


def test_a_hold_for_nobody_yet_is_remembered() -> None:
    status = decide_hold(hold(), [], NOW, clock_trusted=True).status
    check(status, 1, "apiclientholds")
    assert (status.stopped_count, told(status, "Active")) == (0, "True/Holding")


def test_an_expired_hold_stops_nobody_and_says_when_it_ended() -> None:
    before = hold(**TEMPORARY)
    holding_status = decide_hold(before, [BILLING.name], NOW, clock_trusted=True).status
    held = ApiClientHold(before.metadata, before.spec, holding_status)
    after = decide_hold(held, [BILLING.name], LATER, clock_trusted=True).status
    check(after, 1, "apiclientholds")
    assert (after.stopped_count, after.stopped_names, told(after, "Active")) == (0, [], "False/HoldExpired")
    assert "2026-03-01T11:00:00Z" in message(after)
    assert [e.reason for e in condition_announcements(held.status.conditions, after.conditions)] == ["HoldExpired"]
    again = ApiClientHold(before.metadata, before.spec, after)
    assert decide_hold(again, [BILLING.name], LATER + HOUR, clock_trusted=True).status == after


# The client.


def settled(world: World, *holds: ApiClientHold) -> ApiClientStatus:
    """Decide about a settled client beside these holds, twice."""
    found = holding(map(hold_view, holds), replace(world.client().metadata, labels=BILLING.labels), world.now)
    decision = decide(replace(world.observe(), holds=tuple(found)), world.now)
    assert decision.step is None
    before, world.status = world.typed_status, decision.status.to_object()
    world.events += announcements(before, decision.status)
    assert faults_beside_a_hold(decision.status, world.generation) == []
    again = decide(replace(world.observe(), holds=tuple(found)), world.now)
    assert (again.status, again.step) == (decision.status, None)
    return decision.status


def faults_beside_a_hold(status: ApiClientStatus, generation: int) -> list[str]:
    """A held client is Ready although what is desired is not what is observed."""
    allowed = "Ready=True while Available is desired and Suspended observed" if status.holds else ""
    return [fault for fault in faults(status, generation) if fault != allowed]


@pytest.mark.rule(21)
def test_a_hold_that_ends_within_a_second_is_told_once() -> None:
    status = settled(available(), hold(expiresTime="2026-03-01T11:00:00.25Z"))
    assert status.to_object()["holds"][0]["expiresTime"] == "2026-03-01T11:00:01Z"


@pytest.mark.rule(3)
def test_a_hold_stops_and_its_release_brings_back_the_same_secret_and_tokens() -> None:
    world = available()
    token, secret = world.token(), world.secret_bytes()
    world.events.clear()
    status = settled(world, hold())
    assert (status.observed_status, told(status, "Ready"), told(status, "Active")) == (
        "Suspended",
        "True/Held",
        "False/Held",
    )
    assert (status.history[0].reason, status.history[0].manager) == ("Held", None)
    assert status.desired_status is DesiredStatus.AVAILABLE, "the desired status is as it was"
    assert [(h.name, h.reason) for h in status.holds] == [("leak", "The key was found in a public log")]
    assert "leak (The key was found in a public log)" in message(status)
    assert world.refusal(token) == "suspended"
    assert settled(world).observed_status == "Available"
    assert world.refusal(token) is None
    assert world.secret_bytes() == secret
    assert [e.reason for e in world.events] == ["Suspended", "Available"]


@pytest.mark.rule(1)
def test_holds_stack() -> None:
    world = available()
    first, second = hold("a-first"), hold("b-second", selector={}, **TEMPORARY)
    assert [h.name for h in settled(world, second, first).holds] == ["a-first", "b-second"]
    assert settled(world, second).observed_status == "Suspended"
    assert decide(replace(world.observe(), holds=(hold_view(second),)), world.now).due == LATER, (
        "its end comes by the clock"
    )
    world.now = LATER
    assert settled(world, second).observed_status == "Available"


@pytest.mark.rule(1)
def test_more_holds_than_status_has_room_for_still_stop() -> None:
    status = settled(available(), *(hold(f"h-{number:02}") for number in range(MAX_HOLDS + 5)))
    assert (len(status.holds), status.observed_status) == (MAX_HOLDS, "Suspended")
    assert "h-20" in message(status), "the message is complete"


# desired, in the order of precedence; then what is told while a hold matches.
@pytest.mark.parametrize(
    ("desired", "observed", "reason"),
    [("Available", "Suspended", "Held"), ("Suspended", "Suspended", "Held"), ("Retired", "Retired", "Retired")],
)
def test_a_hold_and_each_desired_status(desired: str, observed: str, reason: str) -> None:
    world = available().desire(desired)
    world.settle()
    status = settled(world, hold())
    assert (status.observed_status, told(status, "Ready")) == (observed, f"True/{reason}")


@pytest.mark.rule(3)
def test_while_held_nothing_is_rotated_and_what_fell_due_is_done_after() -> None:
    world = available().edit(secret__revision=2)
    assert settled(world, hold()).credentials == world.typed_status.credentials
    world.wait(timedelta(days=100))
    status = settled(world, hold())
    assert status.observed_status == "Suspended", "a hold comes before the clock"
    world.settle()
    assert len(world.issued) == 2


@pytest.mark.rule(16)
def test_a_held_retirement_beside_a_hold_is_resumed_with_its_release() -> None:
    world = available()
    world.contracts = {"orders"}
    world.desire("Retired").settle()
    assert settled(world, hold()).observed_status == "Suspended"
    assert told(world.typed_status, "Ready") == "False/AcknowledgementRequired"
    world.settle()
    assert (world.observed, world.told("Stalled")) == ("Available", "True/AcknowledgementRequired")


def test_a_hold_names_one_client_or_selects_several() -> None:
    view = hold_view(hold(selector={"matchLabels": {"team": "a"}}))
    assert matches(view, "team-a", "billing", {"team": "a"})
    assert not matches(view, "team-a", "billing", {})
