"""Replays a history on the real decisions and on the model, and says where they first differ."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apiclients.lifecycle.access import TokenClaims
from apiclients.lifecycle.contracts import summarize
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval
from tests.lifecycle.parties import check, told
from tests.model.api_server import ApiServer
from tests.model.control_plane import OperatorProcess
from tests.model.expected import Expected
from tests.model.facts import Token
from tests.model.gate_view import GateView
from tests.model.histories import Key, Operator, Step, render

START = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
#: Each step takes a while, so that no two things fall into one second.
TICK = timedelta(seconds=10)
_READERS: dict[str, Any] = {
    "apiclients": ApiClient,
    "apis": Api,
    "contracts": Contract,
    "contractapprovals": ContractApproval,
    "apiclientholds": ApiClientHold,
}


class Replay:
    """One history under way. ``seed`` decides in which order events arrive and work is done."""

    def __init__(self, seed: int = 0) -> None:
        self._order = random.Random(seed)
        self.server = ApiServer(START)
        self.model = Expected(START)
        self.operator: OperatorProcess | None = OperatorProcess(self.server, self._order)
        self.tokens: list[tuple[TokenClaims, Token]] = []
        self._checked: dict[tuple[str, Key], str] = {}

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
        seen, expected = dict(self._seen()), dict(self._expected())
        for key in {**seen, **expected}:
            same(seen.get(key), expected.get(key), str(key))
        for (plural, key), obj in self.server.objects.items():
            if plural in _READERS and self._checked.get((plural, key)) != obj["metadata"]["resourceVersion"]:
                self._checked[plural, key] = obj["metadata"]["resourceVersion"]
                if plural != "apiclients":
                    check(_READERS[plural].from_object(obj).status, obj["metadata"]["generation"], plural)

    def _seen(self) -> Iterator[tuple[object, object]]:
        for (plural, key), obj in self.server.objects.items():
            if plural not in _READERS:
                continue
            s = _READERS[plural].from_object(obj).status
            match plural:
                case "apiclients":
                    active, holds = set(s.contracts.active_names), [h.name for h in s.holds]
                    yield key, (s.observed_status, s.desired_status, active, holds, s.retirement is not None)
                case "apis":
                    final = s.retirement is not None and s.retirement.final
                    yield ("api", key), (s.observed_status, final, s.contracts.active, s.contracts.rejected)
                case "contracts":
                    plan = s.in_force.plan if s.in_force is not None and s.observed_status == "Active" else None
                    yield ("contract", key), (s.observed_status, told(s, "Ready").split("/")[1], plan)
                case "contractapprovals":
                    yield ("approval", key), told(s, "Ready").split("/")[1]
                case "apiclientholds":
                    yield ("hold", key), set(s.stopped_names)

    def _expected(self) -> Iterator[tuple[object, object]]:
        model = self.model
        for key, client in model.clients.items():
            retiring = client.retired is not None
            holds = model.holding(client)
            yield key, (client.observed, client.wish, model.active_names(client), holds, retiring)
        for key, api in model.apis.items():
            mine = [c.status for c in model.contracts.values() if c.spec.api == key]
            yield ("api", key), (api.wish, api.final, mine.count("Active"), mine.count("Rejected"))
        for key, contract in model.contracts.items():
            plan = contract.granted.plan if contract.granted and contract.status == "Active" else None
            yield ("contract", key), (contract.status, contract.reason, plan)
        for key, approval in model.approvals.items():
            yield ("approval", key), model.standing_of(approval)
        for key in model.holds:
            yield ("hold", key), {c.spec.key[1] for c in model.clients.values() if model.stopped_by(key, c)}

    # The indexes.

    def _check_indexes(self, operator: OperatorProcess) -> None:
        """World counts as things change; counting everything anew has to give the same."""
        world, contracts = operator.world, self.server.list("contracts")
        for plural in _READERS:
            assert operator.knows(plural) == {key for kind, key in self.server.objects if kind == plural}
        for api in (*self.model.apis, ("no", "where")):
            mine = [o for o in contracts if tuple(o["spec"]["api"].values()) == api]
            counted = world.contracts_of_api(api)
            seen = [summarize(o).status for o in mine]
            pending = seen.count("Pending") + seen.count("PendingApproval")  # type: ignore[arg-type]
            assert (counted.counts.active, counted.counts.pending) == (seen.count("Active"), pending)  # type: ignore[arg-type]
            waiting = sorted((o["metadata"]["namespace"], o["metadata"]["name"]) for o in mine if _waits(o))
            assert [(c.namespace, c.name) for c in counted.waiting] == waiting
        for obj in contracts:
            contract = Contract.from_object(obj)
            rivals = {r.metadata.name for r in world.rivals(contract)}
            assert rivals == {o["metadata"]["name"] for o in contracts if _rival(o, obj)}
            beside = [o for o in contracts if _same_client(o, obj) and o is not obj]
            assert world.active_beside(contract) == sum(summarize(o).status == "Active" for o in beside)


def same(real: object, expected: object, about: str) -> None:
    assert real == expected, f"{about}: {real}, but the model says {expected}"


def _waits(obj: dict[str, Any]) -> bool:
    return summarize(obj).waits_for_approval


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
