"""Enforced: every living gate obeys the desired status and the holds (DESIGN rule 28)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.enforcement import Awaited, living_gates, next_end, obeyed_by, refuses_or_resumes
from apiclients.lifecycle.features import Feature
from apiclients.lifecycle.replicas import Replica
from tests.lifecycle.fleet import LEASE, Fleet, lease
from tests.lifecycle.settled_fleet import SECOND, all_tell, first, fleet, tell
from tests.lifecycle.world import START, World, available

pytestmark = pytest.mark.rule(28)


AWAITED = Awaited(refuses=True, client_version=7, holds_version=5)
LETTING_IN = Awaited(refuses=False, client_version=7, holds_version=5)


@pytest.mark.parametrize(
    ("gate", "refuses", "lets_in"),
    [
        (lease("a", 7, 5), True, True),
        (lease("a", 8, 9), True, True),
        (lease("a", 6, 5), False, False),
        (lease("a", 7, 4), False, False),
        (lease("a", 0, 0, ready=False), True, False),
        (lease("a", 7, 5, ready=False), True, False),
        (lease("a", 7, 5, ready=None), True, False),
        (lease("a", 0, 0, ready=None), False, False),
    ],
)
def test_a_gate_obeys_what_its_picture_has_and_one_that_is_not_ready_refuses(
    gate: Replica, refuses: bool, lets_in: bool
) -> None:
    assert (obeyed_by(gate, AWAITED), obeyed_by(gate, LETTING_IN)) == (refuses, lets_in)


@pytest.mark.rule(33)
@pytest.mark.parametrize("ready", [True, False])
def test_a_gate_that_does_not_know_a_field_never_obeys_it(ready: bool) -> None:
    awaited = Awaited(refuses=True, features=frozenset({Feature.ALL_CLIENTS}))
    assert obeyed_by(lease("new", ready=ready), awaited)
    assert not obeyed_by(lease("old", ready=ready, obeys=""), awaited)


def test_a_version_that_is_no_number_is_none() -> None:
    odd = lease("odd")
    assert odd.applied_clients == 0
    assert lease("odd", 10**30).applied_clients == 0


def test_the_first_lease_to_end_is_waited_for() -> None:
    gates = [lease("later", renewed=START + SECOND), lease("first"), lease("gone", renewed=START - 2 * LEASE)]
    assert next_end(gates, START + SECOND) == START + LEASE
    assert next_end(gates[2:], START) is None
    found = living_gates(gates, START + SECOND)
    assert [gate.name for gate in found.living] == ["first", "later"]
    assert found.lost == ("gone",)


def test_a_suspension_is_enforced_once_every_gate_has_the_spec() -> None:
    made = fleet()
    made.desire("Suspended")
    assert not made.is_enforced, "kubectl wait takes no condition of an earlier generation"
    made.reconcile()
    assert made.told == "False/Waiting"
    assert made.message == "0 of 2 gates; it waits for gate-1, gate-2."
    tell(made, first(made))
    assert not made.reconcile(), "one of two costs no write"
    made.world.now += timedelta(milliseconds=41)
    all_tell(made)
    assert made.reconcile()
    assert made.is_enforced
    assert made.message == "2 of 2 gates, 41 ms after it was seen."
    enforcement = made.world.status["enforcement"]
    assert (enforcement["gates"], enforcement["livingGates"], enforcement["generation"]) == (2, 2, 2)
    assert made.writes == 2


def test_what_all_gates_have_already_is_told_in_the_write_that_is_made_anyway() -> None:
    made = fleet()
    made.desire("Suspended")
    all_tell(made)
    made.reconcile()
    assert (made.is_enforced, made.writes) == (True, 1)
    assert made.message == "2 of 2 gates, when it was seen."


def test_a_resumption_is_enforced_once_every_gate_has_the_status_and_is_ready() -> None:
    made = fleet()
    made.desire("Suspended")
    all_tell(made)
    made.reconcile()
    made.desire("Available")
    all_tell(made)
    made.reconcile()
    assert made.told == "False/Waiting", "the gates have the spec, and let in by the status"
    late = first(made)
    all_tell(made)
    late.ready = False
    made.renew(late)
    assert not made.reconcile()
    tell(made, late)
    made.reconcile()
    assert made.is_enforced
    assert all(made.verdict(gate) for gate in made.gates.values())


def test_a_hold_and_its_end_are_enforced_in_the_same_generation() -> None:
    made = fleet()
    made.hold("stop")
    made.reconcile()
    assert made.told == "False/Waiting"
    for gate in made.gates.values():
        made.see_clients(gate)
        made.renew(gate)
    made.reconcile()
    assert made.told == "False/Waiting", "the gates have the client, and not the hold"
    all_tell(made)
    made.reconcile()
    assert made.is_enforced
    made.hold()
    made.reconcile()
    assert made.told == "False/Waiting"
    all_tell(made)
    made.reconcile()
    assert made.is_enforced
    assert made.writes == 4


def test_tokens_that_are_revoked_are_waited_for_too() -> None:
    made = fleet()
    made.edit(tokens__notBefore="2026-03-01T10:00:00Z")
    made.world.now += 5 * SECOND
    made.edit(tokens__notBefore="2026-03-01T10:00:05Z")
    made.reconcile()
    assert made.told == "False/Waiting"
    all_tell(made)
    made.reconcile()
    assert made.is_enforced


def test_a_harmless_edit_waits_for_nobody() -> None:
    made = fleet()
    made.edit(displayName="Billing")
    made.reconcile()
    assert (made.is_enforced, made.writes) == (True, 1)
    assert made.world.status["enforcement"]["generation"] == 2


def test_a_restart_writes_nothing_whatever_was_told() -> None:
    made = fleet()
    made.restart()
    assert not made.reconcile()
    made.desire("Suspended")
    made.reconcile()
    made.restart()
    made.world.now += SECOND
    assert not made.reconcile()
    all_tell(made)
    made.reconcile()
    assert made.is_enforced


def test_a_gate_that_comes_or_goes_changes_nothing_that_is_told() -> None:
    made = fleet()
    made.desire("Suspended")
    all_tell(made)
    made.reconcile()
    made.start()
    assert not made.reconcile()
    for gate in list(made.gates.values()):
        made.leave(gate)
    assert not made.reconcile()


def test_a_gate_that_hangs_is_waited_for_until_its_lease_ends_and_then_told_as_lost() -> None:
    made = fleet()
    first(made).hangs = True
    made.desire("Suspended")
    made.reconcile()
    made.world.now += LEASE - SECOND
    all_tell(made)
    assert not made.reconcile()
    made.world.now += 2 * SECOND
    all_tell(made)
    made.reconcile()
    assert made.is_enforced
    assert made.message == "1 of 1 gates, 16.0 s after it was seen. Lost, for its Lease has ended: gate-1."


def test_a_gate_that_stays_behind_is_named_alone_after_a_while() -> None:
    """Its Lease is renewed, and its picture stands still."""
    made = fleet(3)
    made.desire("Suspended")
    made.reconcile()
    stuck = first(made)
    for _ in range(31):
        made.world.now += SECOND
        for gate in made.gates.values():
            made.renew(gate) if gate is stuck else tell(made, gate)
        stuck.proved = made.world.now
        made.reconcile()
    assert made.message == "2 of 3 gates; it waits for gate-1."
    assert made.writes == 2
    assert made.world.due is None or made.world.due > made.world.now


def test_it_is_looked_at_again_to_name_who_stays_behind() -> None:
    made = fleet()
    made.desire("Suspended")
    made.reconcile()
    assert made.world.due == made.world.now + timedelta(seconds=30)


def test_a_client_that_is_new_waits_for_gates_to_know_it() -> None:
    made = Fleet()
    tell(made, made.start())
    made.version += 1  # others change; the gate has seen all
    made.reconcile()
    assert (made.told, made.writes) == ("True/Enforced", 1)
    late = Fleet()
    late.start().ready = True
    late.renew(first(late))
    late.reconcile()
    assert late.told == "False/Waiting"


def test_without_gates_nobody_knows_until_one_comes() -> None:
    made = fleet(0)
    made.desire("Suspended")
    made.reconcile()
    assert made.told == "Unknown/NoGates"
    made.start()
    made.reconcile()
    assert made.is_enforced, "it answers 503"


def test_a_retirement_that_is_held_is_not_enforced_and_going_back_is() -> None:
    made = fleet()
    made.world.contracts = {"orders"}
    made.desire("Retired")
    all_tell(made)
    made.reconcile()
    assert made.told == "False/AcknowledgementRequired"
    assert not made.reconcile()
    made.desire("Available")
    all_tell(made)
    made.reconcile()
    assert made.is_enforced


def test_a_retirement_that_is_accepted_later_waits_for_the_status() -> None:
    """A gate may not know yet that the contract which held it has ended."""
    made = fleet()
    made.world.contracts = {"orders"}
    made.desire("Retired")
    all_tell(made)
    made.reconcile()
    made.world.contracts = set()
    made.reconcile()
    assert made.told == "False/Waiting"
    all_tell(made)
    made.reconcile()
    assert made.is_enforced


def test_who_does_not_know_the_gates_leaves_it_as_it_is() -> None:
    made = fleet()
    before = made.world.told("Enforced"), made.world.status["enforcement"]
    made.world.sight = None
    made.world.desire("Suspended").settle()
    assert made.world.told("Enforced") == before[0]
    assert available().told("Enforced") == "-"


@pytest.mark.rule(32)
def test_what_an_earlier_release_has_written_in_between_is_judged_anew() -> None:
    """It keeps what it does not know, and so also that another desired status was enforced."""
    made = fleet()
    told = made.world.status["enforcement"]
    made.desire("Suspended")
    made.reconcile()
    made.world.status["enforcement"] = told
    for condition in made.world.status["conditions"]:
        if condition["type"] == "Enforced":
            condition |= {"status": "True", "reason": "Enforced"}
    made.reconcile()
    assert made.told == "False/Waiting"


@pytest.mark.rule(32)
def test_a_reason_of_a_newer_version_is_judged_anew() -> None:
    made = fleet()
    for condition in made.world.status["conditions"]:
        if condition["type"] == "Enforced":
            condition["reason"] = "SomethingNewer"
    all_tell(made)
    made.reconcile()
    assert made.told == "True/Enforced"


def _view(**parts: object) -> ClientView:
    return available(**parts).view()


def test_a_gate_tells_at_once_of_what_refuses_or_resumes() -> None:
    world = available()
    running = world.view()
    suspended = world.desire("Suspended").view()
    assert refuses_or_resumes(running, suspended)
    world.settle()
    assert not refuses_or_resumes(suspended, world.view()), "the status says what the gate does already"
    stopped = world.view()
    asked = world.desire("Available").view()
    assert not refuses_or_resumes(stopped, asked), "the operator has not agreed yet"
    world.settle()
    assert refuses_or_resumes(asked, world.view())
    again = world.view()
    assert not refuses_or_resumes(again, world.edit(displayName="Billing").view())
    assert refuses_or_resumes(again, world.edit(tokens__notBefore="2026-03-01T10:00:00Z").view())


def test_a_world_without_gates_is_as_it_was() -> None:
    assert "enforcement" not in World().settle().to_object()
