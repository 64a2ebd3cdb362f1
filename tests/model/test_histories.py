"""Random histories: the real decisions and a plain model of the rules agree after every step."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from apiclients.controllers import contract as contract_controller
from apiclients.controllers.world import World
from apiclients.lifecycle import apis, approvals, calls, contracts
from tests.model.histories import (
    APIS,
    GOLD,
    KINDS,
    PLAN_SETS,
    Delete,
    LabelNamespace,
    Operator,
    PutApi,
    PutApproval,
    PutClient,
    PutContract,
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


# Whether the comparison is worth anything: each of these breaks one rule, and a short history must notice it.

ORDERS, LOANS = (PutApi(key, PLAN_SETS[1]) for key in APIS)
MANUAL_ORDERS = replace(ORDERS, plans=(("basic", "Manual"),))
CLIENT, OTHER = PutClient(("team-a", "c1")), PutClient(("team-a", "c2"))
BASIC = PutContract(("team-a", "k1"), "c1", ORDERS.key, "basic")
GOLD_PLAN = replace(BASIC, plan="gold")
SAYS_YES = PutApproval(("shop", "a1"), BASIC.key, "c1", "orders", "gold", "Approved")
RETIRING = replace(CLIENT, desired="Retired")
GRANTED = (ORDERS, CLIENT, GOLD_PLAN, SAYS_YES)


def _without(rule: str) -> Any:
    return tuple(found for found in contracts._RULES if found.__name__ != rule)


#: Where, what, and what it is instead; then what happens.
BROKEN: dict[str, tuple[Any, str, Any, tuple[Step, ...]]] = {
    "labels of namespaces wake nobody": (
        World,
        "namespace_changed",
        lambda *_: None,
        (replace(ORDERS, consumers="Selector"), CLIENT, BASIC, LabelNamespace("team-a", GOLD)),
    ),
    "no contract has rivals": (
        World,
        "rivals",
        lambda *_: (),
        (ORDERS, CLIENT, BASIC, replace(BASIC, key=("team-a", "k2"))),
    ),
    "every namespace may contract": (
        contract_controller,
        "may_contract",
        lambda *_: True,
        (replace(ORDERS, consumers="Same"), CLIENT, BASIC),
    ),
    "approvals are bound to no UID": (
        approvals,
        "counts",
        approvals.speaks_of,
        (*GRANTED, Delete("Contract", BASIC.key), GOLD_PLAN),
    ),
    "an edited approval stops its contract": (
        approvals,
        "goes_on_counting",
        lambda *_: False,
        (*GRANTED, RETIRING, replace(SAYS_YES, reason="on second thoughts")),
    ),
    "no retirement of an Api is held": (
        apis,
        "api_wish_in_force",
        lambda wish, _: wish.desired,
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
        "_is_as_granted",
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
    assert len(seen) == 9
    assert min(seen.values()) > 5


@pytest.mark.parametrize("timeless", [False, True])
def test_every_step_can_be_asked_of_an_api_server(timeless: bool) -> None:
    for step in generate(5, 200, timeless=timeless):
        action = render(step, START)
        assert action.verb in {"apply", "delete"} or not timeless or isinstance(step, Operator)
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
