"""Enforced in any order of changes, gates and reconciles: what is told is so, and is told in the end (rule 28)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lifecycle.fleet import LEASE, Fleet, Gate
from tests.lifecycle.settled_fleet import SECOND, all_tell, fleet, tell
from tests.lifecycle.status_checks import faults
from tests.lifecycle.world import START
from tests.resources.structural import schema_of, violations

pytestmark = pytest.mark.rule(28)


OPS = (
    "suspend",
    "resume",
    "retire",
    "edit",
    "hold",
    "another hold",
    "release",
    "see",
    "see clients",
    "renew",
    "tell",
    "all see",
    "all tell",
    "all see clients, and tell",
    "hang",
    "wake",
    "start",
    "leave",
    "reconcile",
    "restart",
    "second",
    "long",
)
#: What a story is made of is drawn more often than what may come between.
OFTEN = ("suspend", "resume", "all tell", "reconcile", "reconcile")
steps = st.lists(
    st.tuples(st.one_of(st.sampled_from(OFTEN), st.sampled_from(OPS)), st.integers(0, 3)), min_size=10, max_size=40
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps)
def test_whenever_it_is_told_every_living_gate_does_so(story: list[tuple[str, int]]) -> None:
    made = fleet()
    resumed, began = False, made.changes
    for what, number in story:
        before = made.told
        gates = list(made.gates.values())
        _do(made, what, gates[number % len(gates)] if gates else None)
        resumed = resumed or made.world.observed in ("Suspended", "Retired")
        if made.is_enforced and not _unseen(made):
            _check(made, resumed=resumed, newly=before != made.told)
    assert made.writes <= 2 * (made.changes - began) + _named_again(made), story


def _check(made: Fleet, *, resumed: bool, newly: bool) -> None:
    """Nobody is let in who is to be refused; who was resumed is, by every gate that answers."""
    refused = made.world.observed in ("Suspended", "Retired")
    verdicts = {gate.name: made.verdict(gate) for gate in made.gates.values() if made.answers(gate)}
    if refused:
        assert True not in verdicts.values(), (verdicts, made.message)
    elif resumed:
        assert False not in verdicts.values(), (verdicts, made.message)
        told = [gate.told for gate in made.gates.values() if gate.told is not None]
        assert not newly or all(one.ready for one in told if one.alive(made.world.now)), made.message


def _unseen(made: Fleet) -> bool:
    """Whether the operator has not looked at the holds as they are: their end or beginning has no generation."""
    return {view.name for view in made.world.holds} != {hold.name for hold in made.world.typed_status.holds}


def _named_again(made: Fleet) -> int:
    """A wait that lasts is told of anew."""
    return int((made.world.now - START) / timedelta(seconds=30)) + 1


def _do(made: Fleet, what: str, gate: Gate | None) -> None:
    match what:
        case "suspend":
            made.desire("Suspended")
        case "resume":
            made.desire("Available")
        case "retire":
            made.desire("Retired")
        case "edit":
            made.edit(displayName=str(made.version))
        case "hold":
            made.hold("stop")
        case "another hold":
            made.hold("another", "stop")
        case "release":
            made.hold()
        case "start":
            made.start()
        case "reconcile":
            made.reconcile()
            held = bool(made.world.holds)  # of which the table of rule 24 knows nothing
            assert held or faults(made.world.typed_status, made.world.generation) == []
            assert list(violations(made.world.status, schema_of("status"))) == []
            assert not made.reconcile()
        case "restart":
            made.restart()
        case "all see":
            for one in made.gates.values():
                made.catch_up(one)
        case "all tell":
            all_tell(made)
        case "all see clients, and tell":
            for one in made.gates.values():
                made.see_clients(one)
                made.renew(one)
        case "second":
            made.world.now += SECOND
        case "long":
            made.world.now += LEASE
        case _ if gate is not None:
            _gate_does(made, what, gate)


def _gate_does(made: Fleet, what: str, gate: Gate) -> None:
    match what:
        case "see":
            made.catch_up(gate)
        case "see clients":
            made.see_clients(gate)
        case "renew":
            made.renew(gate)
        case "tell":
            tell(made, gate)
        case "hang":
            gate.hangs = True
        case "wake":
            gate.hangs = False
        case "leave":
            made.leave(gate)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps)
def test_once_the_gates_go_on_it_is_told_and_then_nothing_is_written(story: list[tuple[str, int]]) -> None:
    made = fleet(1)
    for what, number in story:
        gates = list(made.gates.values())
        _do(made, what, gates[number % len(gates)] if gates else None)
    made.start()
    for gate in made.gates.values():
        gate.hangs = False
    for _ in range(4):
        made.world.now += SECOND
        all_tell(made)
        made.reconcile()
    assert made.is_enforced, (story, made.told, made.message)
    lets_in = made.world.observed in ("Available", "Expired")
    assert {made.verdict(gate) for gate in made.gates.values()} == {lets_in}, story
    made.restart()
    assert not made.reconcile()
