"""Replays a history on the real decisions and on the model, and says where they first differ."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apiclients.lifecycle.access import TokenClaims
from apiclients.lifecycle.contract_view import ContractView, contract_view, stands_first
from apiclients.resources.objects import Contract
from apiclients.resources.refs import NamespacedName
from tests.lifecycle.parties import check
from tests.model.api_server import ApiServer
from tests.model.control_plane import OperatorProcess
from tests.model.expected import Expected
from tests.model.facts import Token
from tests.model.gate_view import GateView
from tests.model.histories import Operator, Step, render
from tests.model.statuses import READERS, expected, seen

START = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
#: Each step takes a while, so that no two things fall into one second.
TICK = timedelta(seconds=10)


class Replay:
    """One history under way. ``seed`` decides in which order events arrive and work is done."""

    def __init__(self, seed: int = 0) -> None:
        self._order = random.Random(seed)
        self.server = ApiServer(START)
        self.model = Expected(START)
        self.operator: OperatorProcess | None = OperatorProcess(self.server, self._order)
        self.tokens: list[tuple[TokenClaims, Token]] = []
        self._checked: dict[tuple[str, NamespacedName], str] = {}

    def run(self, history: Sequence[Step]) -> None:
        for step in history:
            self.do(step)

    def do(self, step: Step) -> None:
        """One step, then as much of the operator as there is, then everything is compared."""
        self.model.now += TICK
        self.server.now = self.model.now
        action = render(step, self.server.now)
        self.model.do(step)
        self.server.now = self.model.now
        if isinstance(step, Operator):
            self._switch(step.up)
        elif action.verb != "wait":
            self.server.do(action)
        self._compare_gate("before the operator has seen it")
        if self.operator is not None:
            self.operator.settle()
            self.model.settle()
            self._compare_statuses()
            self._check_indexes(self.operator)
            self.operator.check_quiet()
        self._compare_gate("settled")
        self._log_in()

    def _switch(self, up: bool) -> None:
        if not up:
            self.operator = None
        elif self.operator is None:
            self.operator = OperatorProcess(self.server, self._order)

    # The gate.

    def _compare_gate(self, when: str) -> None:
        gate = GateView(self.server)
        for claims, token in self.tokens:
            same(gate.accepts(claims), self.model.accepts(token), f"{token} {when}")
        for key, client in self.model.clients.items():
            answers = {api: gate.answer(key, api) for api in self.model.apis}
            same(answers, {api: self.model.answer(client, api) for api in self.model.apis}, f"{key} {when}")

    def _log_in(self) -> None:
        gate = GateView(self.server)
        for key, client in self.model.clients.items():
            claims = gate.log_in(key)
            same(claims is not None, self.model.may_log_in(client), f"log in of {key}")
            if claims is not None:
                self.tokens.append((claims, self.model.token(client)))
        self.tokens = self.tokens[-12:]

    # Statuses.

    def _compare_statuses(self) -> None:
        real, wanted = seen(self.server.objects.items()), expected(self.model)
        for which in {**real, **wanted}:
            same(real.get(which), wanted.get(which), str(which))
        for (plural, key), obj in self.server.objects.items():
            if plural in READERS and self._checked.get((plural, key)) != obj["metadata"]["resourceVersion"]:
                self._checked[plural, key] = obj["metadata"]["resourceVersion"]
                if plural != "apiclients":
                    check(READERS[plural].from_object(obj).status, obj["metadata"]["generation"], plural)

    # The indexes.

    def _check_indexes(self, operator: OperatorProcess) -> None:
        """Relations count as things change; counting everything anew has to give the same."""
        observer, contracts = operator.observer, self.server.list("contracts")
        for plural in READERS:
            assert operator.knows(plural) == {key for kind, key in self.server.objects if kind == plural}
        for api in (*self.model.apis, ("no", "where")):
            mine = [o for o in contracts if tuple(o["spec"]["api"].values()) == api]
            counted = observer.api_contracts(api)
            seen = [_view(o).status for o in mine]
            pending = seen.count("Pending") + seen.count("PendingApproval")  # type: ignore[arg-type]
            assert (counted.counts.active, counted.counts.pending) == (seen.count("Active"), pending)  # type: ignore[arg-type]
            waiting = sorted((o["metadata"]["namespace"], o["metadata"]["name"]) for o in mine if _waits(o))
            assert sorted((c.namespace, c.name) for c in counted.waiting) == waiting
        for obj in contracts:
            contract = Contract.from_object(obj)
            observed = observer.contract(contract)
            assert observed is not None
            standing = [_view(o) for o in contracts if (_rival(o, obj) or o is obj) and stands_first(_view(o))]
            first = min(standing, key=lambda view: view.age_key, default=_view(obj))
            assert observed.rival == (None if first == _view(obj) else first)
            others = [o for o in contracts if _same_client(o, obj) and o is not obj]
            assert observed.other_active == sum(_view(o).active for o in others)


def same(real: object, expected: object, about: str) -> None:
    assert real == expected, f"{about}: {real}, but the model says {expected}"


def _waits(obj: dict[str, Any]) -> bool:
    return _view(obj).waits_for_approval


def _view(obj: dict[str, Any]) -> ContractView:
    return contract_view(Contract.from_object(obj))


def _same_client(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(
        (one["metadata"]["namespace"], one["spec"]["clientName"])
        == (other["metadata"]["namespace"], other["spec"]["clientName"])
    )


def _rival(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return _same_client(one, other) and one["spec"]["api"] == other["spec"]["api"] and one is not other


def fails(history: Sequence[Step], seed: int) -> AssertionError | None:
    """Where decisions and model differ, or None."""
    try:
        Replay(seed).run(history)
    except AssertionError as error:
        return error
    return None


def shrink(history: Sequence[Step], seed: int, failing: Callable[[list[Step], int], object] = fails) -> list[Step]:
    """The smallest part of a failing history that still fails, by leaving out one step after another."""
    left = list(history)
    smaller = True
    while smaller:
        smaller = False
        for index in reversed(range(len(left))):
            part = left[:index] + left[index + 1 :]
            if failing(part, seed):
                left, smaller = part, True
    return left
