"""One operator process: its parts wired together, and the order in which they start."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from apiclients.controllers.apiclient import ApiClientController
from apiclients.controllers.clients import API_CLIENTS, ClientStore
from apiclients.controllers.due import DueTimes
from apiclients.controllers.keys import KeyHolder
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.queue import WorkQueue
from apiclients.controllers.secrets import SecretStore
from apiclients.controllers.settings import OperatorSettings
from apiclients.controllers.tasks import Tasks, background, foreground
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError
from apiclients.kube.events import EventRecorder
from apiclients.kube.leases import run_as_leader
from apiclients.resources.names import GROUP, MANAGED_BY, MANAGED_BY_LABEL

logger = logging.getLogger(__name__)

LEASE = "apiclient-operator"
_RESYNC_SECONDS = 300.0
_RETRY_SECONDS = 2.0
_DRAIN_SECONDS = 3.0


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.fromtimestamp(time.time(), UTC)


class Manager:
    """The parts of one operator process."""

    def __init__(self, settings: OperatorSettings, kube: KubeClient, metrics: OperatorMetrics) -> None:
        self.kube = kube
        self._settings = settings
        self._metrics = metrics
        self._queue = WorkQueue()
        self.clients = ClientStore(self._queue.add)
        self._secrets = SecretStore(kube, self._queue.add)
        self._due = DueTimes(utc_now, self._queue.add)
        self._recorder = EventRecorder(kube, f"{GROUP}/operator", settings.identity)
        self._keys = KeyHolder(
            kube,
            settings.namespace,
            settings.keys_secret,
            policy=settings.keys,
            rekey=settings.rekey,
            clock=utc_now,
            on_change=self._reconcile_all,
        )
        self._leading = False
        self._waiting_for: str | None = None
        self._measure()

    def problem(self) -> str | None:
        """Why the operator is not ready; None when it is. A replica that waits to lead is ready."""
        return (self._waiting_for or self._keys.problem) if self._leading else None

    async def run(self, watch: Callable[[], Awaitable[None]]) -> None:
        """Lead, as soon as the Lease allows, until ``watch`` ends. Raises LeadershipLostError and KubeError."""

        async def lead() -> None:
            await self._lead(watch)

        if not self._settings.leader_election:
            return await lead()
        labels = {MANAGED_BY_LABEL: MANAGED_BY}
        namespace, identity = self._settings.namespace, self._settings.identity
        return await run_as_leader(self.kube, namespace, LEASE, identity, lead, labels=labels)

    async def _lead(self, watch: Callable[[], Awaitable[None]]) -> None:
        """The kind, the keys and the caches first; then the watch fills the queue."""
        self._leading = True
        self._metrics.leading.set(1)
        try:
            await self._wait("the ApiClient CRD", self._crd_served(), frozenset())
            async with background(self._keys.run(), self._secrets.reflector.run(), self._due.run()) as beside:
                await self._wait("the keys", self._keys.available(), beside)
                await self._wait("the list of Secrets", self._secrets.reflector.synced.wait(), beside)
                self._recorder.start()
                await self._work(watch, beside)
        finally:
            await self._recorder.drain(timeout=_DRAIN_SECONDS)

    async def _work(self, watch: Callable[[], Awaitable[None]], beside: Tasks) -> None:
        reconcile = self._controller().reconcile
        workers = (self._queue.work(reconcile) for _ in range(self._settings.workers))

        async def watching() -> None:
            self._waiting_for = None
            await watch()

        async with background(self._resync(), *workers) as working:
            await foreground(watching(), beside | working)

    def _controller(self) -> ApiClientController:
        return ApiClientController(
            kube=self.kube,
            clients=self.clients,
            secrets=self._secrets,
            keys=self._keys,
            due=self._due,
            recorder=self._recorder,
            metrics=self._metrics,
            issuer=self._settings.issuer,
            clock=utc_now,
        )

    async def _wait(self, what: str, waiting: Coroutine[Any, Any, object], beside: Tasks) -> None:
        self._waiting_for = f"waiting for {what}"
        await foreground(waiting, beside)

    async def _crd_served(self) -> None:
        """Wait until ApiClients can be listed: kopf looks for the kind once, when it starts."""
        while True:
            try:
                async for _ in self.kube.pages(API_CLIENTS, metadata_only=True, page_size=1):
                    return
            except KubeError as error:
                self._waiting_for = f"cannot list ApiClients: {error}"
                logger.warning("Cannot list ApiClients: %s", error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _resync(self) -> None:
        """Find what the watch missed: kopf never notices a deletion that it did not see."""
        while True:
            await asyncio.sleep(_RESYNC_SECONDS)
            try:
                self._metrics.missed.inc(await self.clients.resync(self.kube))
            except KubeError as error:
                logger.warning("Resync failed: %s", error)

    def _reconcile_all(self) -> None:
        for key in self.clients:
            self._queue.add(key)

    def _measure(self) -> None:
        gauge = self._metrics.gauge
        gauge("queue_depth", "Clients waiting to be reconciled.", lambda: len(self._queue))
        gauge("queue_failing", "Clients waiting for another try.", lambda: self._queue.failing)
        gauge("clients", "Clients in the cache.", lambda: len(self.clients))
        gauge("due_times", "Clients with something that comes due.", lambda: len(self._due))
        gauge("events_lost", "Events dropped or refused.", lambda: self._recorder.dropped + self._recorder.failed)
        gauge("clock_offset_seconds", "This clock minus the API server's.", self._clock_offset)

    def _clock_offset(self) -> float:
        return self.kube.clock.offset_seconds or 0.0
