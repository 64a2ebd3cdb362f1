"""Approvals: of which contract they speak, which of them count, and what their owner reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from apiclients.lifecycle.approvals import counts, decide_approval, decisive, ruling
from apiclients.lifecycle.contract_view import claim, contract_view
from apiclients.lifecycle.history import condition_announcements
from apiclients.resources.objects import Contract, ContractApproval
from tests.lifecycle.parties import BASIC, GOLD, NOW, Stage, in_force, message, raw_approval, raw_contract, told

PLAT = GOLD | {"name": "plat"}


def asked(plan: str = "gold") -> Stage:
    return Stage(raw_contract(plan=plan))


def approval_of(stage: Stage, name: str = "yes") -> ContractApproval:
    found = stage.approval(name)
    assert found is not None
    return ContractApproval.from_object(found)


def test_an_approval_that_matches_in_all_counts() -> None:
    stage = asked().say()
    stage.settle()
    assert stage.approval_told() == "True/Counted"
    bound = approval_of(stage).status.bound
    assert bound is not None
    assert (bound.contract_uid, bound.generation) == (stage.contract["metadata"]["uid"], 1)


MISMATCHES: dict[str, dict[str, Any]] = {
    "another client": {"client": "other"},
    "another plan": {"plan": "iron"},
    "another Api": {"api": "stock"},
}


@pytest.mark.parametrize("spec", MISMATCHES.values(), ids=MISMATCHES)
def test_an_approval_counts_only_where_all_match(spec: dict[str, Any]) -> None:
    stage = asked().say(**spec)
    stage.settle()
    assert (stage.approval_told(), stage.plan) == ("False/Mismatch", None)
    text = message(approval_of(stage).status)
    assert "asks for client billing, api shop/orders, plan gold" in text
    assert "all must be the same" in text


def test_an_approval_may_be_there_before_its_contract() -> None:
    approval = ContractApproval.from_object(raw_approval())
    status = decide_approval(approval, None, [ruling(approval)], None, NOW)
    assert (told(status, "Ready"), status.bound) == ("False/ContractNotFound", None)
    stage = asked().say()
    stage.settle()
    assert (stage.plan, stage.approval_told()) == ("gold", "True/Counted")


@pytest.mark.rule(15)
def test_the_owner_of_an_api_learns_nothing_of_contracts_with_other_namespaces() -> None:
    """Else whoever may write approvals could ask for every contract in the cluster."""
    elsewhere = raw_contract()
    elsewhere["spec"]["api"] = {"namespace": "bank", "name": "orders"}
    approval = ContractApproval.from_object(raw_approval())
    nowhere = decide_approval(approval, None, [ruling(approval)], None, NOW)
    assert (
        decide_approval(approval, contract_view(Contract.from_object(elsewhere)), [ruling(approval)], None, NOW)
        == nowhere
    )


def bound_and_in_force() -> Stage:
    """Under a plan that was approved."""
    stage = asked().say()
    stage.settle()
    assert (stage.plan, stage.approval_told()) == ("gold", "True/Counted")
    return stage


@pytest.mark.rule(14)
@pytest.mark.parametrize("whose", ["client", "api"])
def test_a_contract_that_was_made_again_for_another_needs_a_new_say(whose: str) -> None:
    stage = bound_and_in_force().renew()
    party = getattr(stage, whose)
    party["metadata"]["uid"] = "made-again"
    stage.settle()
    assert (stage.seen, stage.approval_told()) == ("PendingApproval/PendingApproval", "False/Mismatch")
    assert "edit it" in message(approval_of(stage).status)
    assert told(approval_of(stage).status, "Stalled") == "True/Mismatch"
    stage.say(reason="For the new one too").settle()
    assert (stage.plan, stage.approval_told()) == ("gold", "True/Counted")


@pytest.mark.rule(9)
def test_an_edited_reason_does_not_end_a_contract_in_status_for_a_moment() -> None:
    """In that moment a retirement that is held for the contract would be accepted."""
    stage = in_force("gold").client_wishes("Retired", "Available").say(reason="Better")
    stage.decide_contract()
    assert stage.plan == "gold"
    stage.settle()
    assert (stage.plan, stage.approval_told()) == ("gold", "True/Counted")
    assert stage.events == []


@pytest.mark.rule(14)
def test_an_edited_reason_does_not_stop_traffic_for_a_moment() -> None:
    """The gate sees the edit before the operator has bound the approval anew, or while there is no operator."""
    stage = in_force("gold").say(reason="Better")
    about, said = claim(Contract.from_object(stage.contract)), ruling(approval_of(stage))
    assert decisive(about, "gold", [said]) is said
    stage.settle()
    assert decisive(about, "gold", [ruling(approval_of(stage))]) is not None


@pytest.mark.rule(14)
def test_an_edited_reason_does_not_end_a_plan_in_force_while_another_is_asked_for() -> None:
    stage = in_force("gold").offer(BASIC, GOLD, PLAT).ask(plan="plat")
    stage.settle()
    assert (stage.plan, stage.seen) == ("gold", "Active/PendingApproval")
    stage.say(reason="Better").settle()
    assert (stage.plan, stage.seen, stage.approval_told()) == ("gold", "Active/PendingApproval", "True/Counted")
    assert message(approval_of(stage).status).endswith("counts for plan gold.")


@pytest.mark.rule(14)
def test_an_approval_of_the_plan_in_force_takes_the_place_of_another() -> None:
    stage = in_force("gold").offer(BASIC, GOLD, PLAT).ask(plan="plat")
    stage.settle()
    stage.say(name="instead").settle()
    stage.unsay().settle()
    assert (stage.plan, stage.approval_told("instead")) == ("gold", "True/Counted")


def test_an_approval_stays_bound_when_the_contract_has_moved_on() -> None:
    stage = in_force("gold").offer(BASIC, GOLD).ask(plan="basic")
    stage.settle()
    stage.say(reason="Better").settle()
    assert (stage.plan, stage.approval_told()) == ("basic", "True/Counted")
    assert message(approval_of(stage).status).endswith("while the contract asks for plan basic.")


@pytest.mark.rule(14)
def test_a_deletion_of_a_contract_that_is_reverted_restores_it() -> None:
    stage = bound_and_in_force()
    deleted, stage.contract = stage.contract, {}
    stage.decide_approval(stage.approvals[0])
    status = approval_of(stage).status
    assert (told(status, "Ready"), told(status, "Stalled")) == ("False/ContractNotFound", "True/ContractNotFound")
    stage.contract = deleted
    stage.renew().settle()
    assert (stage.seen, stage.plan, stage.approval_told()) == ("Active/Active", "gold", "True/Counted")
    stage.renew("a third").settle()
    assert (stage.plan, stage.approval_told()) == ("gold", "True/Counted")


@pytest.mark.rule(14)
@pytest.mark.parametrize("change", [{"plan": "plat"}, {"clientName": "other"}])
def test_made_again_with_something_else_it_needs_a_new_say(change: dict[str, Any]) -> None:
    stage = bound_and_in_force().offer(BASIC, GOLD, PLAT).renew()
    stage.ask(**change).settle()
    assert (stage.plan, stage.approval_told()) == (None, "False/Mismatch")


@pytest.mark.rule(14)
def test_what_an_approval_never_let_in_it_does_not_let_in_again() -> None:
    stage = asked().say()
    for one in stage.approvals:
        stage.decide_approval(one)
    assert stage.approval_told() == "True/Counted"
    stage.renew().settle()
    assert (stage.plan, stage.approval_told()) == (None, "False/Mismatch")


@pytest.mark.rule(24)
def test_an_approval_is_stalled_only_once_its_contract_is_settled() -> None:
    waiting = ContractApproval.from_object(raw_approval())
    status = decide_approval(waiting, None, [ruling(waiting)], None, NOW)
    assert (told(status, "Ready"), told(status, "Stalled")) == ("False/ContractNotFound", "-")
    stage = asked().say(plan="iron")
    stage.decide_approval(stage.approvals[0])
    assert told(approval_of(stage).status, "Stalled") == "-", "the contract was not looked at yet"
    stage.settle()
    assert told(approval_of(stage).status, "Stalled") == "True/Mismatch"
    stage.ask(plan="iron")
    stage.offer(BASIC, GOLD | {"name": "iron"}).settle()
    assert (told(approval_of(stage).status, "Stalled"), stage.plan) == ("-", "iron")


@pytest.mark.rule(14)
def test_an_edited_approval_counts_for_the_contract_that_it_was_bound_to_and_for_no_later_one() -> None:
    stage = in_force("gold").say(reason="Better").renew()
    assert stage.decide_contract().observed_status == "PendingApproval"


@pytest.mark.rule(16)
@pytest.mark.parametrize("plan", ["basic", "gold"])
def test_a_rejection_counts_from_the_first_moment(plan: str) -> None:
    """Otherwise a contract under an Automatic plan would be in force until the rejection is bound."""
    new = asked(plan).say(plan, "Rejected")
    assert new.decide_contract().observed_status == "Rejected"
    old = in_force(plan).say(plan, "Rejected", "no")
    assert (old.decide_contract().observed_status, old.plan) == ("Rejected", None)


def test_a_rejection_of_an_earlier_contract_of_the_name_does_not_count() -> None:
    stage = asked("basic").say("basic", "Rejected")
    stage.settle()
    stage.renew().settle()
    assert (stage.seen, stage.approval_told()) == ("Active/Active", "False/Mismatch")


@pytest.mark.rule(14)
def test_an_approval_that_is_being_deleted_does_not_count() -> None:
    stage = in_force("gold")
    stage.approvals[0]["metadata"]["deletionTimestamp"] = "2026-03-01T10:00:00Z"
    stage.decide_contract()
    assert stage.plan is None


@pytest.mark.parametrize("decision", ["Approved", "Rejected"])
def test_an_approval_whose_contract_asks_for_something_else_now_says_so(decision: str) -> None:
    stage = asked().say(decision=decision)
    stage.settle()
    stage.ask(clientName="other").say(client="other", name="for the other").settle()
    assert (stage.approval_told(), stage.approval_told("for the other")) == ("False/Mismatch", "True/Counted")
    assert "asks for client other" in message(approval_of(stage).status)


# Several.


@pytest.mark.parametrize("order", list(itertools.permutations(["a-yes", "b-no", "c-yes"])))
def test_a_rejection_wins_and_the_others_say_so(order: tuple[str, ...]) -> None:
    stage = asked()
    for name in order:
        stage.say(decision="Rejected" if name == "b-no" else "Approved", name=name)
    stage.settle()
    assert stage.seen == "Rejected/Rejected"
    assert {name: stage.approval_told(name) for name in order} == {
        "a-yes": "True/Outvoted",
        "b-no": "True/Counted",
        "c-yes": "True/Outvoted",
    }
    assert "b-no rejects" in message(approval_of(stage, "a-yes").status)
    stage.unsay("b-no").settle()
    assert (stage.seen, stage.approval_told("a-yes")) == ("Active/Active", "True/Counted")
    stage.unsay("a-yes").settle()
    assert stage.seen == "Active/Active", "one approval is enough"


def test_the_same_approvals_decide_the_same_in_any_order() -> None:
    stage = asked().say(name="b", decision="Rejected", reason="b").say(name="a", decision="Rejected", reason="a")
    stage.settle()
    rulings = [ruling(ContractApproval.from_object(a)) for a in stage.approvals]
    about = claim(Contract.from_object(stage.contract))
    found = [decisive(about, "gold", order) for order in itertools.permutations(rulings)]
    assert [one.name for one in found if one is not None] == ["a", "a"]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["metadata"].update(namespace="team-b"),
        lambda c: c["metadata"].update(name="other"),
        lambda c: c["metadata"].update(uid="other"),
        lambda c: c["spec"].update(clientName="other"),
        lambda c: c["spec"].update(api={"namespace": "shop", "name": "stock"}),
        lambda c: c["spec"].update(api={"namespace": "bank", "name": "orders"}),
    ],
    ids=["namespace", "name", "uid", "client", "Api", "the Api's namespace"],
)
def test_what_an_approval_is_compared_with(change: Callable[[dict[str, Any]], object]) -> None:
    stage = in_force("gold")
    bound = ruling(approval_of(stage))
    assert counts(bound, claim(Contract.from_object(stage.contract)), "gold")
    assert not counts(bound, claim(Contract.from_object(stage.contract)), "basic")
    change(stage.contract)
    assert not counts(bound, claim(Contract.from_object(stage.contract)), "gold")


def test_an_approval_of_the_next_plan_may_come_before_the_contract_asks_for_it() -> None:
    stage = in_force("basic").say()
    stage.settle()
    assert (stage.plan, stage.approval_told()) == ("basic", "False/Mismatch")
    stage.ask(plan="gold").settle()
    assert (stage.plan, stage.approval_told()) == ("gold", "True/Counted")


def test_each_transition_of_an_approval_is_told() -> None:
    stage = asked().say()
    before = approval_of(stage).status.conditions
    stage.settle()
    after = approval_of(stage).status.conditions
    assert [(e.reason, e.warning) for e in condition_announcements(before, after)] == [("Counted", False)]
    assert condition_announcements(after, after) == []
