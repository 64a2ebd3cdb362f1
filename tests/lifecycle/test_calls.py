"""Calls to an Api: 401 is the token's, here are 403 and 410, and what a plan covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from apiclients.lifecycle.api_view import Route, api_view
from apiclients.lifecycle.approvals import ruling
from apiclients.lifecycle.calls import CallDenial, api_is_retired, call_scopes, issued_for, issued_scopes, route
from apiclients.lifecycle.contract_view import contract_view, counts_as_active
from apiclients.resources.objects import Api, Contract, ContractApproval
from tests.lifecycle.parties import BASIC, GOLD, NOW, Stage, in_force, raw_api, raw_contract

CLIENT_UID = "team-a-billing"
LIMITED = BASIC | {"rateLimit": {"requests": 60, "window": "1m"}}
DELETED_AT = "2026-03-01T10:00:00Z"
#: The first second whose tokens are for the Api of the stage.
LATER = int(NOW.timestamp()) + 1


def call(stage: Stage, *others: Stage, uid: str = CLIENT_UID) -> Route | CallDenial:
    """How a gate routes a call whose token is good, from its own picture."""
    contracts = [contract_view(Contract.from_object(one.contract)) for one in (stage, *others)]
    view = api_view(Api.from_object(stage.api)) if stage.api is not None else None
    rulings = [ruling(ContractApproval.from_object(a)) for a in stage.approvals]
    return route(uid, contracts, view, rulings, sum(map(counts_as_active, contracts)))


def answer(stage: Stage, uid: str = CLIENT_UID) -> str:
    found = call(stage, uid=uid)
    return found.value if isinstance(found, CallDenial) else found.plan


@pytest.mark.rule(1)
def test_a_contract_in_force_lets_calls_through_under_its_plan() -> None:
    stage = in_force("basic").offer(LIMITED, GOLD)
    assert call(stage) == Route("basic", ("orders.read",), (60, 60), not_before=LATER)
    assert call(in_force("gold")) == Route("gold", ("orders.read", "orders.write"), None, not_before=LATER)


def _of_another_api(stage: Stage) -> object:
    return stage.ask(api={"namespace": "shop", "name": "stock"})


# What denies at once, before the operator has looked: spec alone (rule 16).
DENIED_AT_ONCE: dict[str, tuple[Callable[[Stage], object], str]] = {
    "the contract is being deleted": (
        lambda s: s.contract["metadata"].update(deletionTimestamp=DELETED_AT),
        "no_contract",
    ),
    "the contract names another client": (lambda s: s.ask(clientName="other"), "no_contract"),
    "the contract names another Api": (_of_another_api, "no_contract"),
    "the Api is gone": (lambda s: setattr(s, "api", None), "no_contract"),
    "the Api is being deleted": (
        lambda s: (s.api or {})["metadata"].update(deletionTimestamp=DELETED_AT),
        "no_contract",
    ),
    "the plan is gone": (lambda s: s.offer(BASIC), "no_contract"),
    "the approval is gone": (lambda s: s.unsay(), "no_contract"),
    "the approval turned to no": (lambda s: s.say(decision="Rejected"), "no_contract"),
    "somebody rejects it beside": (lambda s: s.say(decision="Rejected", name="no"), "no_contract"),
    "the Api is retired": (lambda s: _retire(s, count=1), "api_retired"),
}


def _retire(stage: Stage, count: int) -> Stage:
    return stage.offer(desiredStatus="Retired", retirement={"acknowledgedContractCount": count})


@pytest.mark.rule(14)
@pytest.mark.rule(16)
@pytest.mark.parametrize("row", DENIED_AT_ONCE)
def test_what_denies_at_once_without_the_operator(row: str) -> None:
    change, denial = DENIED_AT_ONCE[row]
    stage = in_force("gold")
    stage.api_wishes("Published", "Published")
    assert answer(stage) == "gold"
    change(stage)
    assert answer(stage) == denial


# What changes nothing until the operator has agreed to it.
WAITS: dict[str, Callable[[Stage], object]] = {
    "another plan is asked for": lambda s: s.ask(plan="gold"),
    "the plan turned Manual": lambda s: s.offer(BASIC | {"approval": "Manual"}, GOLD),
    "the Api's retirement is held": lambda s: _retire(s, count=0),
    "the plan was approved": lambda s: s.ask(plan="gold").say(),
}


@pytest.mark.rule(14)
@pytest.mark.rule(16)
@pytest.mark.parametrize("row", WAITS)
def test_what_changes_nothing_until_the_operator_agrees(row: str) -> None:
    stage = in_force("basic")
    stage.api_wishes("Published", "Published")
    WAITS[row](stage)
    assert answer(stage) == "basic"


@pytest.mark.rule(11)
def test_a_contract_holds_for_the_uid_of_its_client() -> None:
    assert answer(in_force(), uid="another") == "no_contract"


@pytest.mark.rule(16)
def test_nothing_is_allowed_that_status_does_not_say() -> None:
    waiting = Stage(raw_contract(plan="gold"))
    waiting.settle()
    assert answer(waiting) == "no_contract"
    assert answer(Stage()) == "no_contract", "never looked at"
    forged = in_force()
    forged.contract["status"]["observedStatus"] = "PendingApproval"
    assert answer(forged) == "no_contract"


# Retired Apis.


@pytest.mark.rule(13)
def test_calls_to_a_retired_api_get_410_until_the_operator_published_it_again() -> None:
    stage = in_force().api_wishes("Retired", "Retired")
    stage.settle()
    assert answer(stage) == "api_retired"
    stage.api_wishes("Published", "Retired")
    assert answer(stage) == "api_retired", "the operator may never agree"
    stage.api_wishes("Published", "Published")
    assert answer(stage) == "no_contract", "the contract is not in force again yet"
    stage.settle()
    assert answer(stage) == "basic"


@pytest.mark.rule(15)
@pytest.mark.parametrize("plan", ["basic", "gold", "iron"])
def test_who_never_had_a_contract_in_force_does_not_learn_that_an_api_is_retired(plan: str) -> None:
    stage = Stage(raw_contract(plan=plan)).api_wishes("Retired", "Retired")
    assert answer(stage) == "no_contract"
    stage.settle()
    assert answer(stage) == "no_contract"


@pytest.mark.rule(16)
@pytest.mark.parametrize(
    ("desired", "accepted", "acknowledged", "active", "retired"),
    [
        ("Published", None, 0, 1, False),
        ("Published", "Published", 0, 1, False),
        ("Published", "Retired", 0, 1, True),
        ("Retired", "Published", 0, 1, False),
        ("Retired", "Published", 1, 1, True),
        ("Retired", "Published", 5, 1, True),
        ("Retired", "Published", 0, 0, True),
        ("Retired", "Retired", 0, 1, True),
        ("Retired", None, 0, 0, True),
    ],
)
def test_when_an_api_is_retired_for_a_gate(
    desired: str, accepted: str | None, acknowledged: int, active: int, retired: bool
) -> None:
    raw = raw_api(desired=desired, retirement={"acknowledgedContractCount": acknowledged})
    if accepted is not None:
        raw["status"]["desiredStatus"] = accepted
    assert api_is_retired(api_view(Api.from_object(raw)), active) is retired


@pytest.mark.rule(9)
def test_only_contracts_in_force_by_spec_and_status_count() -> None:
    for change in ("the contract is being deleted", "the contract names another client"):
        stage = in_force("gold")
        DENIED_AT_ONCE[change][0](stage)
        assert not counts_as_active(contract_view(Contract.from_object(stage.contract)))


# Scopes.

ROUTE = Route("gold", ("read", "write"), None)
BARE = Route("bare", (), None)


@pytest.mark.rule(1)
@pytest.mark.parametrize(
    ("found", "token", "required", "passes"),
    [
        (ROUTE, (), (), ()),
        (ROUTE, ("read",), (), ("read",)),
        (ROUTE, ("read", "admin"), (), ("read",)),
        (ROUTE, ("admin",), (), "insufficient_scope"),
        (ROUTE, ("read",), ("read",), ("read",)),
        (ROUTE, ("read",), ("write",), "insufficient_scope"),
        (ROUTE, (), ("read",), "insufficient_scope"),
        (BARE, ("read",), (), ()),
        (BARE, ("read",), ("read",), "insufficient_scope"),
        (CallDenial.NO_CONTRACT, ("read",), (), "no_contract"),
        (CallDenial.API_RETIRED, (), (), "api_retired"),
    ],
)
def test_under_which_scopes_a_call_passes(
    found: Any, token: tuple[str, ...], required: tuple[str, ...], passes: Any
) -> None:
    assert call_scopes(found, 0, token, required) == passes


@pytest.mark.parametrize(
    ("routes", "wanted", "issued"),
    [
        ([ROUTE, BARE], None, ("read", "write")),
        ([ROUTE], ["write"], ("write",)),
        ([ROUTE], ["write", "write"], ("write",)),
        ([ROUTE], ["admin"], None),
        ([], None, ()),
        ([], ["read"], None),
        ([], [], ()),
    ],
)
def test_which_scopes_a_token_is_issued_for(
    routes: list[Route], wanted: list[str] | None, issued: tuple[str, ...] | None
) -> None:
    assert issued_scopes(routes, wanted) == issued


@pytest.mark.rule(13)
def test_a_token_for_an_earlier_api_of_the_name_is_none_for_this_one() -> None:
    found = call(in_force("gold"))
    assert isinstance(found, Route)
    assert found.not_before == LATER
    assert call_scopes(found, LATER - 1, ("orders.read",)) == CallDenial.TOKEN_BEFORE_API
    assert call_scopes(found, LATER, ("orders.read",)) == ("orders.read",)


@pytest.mark.rule(13)
def test_a_token_is_stamped_so_that_each_of_its_apis_takes_it() -> None:
    """Also where the gate's clock is behind the API server's."""
    young = replace(ROUTE, not_before=LATER)
    assert issued_for([ROUTE, young, BARE], LATER - 20) == LATER
    assert issued_for([ROUTE, young, BARE], LATER + 20) == LATER + 20
    assert issued_for([], LATER) == LATER


@pytest.mark.rule(1)
def test_a_plan_that_loses_a_scope_loses_it_for_tokens_already_issued() -> None:
    stage = in_force("basic")
    assert call_scopes(call(stage), LATER, ("orders.read",)) == ("orders.read",)
    stage.offer(BASIC | {"scopes": ["orders.list"]}, GOLD)
    assert call_scopes(call(stage), LATER, ("orders.read",)) == CallDenial.INSUFFICIENT_SCOPE
