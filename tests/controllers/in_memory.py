"""An operator in memory: its caches, relations and reconciles, with a dictionary in the place of the API server.

It counts what one change costs: reconciles, objects decoded, statuses written. One worker, no waiting, no clock.
"""

from __future__ import annotations

import copy
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from apiclients.controllers.cluster import Cluster
from apiclients.controllers.lanes import Lane
from apiclients.controllers.reconciler import Reconciler
from apiclients.controllers.steps import StepRunner
from apiclients.controllers.usage import Usage
from apiclients.engine.observe import Observer
from apiclients.engine.wakes import Wake
from apiclients.lifecycle.observation import Issuer
from apiclients.resources.objects import READERS
from apiclients.resources.refs import NamespacedName, ObjectRef

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)


@dataclass
class Cost:
    """What was done since the last time of asking."""

    reconciles: Counter[str] = field(default_factory=Counter)
    decoded: int = 0
    written: int = 0

    @property
    def reconciled(self) -> int:
        """Reconciles of all kinds."""
        return self.reconciles.total()


class InMemory:
    """Knows no Secrets, so no clients that issue one; contracts, Apis, approvals and holds are all there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for kind, read in READERS.items():
            monkeypatch.setitem(READERS, kind, self._counting(read))
        self._cost = Cost()
        self._version = 0
        self._queue: OrderedDict[ObjectRef, None] = OrderedDict()
        self.cluster = Cluster(self._wake)
        nobody: Any = None
        self.usage = Usage(nobody, "apiclient-system", self.cluster)
        self._reconciler = self._make_reconciler()

    def put(self, store: str, body: dict[str, Any]) -> None:
        """What the watch delivers."""
        getattr(self.cluster, store).put(self._as_stored(body))

    def remove(self, store: str, key: NamespacedName) -> None:
        """What the watch delivers of a deletion."""
        getattr(self.cluster, store).remove(key)

    async def settle(self) -> Cost:
        """Reconcile until nothing waits; returns what was done since it was called last."""
        await self.cluster.backlog.drain()
        while self._queue:
            ref, _ = self._queue.popitem(last=False)
            self._cost.reconciles[ref.kind] += 1
            await self._reconciler.reconcile(ref)
            await self.cluster.backlog.drain()
        cost, self._cost = self._cost, Cost()
        return cost

    async def write(self, store: Any, metadata: Any, before: Any, after: Any, events: Iterable[Any]) -> bool:
        """Stands for ``StatusWriter.write``."""
        if after != before:
            self._cost.written += 1
            body = store.raw((metadata.namespace, metadata.name))
            store.put(self._as_stored(body | {"status": after.to_object()}), own=True)
        return True

    def _as_stored(self, body: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        stored = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(self._version)
        return stored

    def _wake(self, wake: Wake, _: Lane) -> None:
        self._queue[wake.ref] = None

    def _counting(self, read: Any) -> Any:
        def counted(raw: Any) -> Any:
            self._cost.decoded += 1
            return read(raw)

        return counted

    def _make_reconciler(self) -> Reconciler:
        absent: Any = None
        observer = Observer(
            relations=self.cluster.relations,
            secrets=absent,
            issuer=Issuer("https://tokens.example.com"),
            peppers=lambda _: (),
            namespace_labels=lambda _: {},
            clock_trusted=lambda: True,
            contract_last_use=self.usage.of_contract,
        )
        clients = self.cluster.clients
        steps = StepRunner(absent, clients, absent, absent, absent, observer.issuer, observer.template_keys)
        writer: Any = self
        return Reconciler(self.cluster, observer, steps, writer, lambda: NOW)
