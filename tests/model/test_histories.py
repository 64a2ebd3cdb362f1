"""Random histories: the real decisions and a plain model of the rules agree after every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from apiclients.controllers import contract as contract_controller
from apiclients.controllers.world import World
from apiclients.lifecycle import apis, approvals, contracts
from tests.model.histories import KINDS, Operator, Step, generate, render
from tests.model.replay import START, fails, shrink
from tests.resources.structural import schema_of, violations

LENGTH = 40


@pytest.mark.rule(16)
@pytest.mark.parametrize("seed", range(16))
def test_decisions_and_model_agree(seed: int) -> None:
    history = generate(seed, LENGTH)
    error = fails(history, seed)
    if error is not None:
        steps = "\n".join(map(str, shrink(history, seed)))
        raise AssertionError(f"{error}\nafter\n{steps}") from error


# Whether the comparison is worth anything: each of these breaks one rule, and must be noticed.


def _no_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "namespace_changed", lambda *_: None)


def _forgets_rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "rivals", lambda *_: ())


def _approvals_of_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "counts", lambda said, claim, plan: approvals.speaks_of(said, claim, plan))


def _accepts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apis, "api_wish_in_force", lambda wish, _: wish.desired)


def _begins_while_retiring(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tuple(rule for rule in contracts._RULES if rule.__name__ != "_retirement_asked_for")
    monkeypatch.setattr(contracts, "_RULES", rules)


def _everybody_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_controller, "may_contract", lambda *_: True)


BROKEN: list[Callable[[pytest.MonkeyPatch], None]] = [
    _no_wake_up,
    _forgets_rivals,
    _approvals_of_anybody,
    _accepts_at_once,
    _begins_while_retiring,
    _everybody_may,
]


@pytest.mark.parametrize("break_it", BROKEN, ids=lambda broken: broken.__name__.strip("_"))
def test_a_broken_rule_is_noticed(
    monkeypatch: pytest.MonkeyPatch, break_it: Callable[[pytest.MonkeyPatch], None]
) -> None:
    break_it(monkeypatch)
    assert any(fails(generate(seed, LENGTH), seed) for seed in range(16))


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
