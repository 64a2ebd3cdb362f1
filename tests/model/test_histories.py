"""Random histories: the real decisions and a plain model of the rules agree after every step."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from apiclients.engine import observe
from apiclients.engine.contract_index import ContractIndex
from apiclients.engine.relations import Relations
from apiclients.engine.wakes import WakeReason, Wakes
from apiclients.kube import pace
from apiclients.lifecycle import apis, approvals, calls, contracts, holds
from apiclients.lifecycle.contract_view import ContractView
from apiclients.resources.approval import Binding
from apiclients.resources.objects import ContractApproval
from tests.model.histories import (
    APIS,
    GOLD,
    KINDS,
    PLAN_SETS,
    Delete,
    LabelNamespace,
    OldGate,
    Operator,
    PutApi,
    PutApproval,
    PutClient,
    PutContract,
    PutHold,
    Step,
    generate,
    render,
)
from tests.model.replay import START, fails, shrink
from tests.resources.structural import schema_of, violations

LENGTH = 60


@pytest.mark.rule(16)
@pytest.mark.parametrize("seed", range(16))
def test_decisions_and_model_agree(seed: int) -> None:
    history = generate(seed, LENGTH)
    error = fails(history, seed)
    if error is not None:
        steps = "\n".join(map(str, shrink(history, seed)))
        raise AssertionError(f"{error}\nafter\n{steps}") from error


def test_slow_machines_give_others_turns_and_decide_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SLICE_SECONDS", 0.0)
    assert fails(generate(6, LENGTH), 6) is None


# Whether the comparison is worth anything: each of these breaks one rule, and a short history must notice it.

ORDERS, LOANS = (PutApi(key, PLAN_SETS[1]) for key in APIS)
BOTH_MANUAL = replace(ORDERS, plans=(("basic", "Manual"), ("gold", "Manual")))
MANUAL_ORDERS = replace(ORDERS, plans=(("basic", "Manual"),))
CLIENT, OTHER = PutClient(("team-a", "c1")), PutClient(("team-a", "c2"))
BASIC = PutContract(("team-a", "k1"), "c1", ORDERS.key, "basic")
GOLD_PLAN = replace(BASIC, plan="gold")
SAYS_YES = PutApproval(("shop", "a1"), BASIC.key, "c1", "orders", "gold", "Approved")
RETIRING = replace(CLIENT, desired="Retired")
GRANTED = (ORDERS, CLIENT, GOLD_PLAN, SAYS_YES)


_BINDING = approvals._binding


def _binding_to_what_is_asked_for(
    approval: ContractApproval, contract: ContractView | None, parties: approvals.Parties | None
) -> Binding | None:
    asks = contract is not None and contract.plan == approval.spec.plan
    return _BINDING(approval, contract, parties) if asks else None


def _without(rule: str) -> Any:
    return tuple(found for found in contracts._RULES if found.__name__ != rule)


#: Where, what, and what it is instead; then what happens.
BROKEN: dict[str, tuple[Any, str, Any, tuple[Step, ...]]] = {
    "labels of namespaces wake nobody": (
        Relations,
        "namespace_changed",
        lambda *_: Wakes("Contract", (), WakeReason.NAMESPACE_CHANGED),
        (replace(ORDERS, consumers="Selector"), CLIENT, BASIC, LabelNamespace("team-a", GOLD)),
    ),
    "gates wake nobody": (
        Relations,
        "gates_changed",
        lambda *_: [],
        (replace(CLIENT, revoked=True), PutHold(("team-a", "h1"), None, everybody=True), OldGate(True)),
    ),
    "the operator takes every gate for new": (
        holds,
        "gate_too_old",
        lambda *_: None,
        (OldGate(True), PutHold(("team-a", "h1"), None, everybody=True)),
    ),
    "no contract has rivals": (
        ContractIndex,
        "first",
        lambda *_: None,
        (ORDERS, CLIENT, BASIC, replace(BASIC, key=("team-a", "k2"))),
    ),
    "every namespace may contract": (
        observe,
        "may_contract",
        lambda *_: True,
        (replace(ORDERS, consumers="Same"), CLIENT, BASIC),
    ),
    "approvals are bound to no UID": (
        approvals,
        "counts",
        approvals.speaks_of,
        (*GRANTED, Delete("Contract", BASIC.key), Delete("ApiClient", CLIENT.key), CLIENT, GOLD_PLAN),
    ),
    "an edited approval stops its contract": (
        approvals,
        "counts",
        lambda ruling, claim, plan: ruling.bound_anew and ruling.bound_uid == claim.uid,
        (*GRANTED, RETIRING, replace(SAYS_YES, reason="on second thoughts")),
    ),
    "an approval is bound anew only where its plan is asked for": (
        approvals,
        "_binding",
        _binding_to_what_is_asked_for,
        (BOTH_MANUAL, *GRANTED[1:], BASIC, replace(SAYS_YES, reason="on second thoughts")),
    ),
    "no retirement of an Api is held": (
        apis,
        "api_desired_status_in_force",
        lambda status, _: status.requested,
        (ORDERS, CLIENT, BASIC, replace(ORDERS, desired="Retired")),
    ),
    "contracts begin while a retirement is held": (
        contracts,
        "_RULES",
        _without("_retirement_asked_for"),
        (ORDERS, LOANS, CLIENT, BASIC, RETIRING, replace(BASIC, key=("team-a", "k2"), api=LOANS.key)),
    ),
    "a gate goes by status alone": (
        calls,
        "is_as_granted",
        lambda contract: contract.in_force is not None,
        (ORDERS, CLIENT, OTHER, BASIC, Operator(False), replace(BASIC, client="c2"), RETIRING),
    ),
    "a new Api of the same name takes over contracts": (
        contracts,
        "_same_api",
        lambda *_: True,
        (ORDERS, CLIENT, BASIC, Operator(False), Delete("Api", ORDERS.key), MANUAL_ORDERS, Operator(True)),
    ),
    "a gate takes a new Api for the one before it": (
        calls,
        "_is_same_api",
        lambda *_: True,
        (ORDERS, CLIENT, BASIC, Operator(False), Delete("Api", ORDERS.key), ORDERS),
    ),
    "a gate does not ask for the approval": (
        calls,
        "grant_stands",
        lambda *_: True,
        (*GRANTED, Operator(False), Delete("ContractApproval", SAYS_YES.key)),
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_rule_is_noticed(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    where, what, instead, history = BROKEN[broken]
    orders = range(6)
    assert not any(fails(history, order) for order in orders)
    monkeypatch.setattr(where, what, instead)
    assert any(fails(history, order) for order in orders)


# The histories themselves.


def test_a_history_is_the_same_each_time_and_every_kind_of_step_comes_up() -> None:
    assert generate(7, LENGTH) == generate(7, LENGTH)
    seen: Counter[type[Any]] = Counter(type(step) for seed in range(10) for step in generate(seed, LENGTH))
    assert len(seen) == 10
    assert min(seen.values()) > 5


@pytest.mark.parametrize("timeless", [False, True])
def test_every_step_can_be_asked_of_an_api_server(timeless: bool) -> None:
    for step in generate(5, 200, timeless=timeless):
        action = render(step, START)
        assert action.verb in {"apply", "delete"} or not timeless or isinstance(step, Operator | OldGate)
        if type(step) in KINDS:
            manifest = action.manifest()
            crd = f"apiclients.dev_{manifest['kind'].lower()}s.yaml"
            assert [*violations(manifest["spec"], schema_of("spec", crd))] == []


def test_a_history_that_fails_is_made_small() -> None:
    def too_many(steps: list[Step]) -> bool:
        return sum(isinstance(step, Operator) for step in steps) > 1

    history = generate(1, LENGTH)
    assert too_many(history)
    small = shrink(history, 0, lambda part, _: too_many(part))
    assert [type(step) for step in small] == [Operator, Operator]
