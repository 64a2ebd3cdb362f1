"""One operator process: its parts wired together, and the order in which they start."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from apiclients import __version__
from apiclients.controllers.apiclient import ApiClientController
from apiclients.controllers.contract import ContractControllers
from apiclients.controllers.due import DueTimes
from apiclients.controllers.items import Item
from apiclients.controllers.keys import KeyHolder
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.namespaces import NamespaceLabels
from apiclients.controllers.outcome import Outcome
from apiclients.controllers.queue import WorkQueue
from apiclients.controllers.secrets import SecretStore
from apiclients.controllers.settings import OperatorSettings
from apiclients.controllers.status import StatusWriter
from apiclients.controllers.store import Key, ObjectStore
from apiclients.controllers.tasks import Tasks, background, foreground
from apiclients.controllers.world import World
from apiclients.kube.client import KubeClient, ResourceType
from apiclients.kube.errors import KubeError
from apiclients.kube.events import EventRecorder
from apiclients.kube.kinds import ALL_KINDS, API_CLIENTS
from apiclients.kube.leases import run_as_leader
from apiclients.resources.names import GROUP, MANAGED_BY, MANAGED_BY_LABEL, OPERATOR_LEASE, VERSION_ANNOTATION

logger = logging.getLogger(__name__)

_RESYNC_SECONDS = 300.0
_FIRST_RESYNC_SECONDS = 15.0
_RETRY_SECONDS = 2.0
_DRAIN_SECONDS = 3.0
_FOR_KEYS = "waiting for the keys"
#: A cold start tells one Event per client; they are posted behind everything else.
_EVENTS_WAITING = 20_000


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
        self.world = World(self._queue.add, self._queue.add_soon)
        self._secrets = SecretStore(kube, settings.secret_namespaces, self._secret_changed)
        self._namespaces = NamespaceLabels(kube, self.world.namespace_changed)
        self._due = DueTimes(utc_now, self._queue.add)
        self._recorder = EventRecorder(
            kube,
            f"{GROUP}/operator",
            settings.identity,
            capacity=_EVENTS_WAITING,
            busy=lambda: len(self._queue) > settings.workers,
        )
        self._keys = KeyHolder(
            kube,
            settings.namespace,
            settings.keys_secret,
            policy=settings.keys,
            rekey=settings.rekey,
            clock=utc_now,
            on_change=self.world.everything_again,
        )
        self._leading = False
        self._waiting_for: str | None = None
        self._measure()

    def problem(self) -> str | None:
        """Why the operator is not ready; None when it is. A replica that waits to lead is ready."""
        if not self._leading:
            return None
        if self._waiting_for == _FOR_KEYS:
            return self._keys.problem or _FOR_KEYS  # which says what a person has to do
        return self._waiting_for or self._keys.problem

    async def run(self, watch: Callable[[], Awaitable[None]]) -> None:
        """Lead, as soon as the Lease allows, until ``watch`` ends. Raises LeadershipLostError and KubeError."""

        async def lead() -> None:
            await self._lead(watch)

        if not self._settings.leader_election:
            return await lead()
        namespace, identity = self._settings.namespace, self._settings.identity
        return await run_as_leader(
            self.kube,
            namespace,
            OPERATOR_LEASE,
            identity,
            lead,
            labels={MANAGED_BY_LABEL: MANAGED_BY},
            annotations={VERSION_ANNOTATION: __version__},
        )

    async def _lead(self, watch: Callable[[], Awaitable[None]]) -> None:
        """The kind, the keys and the caches first; then the watch fills the queue."""
        self._leading = True
        self._metrics.leading.set(1)
        try:
            await self._wait("waiting for the CRDs", self._crds_served(), frozenset())
            running = (self._keys.run(), self._secrets.run(), self._namespaces.reflector.run())
            async with background(*running, self._due.run()) as beside:
                await self._wait(_FOR_KEYS, self._keys.available(), beside)
                await self._wait("waiting for the list of Secrets", self._secrets.synced(), beside)
                await self._wait("waiting for the list of namespaces", self._namespaces.reflector.synced.wait(), beside)
                await self._wait("waiting for the first lists", self._first_lists(), beside)
                self._recorder.start()
                await self._work(watch, beside)
        finally:
            await self._recorder.drain(timeout=_DRAIN_SECONDS)

    async def _work(self, watch: Callable[[], Awaitable[None]], beside: Tasks) -> None:
        reconcilers = self._reconcilers()

        async def reconcile(item: Item) -> bool:
            return await self._reconcile(item, reconcilers[item.kind])

        async def watching() -> None:
            self._waiting_for = None
            await watch()

        workers = (self._queue.work(reconcile) for _ in range(self._settings.workers))
        async with background(self._resync(), *workers) as working:
            await foreground(watching(), beside | working)

    async def _reconcile(self, item: Item, reconciler: Callable[[Key], Awaitable[Outcome]]) -> bool:
        """Whether it is done; False asks for another try after a backoff."""
        started = time.monotonic()
        try:
            outcome = await reconciler(item.key)
        except KubeError as error:
            logger.warning("Reconcile of %s failed: %s", item.kind, error, extra={"namespace": item.namespace})
            outcome = Outcome(done=False)
        else:
            self._due.set(item, outcome.due)
        seconds = time.monotonic() - started
        self._metrics.reconciled(item.kind, "success" if outcome.done else "retry", seconds)
        return outcome.done

    def _reconcilers(self) -> dict[str, Callable[[Key], Awaitable[Outcome]]]:
        statuses = StatusWriter(self.kube, self._recorder)
        clients = ApiClientController(
            kube=self.kube,
            world=self.world,
            secrets=self._secrets,
            keys=self._keys,
            statuses=statuses,
            metrics=self._metrics,
            issuer=self._settings.issuer,
            clock=utc_now,
        )
        others = ContractControllers(
            kube=self.kube,
            world=self.world,
            statuses=statuses,
            issuer_url=self._settings.issuer.url,
            namespace_labels=self._namespaces.of,
            clock=utc_now,
        )
        each = (clients.reconcile, others.api, others.contract, others.approval, others.hold)
        return {resource.kind: reconciler for resource, reconciler in zip(ALL_KINDS, each, strict=True)}

    async def _wait(self, what: str, waiting: Coroutine[Any, Any, object], beside: Tasks) -> None:
        self._waiting_for = what
        await foreground(waiting, beside)

    async def _crds_served(self) -> None:
        """Wait until all kinds can be listed: kopf looks for them once, when it starts."""
        for resource in ALL_KINDS:
            while (problem := await self._unlistable(resource)) is not None:
                self._waiting_for = problem
                logger.warning(problem)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _unlistable(self, resource: ResourceType) -> str | None:
        try:
            async for _ in self.kube.pages(resource, metadata_only=True, page_size=1):
                break
        except KubeError as error:
            return f"cannot list {resource.plural}: {error}"
        return None

    async def _first_lists(self) -> None:
        """Know everything before deciding anything: no contract may end because its Api was listed after it."""
        for store in self.world.stores:
            while (problem := await self._unloadable(store)) is not None:
                self._waiting_for = problem
                logger.warning(problem)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _unloadable(self, store: ObjectStore[Any]) -> str | None:
        try:
            await store.load(self.kube)
        except KubeError as error:
            return f"cannot list {store.resource.plural}: {error}"
        return None

    async def _resync(self) -> None:
        """Find what the watch missed: kopf never notices a deletion that it did not see.

        The first time is soon, for what went between the first lists and kopf's own.
        """
        seconds = _FIRST_RESYNC_SECONDS
        while True:
            await asyncio.sleep(seconds)
            seconds = _RESYNC_SECONDS
            for store in self.world.stores:
                try:
                    self._metrics.missed.inc(await store.resync(self.kube))
                except KubeError as error:
                    logger.warning("Resync of %s failed: %s", store.resource.plural, error)

    def _secret_changed(self, owner: Key) -> None:
        self._queue.add(Item(API_CLIENTS.kind, *owner))

    def _measure(self) -> None:
        gauge = self._metrics.gauge
        gauge("queue_depth", "Objects waiting to be reconciled.", lambda: len(self._queue))
        gauge("queue_failing", "Objects waiting for another try.", lambda: self._queue.failing)
        for store in self.world.stores:
            gauge(store.resource.plural, f"{store.resource.kind}s in the cache.", store.__len__)
        gauge("due_times", "Objects with something that comes due.", lambda: len(self._due))
        gauge("events_lost", "Events dropped or refused.", lambda: self._recorder.dropped + self._recorder.failed)
        gauge("clock_offset_seconds", "This clock minus the API server's.", self._clock_offset)

    def _clock_offset(self) -> float:
        return self.kube.clock.offset_seconds or 0.0
