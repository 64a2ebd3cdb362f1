"""Histories: what people, Git and time do to clients, Apis, contracts, approvals and holds, as lists of plain steps.

``generate`` makes them, ``render`` turns a step into what an API server is asked for. They run against a model and the
real decisions in memory, and against a real cluster. Every part of a history is a history, so that one that fails can
be made small by leaving steps out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from apiclients.resources.fields import format_time
from apiclients.resources.refs import NamespacedName

Labels = tuple[tuple[str, str], ...]

GRACE = timedelta(hours=1)
#: How long the secrets of clients with Manual rotation live.
MANUAL_LIFETIME = timedelta(hours=3)
TOKEN_LIFETIME = timedelta(hours=12)

CONSUMERS = ("team-a", "team-b")
CLIENTS = (("team-a", "c1"), ("team-a", "c2"), ("team-b", "c1"))
#: Their secrets are never renewed by age.
MANUAL = frozenset({("team-a", "c2")})
APIS = (("shop", "orders"), ("bank", "loans"))
CONTRACTS = (("team-a", "k1"), ("team-a", "k2"), ("team-a", "k3"), ("team-b", "k1"))
APPROVALS = (("shop", "a1"), ("shop", "a2"), ("bank", "a1"))
#: Some bear the name of a client, as those that the plugin places.
HOLDS = (("team-a", "h1"), ("team-a", "c1"), ("team-b", "h1"))
GOLD: Labels = (("tier", "gold"),)


@dataclass(frozen=True)
class PutClient:
    key: NamespacedName
    desired: str = "Available"
    acknowledged: tuple[str, ...] = ()
    labels: Labels = ()
    #: Secrets of long ago are revoked: that ends none, and uses a feature that old gates do not obey.
    revoked: bool = False


@dataclass(frozen=True)
class PutApi:
    key: NamespacedName
    #: Name and Automatic or Manual.
    plans: tuple[tuple[str, str], ...]
    desired: str = "Published"
    acknowledged: int = 0
    #: Same, All or Selector (which wants the label of GOLD).
    consumers: str = "All"


@dataclass(frozen=True)
class PutContract:
    key: NamespacedName
    client: str
    api: NamespacedName
    plan: str


@dataclass(frozen=True)
class PutApproval:
    key: NamespacedName
    contract: NamespacedName
    client: str
    api: str
    plan: str
    decision: str
    reason: str = "as agreed"


@dataclass(frozen=True)
class PutHold:
    key: NamespacedName
    #: None selects by the label of GOLD.
    client: str | None
    #: From when it is put.
    seconds: int | None = None
    #: Everybody in the namespace instead, with a field that old gates do not obey.
    everybody: bool = False


@dataclass(frozen=True)
class Delete:
    kind: str
    key: NamespacedName


@dataclass(frozen=True)
class LabelNamespace:
    namespace: str
    labels: Labels


@dataclass(frozen=True)
class Wait:
    span: timedelta


@dataclass(frozen=True)
class Operator:
    """The operator is stopped or started."""

    up: bool


@dataclass(frozen=True)
class OldGate:
    """A gate that lists no feature in its Lease comes or goes."""

    there: bool


Put = PutClient | PutApi | PutContract | PutApproval | PutHold
Step = Put | Delete | LabelNamespace | Wait | Operator | OldGate
KINDS: dict[type[Any], str] = {
    PutClient: "ApiClient",
    PutApi: "Api",
    PutContract: "Contract",
    PutApproval: "ContractApproval",
    PutHold: "ApiClientHold",
}


# What an API server is asked for.


@dataclass(frozen=True)
class Action:
    """``apply`` or ``delete`` an object, ``wait``, ``start`` or ``stop`` the operator, ``age`` or ``renew`` gates."""

    verb: str
    kind: str = ""
    key: NamespacedName = ("", "")
    labels: Labels = ()
    spec: dict[str, Any] | None = None
    span: timedelta = timedelta()

    def manifest(self) -> dict[str, Any]:
        """The object for ``kubectl apply``."""
        namespace, name = self.key
        if self.kind == "Namespace":
            return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(self.labels)}}
        metadata = {"namespace": namespace, "name": name, "labels": dict(self.labels)}
        return {"apiVersion": "apiclients.dev/v1alpha1", "kind": self.kind, "metadata": metadata, "spec": self.spec}


def render(step: Step, now: datetime) -> Action:
    """What a step asks an API server for."""
    match step:
        case Delete():
            return Action("delete", step.kind, step.key)
        case LabelNamespace():
            return Action("apply", "Namespace", ("", step.namespace), step.labels)
        case Wait():
            return Action("wait", span=step.span)
        case Operator():
            return Action("start" if step.up else "stop")
        case OldGate():
            return Action("age" if step.there else "renew")
        case _:
            labels = step.labels if isinstance(step, PutClient) else ()
            return Action("apply", KINDS[type(step)], step.key, labels, _spec(step, now))


def _spec(step: Put, now: datetime) -> dict[str, Any]:
    match step:
        case PutClient():
            retirement = {"acknowledgedContracts": list(step.acknowledged), "gracePeriod": "1h"}
            secret = {"rotation": "Manual", "lifetime": "3h"} if step.key in MANUAL else {}
            secret |= {"notBefore": "2020-01-01T00:00:00Z"} if step.revoked else {}
            return {"desiredStatus": step.desired, "retirement": retirement, "secret": secret}
        case PutApi():
            consumers: dict[str, Any] = {"from": step.consumers}
            if step.consumers == "Selector":
                consumers["selector"] = {"matchLabels": dict(GOLD)}
            plans = [{"name": name, "approval": approval, "scopes": [name]} for name, approval in step.plans]
            spec: dict[str, Any] = {"desiredStatus": step.desired, "plans": plans, "consumers": consumers}
            return spec | {"retirement": {"acknowledgedContractCount": step.acknowledged, "gracePeriod": "1h"}}
        case PutContract():
            return {"clientName": step.client, "api": _named(step.api), "plan": step.plan}
        case PutApproval():
            named = {"contract": _named(step.contract), "client": step.client, "api": step.api, "plan": step.plan}
            return named | {"decision": step.decision, "reason": step.reason}
        case PutHold():
            whom: dict[str, Any] = {"selector": {"matchLabels": dict(GOLD)}}
            if step.everybody:
                whom = {"allClients": True}
            elif step.client:
                whom = {"clientName": step.client}
            until = {"expiresTime": format_time(now + timedelta(seconds=step.seconds))} if step.seconds else {}
            return whom | {"reason": "An emergency"} | until


def _named(key: NamespacedName) -> dict[str, str]:
    return {"namespace": key[0], "name": key[1]}


# Making them.

PLAN_SETS = tuple(
    (("basic", basic), *((("gold", gold),) if gold else ()))
    for basic in ("Automatic", "Manual")
    for gold in ("Automatic", "Manual", None)
)


class _Maker:
    """Knows what it has put, so that most steps change something that matters."""

    def __init__(self, seed: int, *, timeless: bool) -> None:
        self.random = random.Random(seed)
        self.timeless = timeless
        self.put: dict[tuple[type[Any], NamespacedName], Any] = {}
        self.up = True
        self.old_gate = False
        #: What was asked last under a name, also of contracts that are gone.
        self.asked: dict[NamespacedName, PutContract] = {}

    def step(self) -> Step:
        makers: list[tuple[int, Callable[[], Step]]] = [
            (4, self.client),
            (4, self.api),
            (5, self.contract),
            (5, self.approval),
            (2, self.hold),
            (3, self.deletion),
            (3, self.namespace),
            (2, self.operator),
            (1, self.gates),
            (0 if self.timeless else 2, self.wait),
        ]
        weights = [weight for weight, _ in makers]
        step = self.random.choices(makers, weights)[0][1]()
        if type(step) in KINDS:
            self.put[type(step), step.key] = step  # type: ignore[union-attr]
        if isinstance(step, PutContract):
            self.asked[step.key] = step
        return step

    def client(self) -> Step:
        known: PutClient = self._known(PutClient, CLIENTS)
        contracts = tuple(sorted({name for _, name in CONTRACTS}))
        desired = self.random.choice(("Available",) * 3 + ("Suspended",) + ("Retired",) * 2)
        acknowledged = self.random.choice(((), contracts, contracts[:1], contracts[1:]))
        labels, revoked = self.random.choice(((), GOLD)), self.random.random() < 0.3
        return replace(known, desired=desired, acknowledged=acknowledged, labels=labels, revoked=revoked)

    def api(self) -> Step:
        known: PutApi = self._known(PutApi, APIS, plans=PLAN_SETS[1])
        change = self.random.choice(("plans", "plans", "consumers", "desired", "desired"))
        if change == "plans":
            return replace(known, plans=self.random.choice(PLAN_SETS))
        if change == "consumers":
            return replace(known, consumers=self.random.choice(("All",) * 4 + ("Same",) + ("Selector",) * 3))
        desired = self.random.choice(("Published", "Published", "Retired"))
        return replace(known, desired=desired, acknowledged=self.random.choice((0, 1, 9)))

    def contract(self) -> Step:
        key = self.random.choice(CONTRACTS)
        client = self.random.choice([name for namespace, name in CLIENTS if namespace == key[0]])
        known = self.asked.get(key)
        plan = self.random.choice(("basic",) * 4 + ("gold",) * 4 + ("iron",))
        if known is not None and self.random.random() < 0.8:
            there = (PutContract, key) in self.put
            return replace(known, plan=plan) if there else known
        return PutContract(key, client, self.random.choice(APIS), plan)

    def approval(self) -> Step:
        known = [step for (kind, _), step in self.put.items() if kind is PutContract]
        if not known:
            return self.contract()
        waiting = [step for step in known if step.plan == "gold"]
        about = self.random.choice(waiting or known)
        keys = [key for key in APPROVALS if key[0] == about.api[0]]
        plan = about.plan if self.random.random() < 0.8 else self.random.choice(("basic", "gold"))
        client = about.client if self.random.random() < 0.9 else "c9"
        decision = self.random.choice(("Approved", "Approved", "Rejected"))
        reason = self.random.choice(("as agreed", "on second thoughts"))
        return PutApproval(self.random.choice(keys), about.key, client, about.api[1], plan, decision, reason)

    def hold(self) -> Step:
        key = self.random.choice(HOLDS)
        client = self.random.choice([None, *(name for namespace, name in CLIENTS if namespace == key[0])])
        seconds = None if self.timeless else self.random.choice((None, 900, 5400))
        return PutHold(key, client, seconds, everybody=self.random.random() < 0.2)

    def deletion(self) -> Step:
        if not self.put:
            return self.client()
        kind, key = self.random.choice(sorted(self.put, key=str))
        if self.random.random() < 0.2:
            kind, key = PutContract, self.random.choice(CONTRACTS)
            self.put.setdefault((kind, key), None)
        del self.put[kind, key]
        return Delete(KINDS[kind], key)

    def namespace(self) -> Step:
        return LabelNamespace(self.random.choice(CONSUMERS), self.random.choice(((), GOLD)))

    def operator(self) -> Step:
        self.up = not self.up or self.random.random() < 0.5
        return Operator(self.up)

    def gates(self) -> Step:
        self.old_gate = not self.old_gate
        return OldGate(self.old_gate)

    def wait(self) -> Step:
        return Wait(timedelta(minutes=self.random.choice((1, 20, 20, 20, 61, 200))))

    def _known(self, kind: type[Any], keys: Sequence[NamespacedName], **default: Any) -> Any:
        key = self.random.choice(keys)
        return self.put.get((kind, key)) or kind(key, **default)


def generate(seed: int, length: int, *, timeless: bool = False) -> list[Step]:
    """A history; ``timeless`` without anything that waits for a clock. It begins with something to quarrel about."""
    maker = _Maker(seed, timeless=timeless)
    beginning: list[Step] = [
        *(PutClient(key) for key in CLIENTS),
        *(PutApi(key, PLAN_SETS[1]) for key in APIS),
        *(PutContract(key, "c1", maker.random.choice(APIS), "basic") for key in CONTRACTS),
    ]
    maker.random.shuffle(beginning)
    for step in beginning:
        maker.put[type(step), step.key] = step  # type: ignore[union-attr]
    return [*beginning, *(maker.step() for _ in range(length)), Operator(True)]
