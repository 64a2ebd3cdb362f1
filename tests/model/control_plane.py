"""The operator in memory: the real controllers, decisions and indexes, in whatever order events and work may come."""

from __future__ import annotations

import base64
import random
from collections.abc import Coroutine
from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeVar

from apiclients.controllers.apiclient import ApiClientController
from apiclients.controllers.contract import ContractControllers
from apiclients.controllers.items import Item
from apiclients.controllers.outcome import Outcome
from apiclients.controllers.secrets import SecretStore
from apiclients.controllers.status import StatusWriter
from apiclients.controllers.store import Key
from apiclients.controllers.world import World
from apiclients.kube.kinds import ALL_KINDS
from apiclients.lifecycle.observation import Issuer
from apiclients.resources.keys import Pepper
from tests.model.api_server import ApiServer, Kube

ISSUER = Issuer("https://tokens.example.com")
PEPPER = Pepper(
    id="p1",
    key=base64.urlsafe_b64encode(bytes(32)).decode().rstrip("="),
    created_time=datetime.fromisoformat("2026-01-01T00:00:00Z"),
)
#: More reconciles and events than any honest step causes.
_MOST_TURNS = 1500

T = TypeVar("T")


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        answer: T = end.value
        return answer
    raise AssertionError("it waits for something that is not there")


class Recorder:
    """Keeps Events."""

    def __init__(self) -> None:
        self.reasons: list[tuple[str, str]] = []

    def record(self, regarding: Any, *, reason: str, **_: Any) -> None:
        self.reasons.append((regarding.kind, reason))


class OperatorProcess:
    """One life of the operator, from its start to its end; nothing but the API server outlives it."""

    def __init__(self, server: ApiServer, order: random.Random) -> None:
        self._server, self._order = server, order
        self._queue: dict[Item, None] = {}
        self._due: dict[Item, datetime] = {}
        self.recorder = Recorder()
        kube = Kube(server)
        self.world = World(self._add, self._add)
        self._labels = dict(server.namespaces)
        secrets = SecretStore(kube, (), lambda key: self._add(Item("ApiClient", *key)))
        statuses = StatusWriter(kube, self.recorder)  # type: ignore[arg-type]
        keys: Any = SimpleNamespace(ring=SimpleNamespace(peppers=(PEPPER,)))
        metrics: Any = SimpleNamespace(stepped=lambda step: None)
        clients = ApiClientController(kube, self.world, secrets, keys, statuses, metrics, ISSUER, self._now)
        others = ContractControllers(kube, self.world, statuses, ISSUER.url, self._labels.get, self._now)
        each = (clients.reconcile, others.api, others.contract, others.approval, others.hold)
        self._reconcilers = {r.kind: reconcile for r, reconcile in zip(ALL_KINDS, each, strict=True)}
        self._stores = {store.resource.plural: store for store in self.world.stores}
        self._start(secrets)

    def _start(self, secrets: SecretStore) -> None:
        """The lists come first, as at a real start, and nothing is decided before."""
        self._server.events.clear()
        for secret in self._server.list("secrets"):
            secrets.put(secret)
        for plural, store in self._stores.items():
            for obj in self._server.list(plural):
                store.put(obj)

    def _now(self) -> datetime:
        return self._server.now

    def _add(self, item: Item) -> None:
        self._queue[item] = None

    def settle(self) -> None:
        """Deliver events and work on what is queued, in any order, until all is quiet."""
        for item, due in list(self._due.items()):
            if due <= self._server.now:
                self._add(item)
        for _ in range(_MOST_TURNS):
            sources = [plural for plural, events in self._server.events.items() if events]
            if not sources and not self._queue:
                return
            if sources and (not self._queue or self._order.random() < 0.5):
                self._deliver(self._order.choice(sources))
            else:
                self._work(self._order.choice(list(self._queue)))
        raise AssertionError(f"it never settles: {list(self._queue)}")

    def _deliver(self, plural: str) -> None:
        event, obj = self._server.events[plural].popleft()
        meta = obj["metadata"]
        if plural == "namespaces":
            self._labels[meta["name"]] = self._server.namespaces[meta["name"]]
            self.world.namespace_changed(meta["name"])
        elif plural in self._stores and event == "DELETED":
            self._stores[plural].remove((meta["namespace"], meta["name"]), meta["uid"])
        elif plural in self._stores:
            self._stores[plural].put(obj)

    def _work(self, item: Item) -> None:
        del self._queue[item]
        outcome = self.reconcile(item)
        if outcome.due is not None:
            self._due[item] = outcome.due
        else:
            self._due.pop(item, None)
        if not outcome.done:
            self._add(item)

    def reconcile(self, item: Item) -> Outcome:
        return finish(self._reconcilers[item.kind](item.key))

    def check_quiet(self) -> None:
        """Nobody was forgotten: looking at everything once more writes nothing."""
        before, now = self._server.version, self._server.now
        for store in self.world.stores:
            for key in store:
                outcome = self.reconcile(Item(store.resource.kind, *key))
                assert outcome.done
                assert outcome.due is None or outcome.due > now, f"{store.resource.kind} {key} would spin"
                assert self._server.version == before, f"{store.resource.kind} {key} was forgotten"

    def knows(self, plural: str) -> set[Key]:
        return set(self._stores[plural])
