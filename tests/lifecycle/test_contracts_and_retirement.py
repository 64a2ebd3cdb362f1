"""Contracts of clients and Apis that are retired: what ends, what does not begin, what comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lifecycle.parties import (
    AUTOMATIC_GOLD,
    BASIC,
    GOLD,
    MANUAL_BASIC,
    Stage,
    in_force,
    raw_api,
    raw_contract,
)


def of_gold() -> Stage:
    return Stage(raw_contract(plan="gold"))


# Retirement of the client.


@pytest.mark.rule(9)
def test_a_held_retirement_changes_nothing_for_a_contract_in_force() -> None:
    stage = in_force().client_wishes("Retired", "Available")
    stage.settle()
    assert stage.seen == "Active/Active"
    stage.offer(BASIC, AUTOMATIC_GOLD).ask(plan="gold").settle()
    assert stage.plan == "gold", "a plan may still be edited"


def _another_client(stage: Stage) -> None:
    assert stage.client is not None
    stage.client["metadata"]["uid"] = "made again"


def _another_api(stage: Stage) -> None:
    assert stage.api is not None
    stage.api["metadata"]["name"] = "stock"
    stage.ask(api={"namespace": "shop", "name": "stock"})


@pytest.mark.rule(8)
@pytest.mark.parametrize(
    "make",
    [
        lambda: Stage(),
        lambda: of_gold().say(),
        lambda: _changed(in_force(), lambda s: s.ask(clientName="billing-2")),
        lambda: _changed(in_force(), _another_api),
        lambda: _changed(in_force(), _another_client),
    ],
    ids=["new", "newly approved", "asked for another client", "asked for another Api", "of a client made again"],
)
def test_while_spec_says_retired_none_becomes_active(make: Callable[[], Stage]) -> None:
    stage = make().client_wishes("Retired", "Available")
    stage.settle()
    assert (stage.seen, stage.status.in_force) == ("Inactive/ClientRetired", None)


@pytest.mark.rule(8)
@pytest.mark.parametrize(
    ("lose", "seen"),
    [
        (lambda s: s.unsay(), "PendingApproval/PendingApproval"),
        (lambda s: s.say(decision="Rejected"), "Rejected/Rejected"),
        (lambda s: s.offer(BASIC), "Pending/PlanNotFound"),
        (lambda s: setattr(s, "allowed", False), "Pending/ApiNotFound"),
        (lambda s: s.api_wishes("Retired", "Retired"), "Inactive/ApiRetired"),
    ],
    ids=["the approval goes", "rejected", "the plan goes", "not allowed", "the Api is retired"],
)
def test_a_contract_that_ends_while_a_retirement_is_held_does_not_come_back(
    lose: Callable[[Stage], object], seen: str
) -> None:
    stage = in_force("gold").client_wishes("Retired", "Available")
    lose(stage)
    stage.settle()
    assert (stage.seen, stage.plan) == (seen, None)
    stage.allowed = True
    stage.offer(BASIC, GOLD).api_wishes("Published", "Published").say().settle()
    assert (stage.seen, stage.plan) == ("Inactive/ClientRetired", None)


def _changed(stage: Stage, change: Callable[[Stage], object]) -> Stage:
    change(stage)
    return stage


@pytest.mark.rule(8)
@pytest.mark.parametrize("plan", ["basic", "gold"])
def test_what_a_retirement_ended_comes_back_where_it_is_still_granted(plan: str) -> None:
    stage = in_force(plan).client_wishes("Retired", "Retired")
    stage.settle()
    assert (stage.seen, stage.plan) == ("Inactive/ClientRetired", None)
    stage.client_wishes("Available", "Retired").settle()
    assert stage.seen == "Inactive/ClientRetired", "until the operator agrees"
    stage.client_wishes("Available", "Available").offer(MANUAL_BASIC, GOLD).settle()
    assert (stage.seen, stage.plan) == ("Active/Active", plan), "also under a plan that turned Manual meanwhile"


@pytest.mark.rule(8)
@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda s: s.unsay(), "PendingApproval/PendingApproval"),
        (lambda s: s.say(decision="Rejected"), "Rejected/Rejected"),
        (lambda s: s.api_wishes("Retired", "Retired"), "Inactive/ApiRetired"),
        (lambda s: s.offer(BASIC), "Pending/PlanNotFound"),
    ],
    ids=["the approval went", "rejected", "the Api was retired", "the plan went"],
)
def test_what_lost_its_ground_meanwhile_is_reported_and_does_not_come_back(
    change: Callable[[Stage], object], seen: str
) -> None:
    stage = in_force("gold").client_wishes("Retired", "Retired")
    stage.settle()
    change(stage)
    stage.settle()
    stage.client_wishes("Available", "Available").settle()
    assert (stage.seen, stage.plan) == (seen, None)


@pytest.mark.rule(8)
def test_a_contract_that_asked_for_something_else_meanwhile_is_a_new_request() -> None:
    stage = in_force().client_wishes("Retired", "Retired")
    stage.settle()
    stage.ask(clientName="other").settle()
    stage.ask(clientName="billing").settle()
    stage.client_wishes("Available", "Available").offer(MANUAL_BASIC).settle()
    assert stage.seen == "PendingApproval/PendingApproval"


# Retirement of the Api.


@pytest.mark.rule(13)
def test_contracts_of_a_retired_api_come_back_when_it_is_published_in_time() -> None:
    stage = in_force("gold").api_wishes("Retired", "Published")
    stage.settle()
    assert stage.seen == "Active/Active", "held: everything goes on as before"
    stage.api_wishes("Retired", "Retired").settle()
    assert stage.seen == "Inactive/ApiRetired"
    stage.api_wishes("Published", "Retired").settle()
    assert stage.seen == "Inactive/ApiRetired", "published again after the end is never obeyed"
    stage.api_wishes("Published", "Published").settle()
    assert (stage.seen, stage.plan) == ("Active/Active", "gold")


@pytest.mark.rule(13)
@pytest.mark.parametrize("accepted", [None, "Published"], ids=["never looked at", "held"])
def test_no_contract_becomes_active_while_the_apis_spec_says_retired(accepted: str | None) -> None:
    stage = Stage(api=raw_api(desired="Retired"))
    assert stage.api is not None
    if accepted:
        stage.api["status"]["desiredStatus"] = accepted
    stage.settle()
    assert stage.seen == "Inactive/ApiRetired"
