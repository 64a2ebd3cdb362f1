"""The operator in memory: the real controllers, decisions and indexes, in whatever order events and work may come."""

from __future__ import annotations

import base64
import random
from collections.abc import Coroutine
from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeVar

from apiclients.controllers.cluster import Cluster
from apiclients.controllers.outcome import Outcome
from apiclients.controllers.reconciler import Reconciler
from apiclients.controllers.secrets import SecretStore
from apiclients.controllers.status import StatusWriter
from apiclients.controllers.steps import StepRunner
from apiclients.engine.observe import Observer
from apiclients.lifecycle.features import ALL_OBEYED, Feature, Lacking
from apiclients.lifecycle.observation import Issuer
from apiclients.lifecycle.template import DEFAULT_TEMPLATE_KEYS
from apiclients.resources.keys import Pepper
from apiclients.resources.refs import NamespacedName, ObjectRef
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
    """Run a coroutine that never waits for anything. It may give others a turn, as long work does."""
    while True:
        try:
            waits_for = coroutine.send(None)
        except StopIteration as end:
            answer: T = end.value
            return answer
        assert waits_for is None, "it waits for something that is not there"


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
        self._queue: dict[ObjectRef, None] = {}
        self._due: dict[ObjectRef, datetime] = {}
        self.recorder = Recorder()
        kube = Kube(server)
        self.cluster = Cluster(lambda wake, _: self._add(wake.ref))
        self._labels = dict(server.namespaces)
        self._gates_lacking = self._seen_lacking()
        secrets = SecretStore(kube, (), self.cluster.relations.secrets, self.cluster.secret_changed)
        statuses = StatusWriter(kube, self.recorder)  # type: ignore[arg-type]
        keys: Any = SimpleNamespace(ring=SimpleNamespace(peppers=(PEPPER,)))
        metrics: Any = SimpleNamespace(issued=lambda cause: None)
        self.observer = Observer(
            relations=self.cluster.relations,
            secrets=secrets,
            issuer=ISSUER,
            peppers=lambda _: (PEPPER.id,),
            namespace_labels=self._labels.get,
            clock_trusted=lambda: True,
            gates_lacking=lambda: self._gates_lacking,
        )
        steps = StepRunner(kube, self.cluster.clients, secrets, keys, metrics, ISSUER, DEFAULT_TEMPLATE_KEYS)
        self._reconciler = Reconciler(self.cluster, self.observer, steps, statuses, self._now)
        self._stores = {store.resource.plural: store for store in self.cluster.stores}
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

    def _add(self, item: ObjectRef) -> None:
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
            self.cluster.namespace_changed(meta["name"])
        elif plural == "leases":
            self._gates_lacking = self._seen_lacking()
            self.cluster.gates_changed()
        elif plural in self._stores and event == "DELETED":
            self._stores[plural].remove((meta["namespace"], meta["name"]), meta["uid"])
        elif plural in self._stores:
            self._stores[plural].put(obj)

    def _seen_lacking(self) -> Lacking:
        return dict.fromkeys(Feature, ("apiclient-gate-old",)) if self._server.old_gate else ALL_OBEYED

    def _work(self, item: ObjectRef) -> None:
        del self._queue[item]
        outcome = self.reconcile(item)
        if outcome.due is not None:
            self._due[item] = outcome.due
        else:
            self._due.pop(item, None)
        if not outcome.done:
            self._add(item)

    def reconcile(self, item: ObjectRef) -> Outcome:
        return finish(self._reconciler.reconcile(item))

    def check_quiet(self) -> None:
        """Nobody was forgotten: looking at everything once more writes nothing."""
        before, now = self._server.version, self._server.now
        for store in self.cluster.stores:
            for key in store:
                outcome = self.reconcile(ObjectRef(store.resource.kind, *key))
                assert outcome.done
                assert outcome.due is None or outcome.due > now, f"{store.resource.kind} {key} would spin"
                assert self._server.version == before, f"{store.resource.kind} {key} was forgotten"

    def knows(self, plural: str) -> set[NamespacedName]:
        return set(self._stores[plural])
