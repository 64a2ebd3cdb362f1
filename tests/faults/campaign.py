"""Seeded random stories: what people do to five kinds of objects while faults happen, against a reference model.

After each step the model says what the operator has to observe and what gates have to answer; probers ask all the time.
A story is a list of steps, and every part of a story is a story, so that one that fails is made small by leaving out.
"""

import base64
import contextlib
import copy
import http.client
import itertools
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.cluster.rest import JsonObject, RestError
from tests.faults.admin import KINDS
from tests.faults.arena import MAX_STALENESS, PATIENCE, PROOF_INTERVAL, RELIST_BOUND, Arena, Gate, Team, eventually
from tests.faults.prober import Promise
from tests.model.expected import Expected
from tests.model.facts import Client, Token
from tests.model.histories import CONSUMERS, Action, Delete, Key, PutContract, Step, generate, render

_PLURALS = {kind: plural for plural, kind in KINDS.items()}
_NAMESPACES = (*CONSUMERS, "shop", "bank")
_FAULTY_SHARE = 0.3
_ERRORS = 8
_MOST_PROMISES = 40
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Fault:
    """Something goes wrong: with a gate, the operator, or the servers."""

    what: str
    gate: int = 0


GATE_FAULTS = ("mute", "lose", "cut", "cut off", "replay", "errors", "gone", "delay", "freeze", "clock", "kill gate")
OPERATOR_FAULTS = ("kill operator", "cut operator", "operator errors", "conflicts", "delay operator")
SERVER_FAULTS = ("restart API server", "restart etcd")

Story = list[Step | Fault]


def story(seed: int, steps: int) -> Story:
    """A story of so many steps after the beginning, faults included."""
    chance, told = random.Random(seed), Story()
    for number, step in enumerate(generate(seed, steps, timeless=True)):
        if number > 10 and chance.random() < _FAULTY_SHARE:
            told.append(_fault(chance))
        told.append(step)
    return told


def _fault(chance: random.Random) -> Fault:
    kinds = chance.choices((GATE_FAULTS, OPERATOR_FAULTS, SERVER_FAULTS, ("heal",)), (8, 4, 1, 5))[0]
    return Fault(chance.choice(kinds), chance.randrange(2))


def agreed(differences: Callable[[], list[str]]) -> None:
    """Wait until nothing differs any more."""
    end = time.monotonic() + PATIENCE
    while found := differences():
        assert time.monotonic() < end, "not as the model says: " + "; ".join(found)
        time.sleep(0.05)


def answer(gate: Gate, promise: Promise) -> int:
    """What a gate says; 503 for one that is not there, which a gateway takes in the same way."""
    try:
        return gate.check(promise.token, promise.path)
    except (OSError, http.client.HTTPException):
        return 503


def scopes_of(token: str) -> list[str]:
    """The scopes that a token carries."""
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["scope"]).split()


@dataclass
class Teller:
    """Tells a story to an arena, in namespaces of its own. Raises AssertionError at what must not be."""

    arena: Arena
    model: Expected = field(default_factory=lambda: Expected(datetime.now(UTC)))
    suffix: str = field(default_factory=lambda: f"-s{next(_numbers)}")
    promises: dict[Promise, tuple[Token, Key, Key | None]] = field(default_factory=dict)
    refused: int = 0
    _contract_made: int = 0

    def tell(self, steps: Story) -> None:
        """All of it, and that everything converges at the end."""
        try:
            for namespace in _NAMESPACES:
                self.arena.admin.apply_namespace(namespace + self.suffix, {})
            for number, step in enumerate(steps):
                self._watched(f"at step {number}, {step}", lambda: self._step(step))  # noqa: B023
            self.arena.ensure()
            self._watched("at the end", self._converge)
        finally:
            self.arena.prober.remove(*self.promises)
            self.arena.ensure()
            for namespace in _NAMESPACES:
                self.arena.admin.delete("namespaces", "", namespace + self.suffix)

    def _watched(self, where: str, act: Callable[[], None]) -> None:
        """Act; tell what the probers have seen rather than what did not converge, and both if there is both."""
        problems = []
        for attempt in (act, self.arena.prober.verify):
            try:
                attempt()
            except AssertionError as error:
                problems.append(str(error))
        if problems:
            raise AssertionError(f"{where}: " + "\n".join(reversed(problems)))

    def _step(self, step: Step | Fault) -> None:
        if isinstance(step, Fault):
            self._go_wrong(step)
            return
        before = {promise for promise in self.promises if self._accepts(self.model, promise)}
        for promise in before:
            promise.either()
        try:
            self._do(step)
        except RestError as error:
            if error.status != 403:
                raise
            self.refused += 1  # a policy has protected somebody
        else:
            self._follow(step, before)
        self._converge()
        self._collect_tokens()

    def _follow(self, step: Step, before: set[Promise]) -> None:
        """What gates deny on spec is denied from the acknowledgement of the write on, with or without an operator."""
        at_once = copy.deepcopy(self.model)
        at_once.do(step)
        self.model.do(step)
        self.model.settle()
        bound = RELIST_BOUND if isinstance(step, Delete) else max(MAX_STALENESS, RELIST_BOUND)
        for promise in before:
            if not self._accepts(at_once, promise) and not self._accepts(self.model, promise):
                promise.refuse(within=bound)
        for promise in self.promises:
            if promise not in before and self._accepts(self.model, promise):
                promise.either()

    # What happens

    def _do(self, step: Step) -> None:
        action = render(step, datetime.now(UTC))
        match action.verb:
            case "start":
                self.arena.supervisor.scale_up(self.arena.operator)
            case "stop" if self.model.up:
                self.arena.supervisor.scale_down(self.arena.operator)
            case "stop":
                pass
            case "delete":
                plural = _PLURALS[action.kind]
                self.arena.admin.delete(plural, action.key[0] + self.suffix, action.key[1])
            case _:
                self._apply(step, action)

    def _apply(self, step: Step, action: Action) -> None:
        if action.kind == "Namespace":
            self.arena.admin.apply_namespace(action.key[1] + self.suffix, dict(action.labels))
            return
        while isinstance(step, PutContract) and int(time.time()) <= self._contract_made:
            time.sleep(0.05)  # which contract is older is told in seconds
        assert action.spec is not None
        spec, labels = self._renamed(action.spec), dict(action.labels)
        self.arena.admin.apply(_PLURALS[action.kind], action.key[0] + self.suffix, action.key[1], spec, labels=labels)
        if isinstance(step, PutContract):
            self._contract_made = int(time.time())

    def _renamed(self, spec: JsonObject) -> JsonObject:
        return {
            key: self._renamed(value)
            if isinstance(value, dict)
            else value + self.suffix
            if key == "namespace"
            else value
            for key, value in spec.items()
        }

    def _go_wrong(self, fault: Fault) -> None:
        gate, operator = self.arena.gates[fault.gate], self.arena.operator_proxy
        match fault.what:
            case "mute":
                gate.proxy.mute(*KINDS)
            case "lose":
                for plural in KINDS:
                    gate.proxy.lose(plural, times=2)
            case "cut":
                gate.proxy.cut()
            case "cut off":
                gate.proxy.cut(for_good=True)
            case "replay":
                gate.proxy.replay(*KINDS)
            case "errors":
                gate.proxy.refuse(500, lambda _: True, times=_ERRORS)
            case "gone":
                gate.proxy.refuse(410, lambda asked: asked.watch, times=_ERRORS)
                gate.proxy.cut()
            case "delay":
                gate.proxy.delay = PROOF_INTERVAL
            case "freeze":
                gate.proxy.freeze()
            case "clock":
                gate.proxy.date_shift = 3600
            case "kill gate":
                gate.service.kill()
            case "kill operator" if self.model.up:
                self.arena.operator.kill()
            case "cut operator":
                operator.cut()
            case "operator errors":
                operator.refuse(500, lambda _: True, times=_ERRORS)
            case "conflicts":
                operator.refuse(409, lambda asked: asked.is_write, times=_ERRORS)
            case "delay operator":
                operator.delay = PROOF_INTERVAL / 2
            case "restart API server":
                self.arena.cluster.stop_api_server()
                self.arena.cluster.start_api_server()
            case "restart etcd":
                self.arena.cluster.stop_etcd()
                self.arena.cluster.start_etcd()
                eventually("the API server has found etcd again", self.arena.cluster.is_ready)
            case "heal":
                for proxy in (operator, *(gate.proxy for gate in self.arena.gates)):
                    proxy.heal()

    # What must be

    def _converge(self) -> None:
        if self.model.up:
            self.arena.until_ready(self.arena.operator)
            agreed(self._differences)
        for promise in self.promises:
            if self._accepts(self.model, promise):
                self._all_answer(promise, {200})
                promise.accept()
            else:
                self._all_answer(promise, {401, 403, 410})
                promise.refuse()

    def _differences(self) -> list[str]:
        """Where the operator and the model disagree."""
        found = []
        for plural, objects in (("apiclients", self.model.clients), ("contracts", self.model.contracts)):
            seen = self._observed(plural)
            for key, one in objects.items():
                expected = one.observed if isinstance(one, Client) else one.status
                if seen.get(key) != expected:
                    found.append(f"{plural} {key} is {seen.get(key)} instead of {expected}")
        return found

    def _observed(self, plural: str) -> dict[Key, str]:
        return {
            (namespace, obj["metadata"]["name"]): obj.get("status", {}).get("observedStatus", "")
            for namespace in CONSUMERS
            for obj in self.arena.admin.list(plural, namespace + self.suffix)
        }

    def _all_answer(self, promise: Promise, expected: set[int]) -> None:
        def differences() -> list[str]:
            given = [(gate, answer(gate, promise)) for gate in self.arena.gates]
            return [
                f"{promise.what}: {gate.url}{promise.path} answers {status} instead of {sorted(expected)}"
                for gate, status in given
                if status not in (expected if self._sees(gate) else expected | {503})
            ]

        agreed(differences)

    def _sees(self, gate: Gate) -> bool:
        """Whether a gate can prove that it is fresh."""
        return gate.proxy.passes

    def _accepts(self, model: Expected, promise: Promise) -> bool:
        token, key, api = self.promises[promise]
        if not model.accepts(token):
            return False
        if api is None:
            return True
        plan, scopes = model.answer(model.clients[key], api), scopes_of(promise.token)
        return plan not in ("403", "410") and (not scopes or plan in scopes)  # plans cover the scope of their name

    def _collect_tokens(self) -> None:
        """A token for every client and call that is let through now and that nobody asks about yet."""
        sighted = [gate for gate in self.arena.gates if self._sees(gate) and gate.service.running]
        if not sighted:
            return
        for key, client in self.model.clients.items():
            if not self.model.may_log_in(client):
                continue
            calls = [api for api in self.model.apis if self.model.answer(client, api) not in ("403", "410")]
            missing = [api for api in (None, *calls) if not self._known(client, api)]
            if missing:
                token = self._token(sighted[0], key, missing)
                for api in missing:
                    self._promise(client, key, api, token)

    def _known(self, client: Client, api: Key | None) -> bool:
        """Whether anybody asks already with a token that is let through now."""
        return any(
            (token.client, asked) == (client.number, api) and self._accepts(self.model, promise)
            for promise, (token, _, asked) in self.promises.items()
        )

    def _token(self, gate: Gate, key: Key, apis: Sequence[Key | None]) -> str:
        team = Team(self.arena, key[0] + self.suffix)

        def probe() -> str | None:
            with contextlib.suppress(OSError, http.client.HTTPException, RestError):
                issued = gate.ask(team.credentials(key[1]))
                token = str(issued.json()["access_token"]) if issued.status == 200 else ""
                ready = token and all(gate.check(token, self._path(api)) == 200 for api in apis)
                return token if ready else None
            return None

        token = eventually(f"a token of {key} for {apis}", probe)
        assert token
        return token

    def _promise(self, client: Client, key: Key, api: Key | None, token: str) -> None:
        what = f"{'/'.join(key)} number {client.number}" + (f" calling {'/'.join(api)}" if api else "")
        promise = Promise(what, token, self._path(api))
        self.promises[promise] = self.model.token(client), key, api
        self._all_answer(promise, {200})
        promise.accept()
        self.arena.prober.add(promise)
        for old in list(self.promises)[: max(0, len(self.promises) - _MOST_PROMISES)]:
            self.arena.prober.remove(old)
            del self.promises[old]

    def _path(self, api: Key | None) -> str:
        return f"/authz/{api[0]}{self.suffix}/{api[1]}" if api else "/check"
