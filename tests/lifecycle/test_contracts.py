"""Contracts: which are in force, under which plan, and what a person reads of those that are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from apiclients.lifecycle.contract_view import ContractView, contract_view, contracts_of_client
from apiclients.lifecycle.contracts import may_contract
from apiclients.resources.api import Consumers
from apiclients.resources.apiclient import MAX_CONTRACTS
from apiclients.resources.fields import format_time
from apiclients.resources.objects import Contract
from tests.lifecycle.parties import (
    AUTOMATIC_GOLD,
    BASIC,
    GOLD,
    MANUAL_BASIC,
    NOW,
    Stage,
    granted,
    in_force,
    message,
    raw_client,
    raw_contract,
    told,
)

DELETING = {"deletionTimestamp": format_time(NOW)}


def of_gold() -> Stage:
    return Stage(raw_contract(plan="gold"))


# Every row of the table in docs/contract.md: the stage, observed/reason, Ready, Active.
ROWS: dict[str, tuple[Callable[[], Stage], str, str, str]] = {
    "the client is not there": (lambda: Stage(client=None), "Pending/ClientNotFound", "False", "False"),
    "the client is being deleted": (
        lambda: Stage(client=raw_client(**DELETING)),
        "Pending/ClientNotFound",
        "False",
        "False",
    ),
    "the Api is not there": (lambda: Stage(api=None), "Pending/ApiNotFound", "False", "False"),
    "the namespace may not contract": (lambda: Stage(allowed=False), "Pending/ApiNotFound", "False", "False"),
    "the plan is not there": (lambda: Stage(raw_contract(plan="iron")), "Pending/PlanNotFound", "False", "False"),
    "a Manual plan, nobody has said anything": (of_gold, "PendingApproval/PendingApproval", "True", "False"),
    "an Automatic plan": (Stage, "Active/Active", "True", "True"),
    "a Manual plan, approved": (lambda: of_gold().say(), "Active/Active", "True", "True"),
    "a Manual plan, rejected": (lambda: of_gold().say(decision="Rejected"), "Rejected/Rejected", "False", "False"),
    "an Automatic plan, rejected": (
        lambda: Stage().say("basic", "Rejected"),
        "Rejected/Rejected",
        "False",
        "False",
    ),
    "the client is retired": (
        lambda: Stage().client_wishes("Retired", "Retired"),
        "Inactive/ClientRetired",
        "True",
        "False",
    ),
    "the Api is retired": (lambda: Stage().api_wishes("Retired", "Retired"), "Inactive/ApiRetired", "True", "False"),
    "an older contract is in force": (
        lambda: Stage(raw_contract(uid="z"), rivals=[granted(raw_contract("older", uid="a"))]),
        "Inactive/Conflict",
        "False",
        "False",
    ),
    "there are too many": (
        lambda: Stage(other_active=MAX_CONTRACTS),
        "Inactive/TooManyContracts",
        "False",
        "False",
    ),
}


@pytest.mark.rule(24)
@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_table(row: str) -> None:
    make, seen, ready, active = ROWS[row]
    stage = make()
    status = stage.settle()
    assert stage.seen == seen
    assert told(status, "Ready").split("/")[0] == ready
    assert told(status, "Active").split("/")[0] == active


@pytest.mark.rule(12)
@pytest.mark.parametrize("observed", ["Pending", "Expired", "Suspended"])
def test_whether_a_contract_is_active_does_not_depend_on_the_state_of_its_client(observed: str) -> None:
    stage = Stage(client=raw_client("Suspended", "Suspended"))
    assert stage.client is not None
    stage.client["status"]["observedStatus"] = observed
    stage.settle()
    assert stage.seen == "Active/Active"


# Make before break.


def test_an_edited_plan_comes_into_force_at_once_where_it_may() -> None:
    stage = in_force("basic").offer(BASIC, AUTOMATIC_GOLD).ask(plan="gold")
    stage.settle()
    assert (stage.plan, stage.seen) == ("gold", "Active/Active")


@pytest.mark.parametrize(
    ("prepare", "plan", "reason"),
    [
        (lambda s: s.ask(plan="gold"), "basic", "True/PendingApproval"),
        (lambda s: s.ask(plan="gold").say(decision="Rejected"), "basic", "False/Rejected"),
        (lambda s: s.ask(plan="iron"), "basic", "False/PlanNotFound"),
        (lambda s: s.ask(plan="gold").say(), "gold", "True/Active"),
    ],
    ids=["waits for approval", "is rejected", "is not there", "is approved"],
)
def test_the_old_plan_stays_until_the_new_one_is_in_force(
    prepare: Callable[[Stage], object], plan: str, reason: str
) -> None:
    stage = in_force("basic")
    prepare(stage)
    status = stage.settle()
    assert (status.observed_status, stage.plan, told(status, "Ready")) == ("Active", plan, reason)
    assert told(status, "Active") == "True/Active"
    assert f"Plan {plan} is in force" in message(status, "Active")


@pytest.mark.rule(14)
@pytest.mark.parametrize(
    "lose",
    [
        lambda s: s.offer(GOLD),
        lambda s: s.say("basic", "Rejected", "no"),
        lambda s: s.ask(clientName="other"),
        lambda s: s.ask(api={"namespace": "shop", "name": "stock"}),
    ],
    ids=["the old plan goes", "the old plan is rejected", "for another client", "for another Api"],
)
def test_an_old_plan_whose_ground_is_gone_is_not_kept(lose: Callable[[Stage], object]) -> None:
    stage = in_force("basic")
    lose(stage)
    stage.ask(plan="gold").settle()
    assert (stage.plan, stage.status.observed_status) == (None, "PendingApproval" if stage.api else "Pending")


@pytest.mark.rule(14)
def test_a_plan_that_turns_manual_keeps_what_came_in_before_and_lets_nobody_else_in() -> None:
    stage = in_force("basic").offer(MANUAL_BASIC)
    stage.settle()
    assert stage.seen == "Active/Active"
    newcomer = Stage(api=stage.api)
    newcomer.settle()
    assert newcomer.seen == "PendingApproval/PendingApproval"
    stage.ask(plan="gold").offer(MANUAL_BASIC, GOLD).settle()
    assert stage.plan == "basic"
    stage.ask(plan="basic").settle()
    assert stage.seen == "Active/Active", "back to what was in force all the time"


@pytest.mark.rule(14)
@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda s: s.unsay(), "PendingApproval/PendingApproval"),
        (lambda s: s.say(decision="Rejected"), "Rejected/Rejected"),
        (lambda s: s.say("basic"), "PendingApproval/PendingApproval"),
        (lambda s: s.say(client="other"), "PendingApproval/PendingApproval"),
        (lambda s: s.say(api="stock"), "PendingApproval/PendingApproval"),
        (lambda s: s.say(decision="Rejected", name="no"), "Rejected/Rejected"),
    ],
    ids=["removed", "turned to no", "for another plan", "for another client", "for another Api", "outvoted"],
)
def test_a_contract_stops_with_the_approval_that_let_it_in(change: Callable[[Stage], object], seen: str) -> None:
    stage = in_force("gold")
    change(stage)
    stage.settle()
    assert (stage.seen, stage.plan, stage.status.in_force) == (seen, None, None)


@pytest.mark.rule(14)
def test_an_approval_is_not_needed_while_the_plan_is_automatic_and_is_again_after() -> None:
    stage = in_force("gold").offer(BASIC, AUTOMATIC_GOLD)
    stage.settle()
    stage.unsay().settle()
    assert stage.seen == "Active/Active"
    stage.offer(BASIC, GOLD).settle()
    assert stage.seen == "Active/Active", "it was in force by itself when the plan turned Manual"


# At most one is in force.


def viewed(raw: dict[str, Any]) -> ContractView:
    return contract_view(Contract.from_object(raw))


@pytest.mark.rule(24)
@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1)], ids=["in the same second", "a second later"])
def test_the_oldest_is_in_force_and_after_it_the_next(late: timedelta) -> None:
    names = ["first", "second", "third"]
    made = [
        granted(raw_contract(name, uid=f"u{i}", creationTimestamp=format_time(NOW + i * late)))
        for i, name in enumerate(names)
    ]
    assert [view.claim.name for view in sorted(map(viewed, reversed(made)), key=lambda view: view.age_key)] == names
    while made:
        counting, *others = made
        for one in made:
            stage = Stage(one, rivals=[other for other in made if other is not one])
            stage.settle()
            assert stage.seen == ("Active/Active" if one is counting else "Inactive/Conflict")
        made = others


def test_a_contract_that_is_being_deleted_stands_in_nobodys_way() -> None:
    going = granted(raw_contract("going", uid="a"))
    going["metadata"] |= DELETING
    going["metadata"]["creationTimestamp"] = format_time(NOW - timedelta(days=1))
    stage = Stage(raw_contract(uid="z"), rivals=[going])
    stage.settle()
    assert stage.seen == "Active/Active"


WAITING: dict[str, Callable[[], Stage]] = {
    "for a plan": lambda: Stage(raw_contract("older", plan="no-such-plan", uid="a")),
    "for an approval": lambda: Stage(raw_contract("older", plan="gold", uid="a")),
    "in vain, after a rejection": lambda: Stage(raw_contract("older", plan="gold", uid="a")).say("gold", "Rejected"),
}


@pytest.mark.rule(12)
@pytest.mark.parametrize("waits", WAITING)
def test_an_older_contract_that_is_not_in_force_stands_in_nobodys_way(waits: str) -> None:
    older = WAITING[waits]()
    older.settle()
    younger = Stage(raw_contract(uid="z"), rivals=[older.contract])
    younger.settle()
    assert younger.seen == "Active/Active"
    older.rivals = [younger.contract]
    older.ask(plan="basic").settle()
    assert older.seen == "Active/Active", "age decides once it can be in force"
    younger.rivals = [older.contract]
    younger.settle()
    assert younger.seen == "Inactive/Conflict"


@pytest.mark.rule(8, 12)
def test_a_retired_client_remembers_which_of_two_contracts_was_in_force() -> None:
    older = granted(raw_contract("older", plan="no-such-plan", uid="a"))
    younger = Stage(raw_contract(uid="z"), rivals=[older])
    younger.settle()
    retired = Stage(older, rivals=[younger.contract]).client_wishes("Retired", "Retired")
    retired.settle()
    younger.rivals = [retired.contract]
    younger.client_wishes("Retired", "Retired").settle()
    assert (retired.seen, younger.seen) == ("Inactive/ClientRetired", "Inactive/ClientRetired")
    younger.client_wishes("Available", "Available").settle()
    assert younger.seen == "Active/Active"


@pytest.mark.rule(9)
@pytest.mark.rule(14)
def test_a_contract_that_is_being_deleted_is_not_counted() -> None:
    going = in_force().contract
    going["metadata"] |= DELETING
    counted = contracts_of_client([viewed(going)])
    assert (counted.active, counted.pending, counted.active_names) == (0, 0, [])
    waiting = of_gold()
    waiting.settle()
    waiting.contract["metadata"] |= DELETING
    assert not viewed(waiting.contract).waits_for_approval


def test_at_most_256_are_active_also_when_many_come_back_at_once() -> None:
    stage = in_force()
    stage.other_active = MAX_CONTRACTS - 1
    stage.settle()
    assert stage.seen == "Active/Active", "the last that fits"
    stage.api_wishes("Retired", "Retired").settle()
    stage.other_active = MAX_CONTRACTS
    stage.api_wishes("Published", "Published").settle()
    assert (stage.seen, stage.plan) == ("Inactive/TooManyContracts", None)
    stage.other_active = MAX_CONTRACTS - 1
    stage.settle()
    assert stage.seen == "Active/Active"


# Who may contract.

SELECTOR: dict[str, Any] = {"from": "Selector", "selector": {"matchLabels": {"tier": "gold"}}}
MAY = [
    ({"from": "Same"}, "shop", {}, True),
    ({"from": "Same"}, "team-a", {}, False),
    ({"from": "All"}, "team-a", None, True),
    (SELECTOR, "shop", None, True),
    (SELECTOR, "team-a", {"tier": "gold"}, True),
    (SELECTOR, "team-a", {"tier": "iron"}, False),
    (SELECTOR, "team-a", {}, False),
    (SELECTOR, "team-a", None, False),
    ({"from": "Selector"}, "team-a", {"tier": "gold"}, False),
    ({"from": "Selector", "selector": {}}, "team-a", {}, True),
    ({"from": "Selector", "selector": {}}, "team-a", None, False),
    ({"from": "Same", "selector": {}}, "team-a", {}, False),
]


@pytest.mark.rule(15)
@pytest.mark.parametrize(("consumers", "namespace", "labels", "may"), MAY)
def test_who_may_contract(consumers: dict[str, Any], namespace: str, labels: dict[str, str] | None, may: bool) -> None:
    assert may_contract(Consumers.model_validate(consumers), "shop", namespace, labels) is may


@pytest.mark.rule(15)
@pytest.mark.parametrize("plan", ["basic", "gold", "iron"])
@pytest.mark.parametrize("before", [False, True], ids=["from the start", "after it was in force"])
def test_not_there_and_not_allowed_read_the_same_to_the_byte(plan: str, before: bool) -> None:
    seen = []
    for part, value in (("api", None), ("allowed", False)):
        stage = in_force("gold").ask(plan=plan) if before else Stage(raw_contract(plan=plan)).say()
        setattr(stage, part, value)
        stage.settle()
        seen.append((stage.contract["status"], stage.events))
    assert seen[0] == seen[1]
    assert seen[0][0]["observedStatus"] == "Pending"
    assert "inForce" not in seen[0][0]


# What is told.


def test_each_transition_is_told_once() -> None:
    stage = of_gold()
    stage.settle()
    stage.say(decision="Rejected", reason="Not without a budget").settle()
    stage.say().settle()
    stage.settle()
    assert [(event.reason, event.warning) for event in stage.events] == [
        ("PendingApproval", False),
        ("Rejected", True),
        ("Active", False),
    ]
    assert "namespace shop" in stage.events[0].note
    assert stage.events[1].note.endswith("rejected by the Api's owner: Not without a budget")
