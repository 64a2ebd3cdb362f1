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
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from apiclients.lifecycle.revocations import fingerprint
from apiclients.resources.refs import NamespacedName
from demo.calls import post_form
from tests.faults.arena import MAX_STALENESS, PROOF_INTERVAL, RELIST_BOUND, Arena, Gate, Team, verified_within
from tests.faults.issuer import StoryIssuer
from tests.faults.prober import Promise
from tests.faults.stories import LOST_IN_API_SERVER, Fault, Revoke, Story
from tests.model.expected import Expected
from tests.model.facts import Client, Token
from tests.model.histories import CONSUMERS, Action, PutContract, Step, render
from tests.model.reliance import Reference, relied_on
from tests.model.statuses import READERS, Key, differences
from tests.toolkit.admin import RefusedError
from tests.toolkit.objects import KINDS, SYSTEM, JsonObject
from tests.toolkit.waiting import agreed, eventually

_PLURALS = {kind: plural for plural, kind in KINDS.items()}
_NAMESPACES = (*CONSUMERS, "shop", "bank")
_ERRORS = 8
#: What a gate watches.
_WATCHED = (*KINDS, "tokenissuers", "tokenrevocations")
_MOST_PROMISES = 40
_numbers = itertools.count(1)


def answer(gate: Gate, promise: Promise) -> int:
    """What a gate says; 503 for one that is not there, which a gateway takes in the same way."""
    try:
        return gate.check(promise.token, promise.path)
    except (OSError, http.client.HTTPException):
        return 503


def scopes_of(token: str) -> list[str]:
    """The scopes that a token carries."""
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("scope", "")).split()


@dataclass
class Teller:
    """Tells a story to an arena, in namespaces of its own. Raises AssertionError at what must not be."""

    arena: Arena
    model: Expected = field(default_factory=lambda: Expected(datetime.now(UTC)))
    suffix: str = field(default_factory=lambda: f"-s{next(_numbers)}")
    promises: dict[Promise, tuple[Token, NamespacedName, NamespacedName | None]] = field(default_factory=dict)
    refused: int = 0
    #: Tokens that their clients have revoked.
    revoked: set[str] = field(default_factory=set)
    #: How many changes of what gates relied on were lost in an API server.
    lost: int = 0
    #: The gates whose API server loses the next such change.
    _losing: set[int] = field(default_factory=set)
    _contract_made: int = 0

    def __post_init__(self) -> None:
        self.issuer = StoryIssuer(self.arena.admin, self.suffix)

    def tell(self, steps: Story) -> None:
        """All of it, and that everything converges at the end."""
        try:
            for namespace in _NAMESPACES:
                self.arena.admin.apply_namespace(namespace + self.suffix, {})
            self.issuer.trust([namespace + self.suffix for namespace in _NAMESPACES])
            for number, step in enumerate(steps):
                self._watched(f"at step {number}, {step}", lambda: self._step(step))  # noqa: B023
            self.arena.ensure()
            self._watched("at the end", self._converge)
        finally:
            for promise in self.promises:
                promise.either()  # whoever asks at this moment: what was revoked is taken back below
            self.arena.prober.remove(*self.promises)
            self.arena.admin.age_gates(old=False)
            self.arena.ensure()
            self.issuer.forget()
            for token in self.revoked:
                self.arena.admin.delete("tokenrevocations", SYSTEM, fingerprint(token.encode()))
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

    def _step(self, step: Step | Fault | Revoke) -> None:
        if isinstance(step, Fault):
            self._go_wrong(step)
            return
        if isinstance(step, Revoke):
            self._revoke(step)
            return
        before = {promise for promise in self.promises if self._accepts(self.model, promise)}
        for promise in before:
            promise.either()
        bound = self._prepare(render(step, datetime.now(UTC)), self._in_use(before))
        try:
            self._do(step)
        except RefusedError as error:
            if error.status != 403:
                raise
            self.refused += 1  # a policy has protected somebody
        else:
            self._follow(step, before, bound)
        self._converge()
        self._collect_tokens()

    def _in_use(self, promises: Iterable[Promise]) -> set[Reference]:
        """All that gates rely on for these yes answers."""
        asked = {(self.promises[promise][1], self.promises[promise][2]) for promise in promises}
        return {ref for key, api in asked for ref in relied_on(self.model, self.model.clients[key], api)}

    def _prepare(self, action: Action, in_use: set[Reference]) -> float:
        """Within which seconds gates deny what an action ends. Of what is in use it may be lost in API servers."""
        if (action.kind, action.key) not in in_use:
            return max(MAX_STALENESS, RELIST_BOUND)
        for gate in (self.arena.gates[number] for number in self._losing):
            if self._sees(gate) and gate.service.running and gate.service.is_ready():
                self._lose(gate, in_use)
        self._losing.clear()
        return verified_within(len(in_use) + 1)  # and the TokenIssuer

    def _lose(self, gate: Gate, in_use: set[Reference]) -> None:
        """Lose what happens to all of it: what the operator writes in consequence would tell of the change."""
        for kind, (namespace, name) in in_use:
            gate.proxy.cache.lose(self.arena.admin, _PLURALS[kind], namespace + self.suffix, name)
        self.lost += 1

    def _follow(self, step: Step, before: set[Promise], bound: float) -> None:
        """What gates deny on spec is denied from the acknowledgement of the write on, with or without an operator."""
        at_once = copy.deepcopy(self.model)
        at_once.do(step)
        self.model.do(step)
        self.model.settle()
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
            case "age" | "renew":
                self.arena.admin.age_gates(old=action.verb == "age")
            case "delete":
                plural = _PLURALS[action.kind]
                self.arena.admin.delete(plural, action.key[0] + self.suffix, action.key[1])
            case _:
                self._apply(step, action)

    def _apply(self, step: Step, action: Action) -> None:
        if action.kind == "Namespace":
            self.arena.admin.apply_namespace(action.key[1] + self.suffix, dict(action.labels))
            return
        if isinstance(step, PutContract):  # which of two is older is told in seconds, and then by chance
            eventually("another second", lambda: int(time.time()) > self._contract_made)
        assert action.spec is not None
        spec, labels = self._renamed(action.spec), dict(action.labels)
        if action.kind == "ApiClient":
            spec["identities"] = [self.issuer.identity(action.key[0] + self.suffix, action.key[1])]
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
                gate.proxy.mute(*_WATCHED)
            case "lose":
                for plural in _WATCHED:
                    gate.proxy.lose(plural, times=2)
            case "cut":
                gate.proxy.cut()
            case "cut off":
                gate.proxy.cut(for_good=True)
            case "replay":
                gate.proxy.replay(*_WATCHED)
            case "errors":
                gate.proxy.refuse(500, lambda _: True, times=_ERRORS)
            case "gone":
                gate.proxy.refuse(410, lambda asked: asked.watch, times=_ERRORS)
                gate.proxy.cut()
            case "delay":
                gate.proxy.delay = PROOF_INTERVAL
            case "freeze":
                gate.proxy.freeze()
            case _ if fault.what == LOST_IN_API_SERVER:
                self._losing.add(fault.gate)
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

    def _revoke(self, step: Revoke) -> None:
        """What else is asked with this token ends with it, at all gates."""
        gate = self.arena.gates[step.gate]
        passing = [p for p in self.promises if self._accepts(self.model, p) and self._may_log_in(p)]
        if not passing or not self._sees(gate):
            return
        chosen = passing[int(step.share * len(passing))]
        same = [promise for promise in self.promises if promise.token == chosen.token]
        for promise in same:
            promise.either()
        eventually(f"{chosen.what}: its token is revoked", lambda: self._revoked_at(gate, chosen))
        self.revoked.add(chosen.token)
        for promise in same:
            promise.refuse(within=MAX_STALENESS)
        self._converge()
        self._collect_tokens()

    def _may_log_in(self, promise: Promise) -> bool:
        return self.model.may_log_in(self.model.clients[self.promises[promise][1]])

    def _revoked_at(self, gate: Gate, promise: Promise) -> bool:
        namespace, name = self.promises[promise][1]
        with contextlib.suppress(OSError, http.client.HTTPException, RefusedError):
            credentials = Team(self.arena, namespace + self.suffix).credentials(name)
            return post_form(credentials, f"{gate.url}/revoke", token=promise.token).status == 200
        return False

    # What must be

    def _converge(self) -> None:
        if self.model.up:
            self.arena.until_ready(self.arena.operator)
            agreed("statuses", self._differences)
        accepted = [promise for promise in self.promises if self._accepts(self.model, promise)]
        for promise in self.promises:
            if promise not in accepted:
                self._all_answer(promise, {401, 403, 410})
                promise.refuse()
        for gate in self.arena.gates:  # what lets somebody in need not be found while it is lost
            gate.proxy.cache.heal()
        for promise in accepted:
            self._all_answer(promise, {200})
            promise.accept()

    def _differences(self) -> list[str]:
        """Where the operator and the model disagree."""
        return differences(self._objects(), self.model)

    def _objects(self) -> Iterator[tuple[Key, JsonObject]]:
        for plural in READERS:
            for namespace in _NAMESPACES:
                for obj in self.arena.admin.list(plural, namespace + self.suffix):
                    yield (plural, (namespace, obj["metadata"]["name"])), obj

    def _all_answer(self, promise: Promise, expected: set[int]) -> None:
        def wrong() -> list[str]:
            given = [(gate, answer(gate, promise)) for gate in self.arena.gates]
            return [
                f"{promise.what}: {gate.url}{promise.path} answers {status} instead of {sorted(expected)}"
                for gate, status in given
                if status not in (expected if self._sees(gate) else expected | {503})
            ]

        agreed("answers", wrong)

    def _sees(self, gate: Gate) -> bool:
        """Whether a gate can prove that it is fresh."""
        return gate.proxy.passes

    def _accepts(self, model: Expected, promise: Promise) -> bool:
        token, key, api = self.promises[promise]
        if promise.token in self.revoked or not model.accepts(token):
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
                for token in (self._token(sighted[0], key, missing), self._foreign_token(sighted[0], key, missing)):
                    for api in missing:
                        self._promise(client, key, api, token)

    def _known(self, client: Client, api: NamespacedName | None) -> bool:
        """Whether anybody asks already with a token that is let through now."""
        return any(
            (token.client, asked) == (client.number, api) and self._accepts(self.model, promise)
            for promise, (token, _, asked) in self.promises.items()
        )

    def _token(self, gate: Gate, key: NamespacedName, apis: Sequence[NamespacedName | None]) -> str:
        team = Team(self.arena, key[0] + self.suffix)

        def probe() -> str | None:
            with contextlib.suppress(OSError, http.client.HTTPException, RefusedError):
                issued = gate.ask(team.credentials(key[1]))
                token = str(issued.json()["access_token"]) if issued.status == 200 else ""
                ready = token and all(gate.check(token, self._path(api)) == 200 for api in apis)
                return token if ready else None
            return None

        return eventually(f"a token of {key} for {apis}", probe)

    def _foreign_token(self, gate: Gate, key: NamespacedName, apis: Sequence[NamespacedName | None]) -> str:
        """One of the other issuer, as soon as one that is issued now counts."""

        def probe() -> str | None:
            token = self.issuer.token(key[0] + self.suffix, key[1])
            with contextlib.suppress(OSError, http.client.HTTPException):
                return token if all(gate.check(token, self._path(api)) == 200 for api in apis) else None
            return None

        return eventually(f"a token of {key} of another issuer for {apis}", probe)

    def _promise(self, client: Client, key: NamespacedName, api: NamespacedName | None, token: str) -> None:
        what = f"{'/'.join(key)} number {client.number}" + (f" calling {'/'.join(api)}" if api else "")
        promise = Promise(what, token, self._path(api))
        self.promises[promise] = self.model.token(client), key, api
        self._all_answer(promise, {200})
        promise.accept()
        self.arena.prober.add(promise)
        for old in list(self.promises)[: max(0, len(self.promises) - _MOST_PROMISES)]:
            self.arena.prober.remove(old)
            del self.promises[old]

    def _path(self, api: NamespacedName | None) -> str:
        return f"/authz/{api[0]}{self.suffix}/{api[1]}" if api else "/check"
