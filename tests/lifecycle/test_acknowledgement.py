"""A retirement names what it ends: while it does not, everything goes on as before."""

from __future__ import annotations

import pytest

from apiclients.lifecycle.steps import ProveContracts
from apiclients.resources.apiclient import MAX_CONTRACTS
from apiclients.resources.conditions import MAX_MESSAGE
from tests.lifecycle.status_checks import faults, kstatus
from tests.lifecycle.world import DAY, HOUR, World, available

pytestmark = pytest.mark.rule(9)


def consuming(*contracts: str) -> World:
    world = available()
    world.contracts = set(contracts)
    world.settle()
    return world


@pytest.mark.rule(24)
def test_an_unacknowledged_retirement_changes_nothing_and_says_what_to_paste() -> None:
    world = consuming("billing-orders", "billing-stock")
    token = world.token()
    world.edit(desiredStatus="Retired", retirement__acknowledgedContracts=["billing-orders"]).settle()
    assert (world.observed, world.status["desiredStatus"]) == ("Available", "Available")
    assert "retirement" not in world.status
    assert world.told("Ready") == "False/AcknowledgementRequired"
    assert (world.told("Stalled"), world.told("Active")) == ("True/AcknowledgementRequired", "True/Available")
    assert kstatus(world.typed_status, world.generation) == "Failed"
    assert faults(world.typed_status, world.generation) == []
    stalled = world.condition("Stalled")
    assert stalled is not None
    assert "2 active contract(s), of which 1 are not acknowledged: billing-stock" in stalled.message
    assert "retirement: {acknowledgedContracts: [billing-orders, billing-stock]}" in stalled.message
    world.wait(2 * DAY).desire("Available").settle()
    assert world.told("Ready") == "True/Available"
    assert isinstance(world.refusal(token), str), "by its own age"
    assert len(world.issued) == 1


@pytest.mark.parametrize("named", [["a", "b"], ["a", "b", "gone", "never-was"]], ids=["exactly", "a superset"])
def test_a_retirement_that_names_all_is_accepted(named: list[str]) -> None:
    world = consuming("a", "b").edit(desiredStatus="Retired", retirement__acknowledgedContracts=named)
    world.settle()
    assert (world.observed, world.told("Ready")) == ("Retired", "True/Retired")


def test_a_contract_that_ended_after_the_review_does_not_block_and_one_that_came_does() -> None:
    world = consuming("a", "b").edit(desiredStatus="Retired", retirement__acknowledgedContracts=["a"])
    world.settle()
    assert world.observed == "Available"
    world.contracts = {"a", "c"}
    world.settle()
    assert world.observed == "Available"
    world.contracts = {"a"}
    world.settle()
    assert world.observed == "Retired"


def test_contracts_are_counted_anew_at_the_moment_of_accepting() -> None:
    world = consuming("a").edit(desiredStatus="Retired", retirement__acknowledgedContracts=["a"])
    assert isinstance(world.decide().step, ProveContracts)
    world.settle()
    assert world.decide().step is None
    world.contracts = {"a", "late"}
    world.settle()
    assert world.observed == "Retired", "an accepted retirement is not taken back by a contract"


@pytest.mark.rule(3)
def test_a_suspended_client_whose_retirement_is_held_stays_suspended() -> None:
    world = consuming("a").desire("Suspended")
    world.settle()
    world.desire("Retired").settle()
    assert (world.observed, world.status["desiredStatus"]) == ("Suspended", "Suspended")


@pytest.mark.rule(16)
def test_a_suspension_that_nobody_observed_holds_while_the_retirement_after_it_is_held() -> None:
    world = consuming("a")
    world.desire("Suspended").desire("Retired").settle()
    assert world.observed == "Suspended"


@pytest.mark.rule(16)
def test_a_client_that_is_refused_for_an_edit_that_nobody_observed_is_told_so_and_the_way_back() -> None:
    world = consuming("a")
    world.edit(displayName="Billing").desire("Retired").settle()
    for _ in range(2):  # also once status says that Suspended is in force
        world.settle()
        stalled = world.condition("Stalled")
        assert stalled is not None
        assert "The client is Suspended meanwhile" in stalled.message
        assert "desiredStatus: Available resumes it" in stalled.message
    world.desire("Available").settle()
    assert (world.observed, world.told("Ready")) == ("Available", "True/Available")


@pytest.mark.rule(16)
def test_a_client_whose_secret_cannot_be_written_goes_on_while_its_retirement_is_held() -> None:
    world = consuming("a").edit(secret__revision=2)
    world.settle(refuse=lambda step: True)
    assert world.told("Reconciling") == "True/WriteFailed"
    world.wait(HOUR).desire("Retired").settle(refuse=lambda step: True)
    assert world.observed == "Available"


def test_the_yaml_to_paste_is_complete_for_as_many_contracts_with_names_as_long_as_there_can_be() -> None:
    names = [f"{number:03}-{'x' * 59}" for number in range(MAX_CONTRACTS)]
    world = consuming(*names).edit(desiredStatus="Retired")
    world.settle()
    stalled = world.condition("Stalled")
    assert stalled is not None
    assert len(names[0]) == 63
    quoted = ", ".join(f'"{name}"' for name in names)
    assert stalled.message.endswith(f"retirement: {{acknowledgedContracts: [{quoted}]}}")
    assert len(stalled.message) <= MAX_MESSAGE


def test_without_a_proof_nothing_is_decided() -> None:
    world = consuming("a").edit(desiredStatus="Retired", retirement__acknowledgedContracts=["a"])
    with pytest.raises(TypeError, match="without a proof"):
        world.settle(refuse=lambda step: isinstance(step, ProveContracts))
    assert (world.observed, world.status["desiredStatus"]) == ("Available", "Available")
