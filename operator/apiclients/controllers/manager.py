"""One operator process: its parts wired together, and the order in which they start."""

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from apiclients import __version__
from apiclients.controllers.cluster import Cluster
from apiclients.controllers.due import DueTimes
from apiclients.controllers.gates import Gates
from apiclients.controllers.issuer_keys import IssuerKeys
from apiclients.controllers.issuer_polls import IssuerPolls
from apiclients.controllers.keys import KeyHolder
from apiclients.controllers.lanes import Lane
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.namespaces import NamespaceLabels
from apiclients.controllers.outcome import Outcome
from apiclients.controllers.queue import WorkQueue
from apiclients.controllers.reconciler import Reconciler
from apiclients.controllers.revocations import RevocationRemoval
from apiclients.controllers.scrub import Scrub
from apiclients.controllers.secrets import SecretStore
from apiclients.controllers.status import StatusWriter
from apiclients.controllers.steps import StepRunner
from apiclients.controllers.store import ObjectStore
from apiclients.controllers.tasks import Tasks, background, foreground
from apiclients.controllers.usage import Usage
from apiclients.engine.observe import Observer
from apiclients.engine.wakes import Wake, WakeReason
from apiclients.kube.client import KubeClient, ResourceType
from apiclients.kube.errors import KubeError, where
from apiclients.kube.events import EventRecorder, ObjectReference
from apiclients.kube.kinds import ALL_KINDS, TOKEN_ISSUERS
from apiclients.kube.leases import run_as_leader
from apiclients.lifecycle.history import Announcement
from apiclients.lifecycle.observation import Issuer
from apiclients.lifecycle.replicas import unknown_keys
from apiclients.lifecycle.reports import Reports, reports
from apiclients.resources.names import (
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    MAX_PROBLEM_TEXT,
    OPERATOR_LEASE,
    PROBLEM_ANNOTATION,
    VERSION_ANNOTATION,
)
from apiclients.resources.refs import NamespacedName, ObjectRef
from apiclients.settings.operator import OperatorSettings

logger = logging.getLogger(__name__)

_RESYNC_SECONDS = 300.0
_FIRST_RESYNC_SECONDS = 15.0
_RETRY_SECONDS = 2.0
_DRAIN_SECONDS = 3.0
_FOR_KEYS = "waiting for the keys"
#: A cold start tells one Event per client; they are posted behind everything else.
_EVENTS_WAITING = 20_000
#: More than this part of the workers are busy only where very much is to be done: a mass edit keeps no queue.
_BUSY_SHARE = 3


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.fromtimestamp(time.time(), UTC)


class Manager:
    """The parts of one operator process."""

    def __init__(self, settings: OperatorSettings, kube: KubeClient, metrics: OperatorMetrics) -> None:
        self.kube = kube
        self._settings = settings
        self._metrics = metrics
        self._queue = WorkQueue(share=max(1, settings.workers // 2), rest_waits=lambda: self.cluster.watches_behind())
        self.cluster = Cluster(self._wake, lambda: self._gates.living())
        self._secrets = SecretStore(
            kube, settings.secret_namespaces, self.cluster.relations.secrets, self.cluster.secret_changed
        )
        self._namespaces = NamespaceLabels(kube, self.cluster.namespace_changed)
        issuer_keys = IssuerKeys(kube, settings.namespace, utc_now, settings.allow_local_issuers)
        self._polls = IssuerPolls(
            self.cluster.issuers, issuer_keys.fetch, self._unknown_keys, self.cluster.keys_fetched
        )
        self._gates = Gates(
            kube,
            settings.namespace,
            lambda: kube.clock.now(),
            self.cluster.gates_changed,
            self.cluster.gates_moved,
        )
        self._usage = Usage(kube, settings.namespace, self.cluster)
        self._revocations = RevocationRemoval(kube, settings.namespace, utc_now)
        self._due = DueTimes(utc_now, lambda ref: self._wake(Wake(ref, WakeReason.DUE), Lane.REST))
        self._recorder = EventRecorder(
            kube,
            f"{GROUP}/operator",
            settings.identity,
            capacity=_EVENTS_WAITING,
            busy=lambda: len(self._queue) + self._queue.working > settings.workers // _BUSY_SHARE,
        )
        self._statuses = StatusWriter(kube, self._recorder)
        self._scrub = Scrub(kube, self.cluster.stores, settings.scrub_rate, self._repeat, metrics)
        self._keys = KeyHolder(
            kube,
            settings.namespace,
            settings.keys_secret,
            policy=settings.keys,
            rekey=settings.rekey,
            clock=utc_now,
            on_change=self.cluster.keys_changed,
            announce=self._announce_keys,
        )
        self._leading = False
        self._reports_read_since: datetime | None = None
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

        if self._settings.no_leader_election:
            return await lead()
        namespace, identity = self._settings.namespace, self._settings.identity
        return await run_as_leader(
            self.kube,
            namespace,
            OPERATOR_LEASE,
            identity,
            lead,
            labels={MANAGED_BY_LABEL: MANAGED_BY},
            annotations=self._lease_annotations,
        )

    def _lease_annotations(self) -> dict[str, str]:
        """For whoever can read the Lease and not the operator's port."""
        return {VERSION_ANNOTATION: __version__, PROBLEM_ANNOTATION: (self.problem() or "")[:MAX_PROBLEM_TEXT]}

    async def _lead(self, watch: Callable[[], Awaitable[None]]) -> None:
        """The kind, the keys and the caches first; then the watch fills the queue."""
        self._leading = True
        self._metrics.leading.set(1)
        posting = self._recorder.start()  # it goes on while all else is stopped
        try:
            await self._wait("waiting for the CRDs", self._crds_served(), frozenset({posting}))
            watches = (self._secrets.run(), self._namespaces.reflector.run(), self._gates.reflector.run())
            running = (self._keys.run(), self._gates.run(), self._polls.run(), *watches)
            removal = (self._revocations.reflector.run(), self._revocations.run())
            async with background(*running, *removal, self._due.run(), self.cluster.backlog.run()) as started:
                services = started | {posting}
                await self._wait(_FOR_KEYS, self._keys.available(), services)
                await self._wait("waiting for the list of Secrets", self._secrets.synced(), services)
                await self._wait(
                    "waiting for the list of namespaces", self._namespaces.reflector.synced.wait(), services
                )
                await self._wait(
                    "waiting for the list of the gates' Leases", self._gates.reflector.synced.wait(), services
                )
                await self._wait("waiting for the first lists", self._first_lists(), services)
                # Only now: of a client that is not known yet a report would be dropped, and not be told again.
                async with background(self._usage.reflector.run()) as reading:
                    services |= reading
                    await self._wait(
                        "waiting for the list of the gates' reports", self._usage.reflector.synced.wait(), services
                    )
                    self._reports_read_since = self.kube.clock.now()
                    await self._work(watch, services)
        finally:
            await self._recorder.drain(timeout=_DRAIN_SECONDS)

    async def _work(self, watch: Callable[[], Awaitable[None]], services: Tasks) -> None:
        gc.freeze()  # what was listed stays: to look through it again and again would delay changes by 100 ms
        reconciler = self._reconciler()

        async def reconcile(item: ObjectRef) -> bool:
            return await self._reconcile(item, reconciler)

        async def watching() -> None:
            self._waiting_for = None
            await watch()

        workers = (self._queue.work(reconcile) for _ in range(self._settings.workers))
        async with background(self._resync(), self._scrub.run(), self._queue.let_rest_go_on(), *workers) as working:
            await foreground(watching(), services | working)

    async def _reconcile(self, item: ObjectRef, reconciler: Reconciler) -> bool:
        """Whether it is done; False asks for another try after a backoff."""
        started = time.monotonic()
        outcome, result = await self._attempt(item, reconciler)
        self._metrics.reconciled(item.kind, result, time.monotonic() - started)
        return outcome.done

    async def _attempt(self, item: ObjectRef, reconciler: Reconciler) -> tuple[Outcome, str]:
        """The outcome and the result for metrics. A bug costs this one item, and is tried again like a failure."""
        try:
            outcome = await reconciler.reconcile(item)
        except KubeError as error:
            logger.warning("Reconcile of %s failed: %s", item.kind, error, extra={"namespace": item.namespace})
            return Outcome(done=False), "retry"
        except Exception as error:
            extra = {"kind": item.kind, "namespace": item.namespace, "object": item.name}
            logger.error("Reconcile of %s ended in a bug: %s", item.kind, where(error), extra=extra)  # noqa: TRY400
            return Outcome(done=False), "error"
        self._due.set(item, outcome.due)
        return outcome, "success" if outcome.done else "retry"

    def _announce_keys(self, announcement: Announcement) -> None:
        """An Event about the keys Secret, in the operator's namespace."""
        secret = ObjectReference("v1", "Secret", self._settings.namespace, self._settings.keys_secret, "")
        self._recorder.record(
            secret,
            type="Warning" if announcement.warning else "Normal",
            reason=announcement.reason,
            note=announcement.note,
            action=announcement.action,
        )

    def _reconciler(self) -> Reconciler:
        observer = Observer(
            relations=self.cluster.relations,
            secrets=self._secrets,
            issuer=Issuer(self._settings.issuer),
            peppers=lambda _: tuple(pepper.id for pepper in self._keys.ring.peppers),
            namespace_labels=self._namespaces.of,
            clock_trusted=self.kube.clock.trusted,
            gates_lacking=lambda: self._gates.lacking,
            sight=self.cluster.sight,
            last_use=self._usage.of,
            contract_last_use=self._usage.of_contract,
            reports=self._reports,
            fetched=self._polls.fetched,
            template_keys=self._settings.template_keys,
            min_lifetime=self._settings.min_lifetime,
        )
        steps = StepRunner(
            self.kube,
            self.cluster.clients,
            self._secrets,
            self._keys,
            self._metrics,
            Issuer(self._settings.issuer),
            self._settings.template_keys,
        )
        metrics = self._metrics
        return Reconciler(
            self.cluster, observer, steps, self._statuses, utc_now, metrics.enforced, metrics.overlaps_unused.inc
        )

    async def _wait(self, what: str, waiting: Coroutine[Any, Any, object], services: Tasks) -> None:
        self._waiting_for = what
        await foreground(waiting, services)

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
        for store in self.cluster.stores:
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

        The first time is soon: where kopf had to list again, something may have gone between the two lists.
        """
        seconds = _FIRST_RESYNC_SECONDS
        while True:
            await asyncio.sleep(seconds)
            seconds = _RESYNC_SECONDS
            for store in self.cluster.stores:
                await self._resync_one(store)

    async def _resync_one(self, store: ObjectStore[Any]) -> None:
        before = store.lost_events
        try:
            await store.resync(self.kube)
        except KubeError as error:
            logger.warning("Resync of %s failed: %s", store.resource.plural, error)
        if missed := store.lost_events - before:
            self._metrics.missed.inc(missed)
            logger.warning("Watch of %s missed changes", store.resource.plural, extra={"changes": missed})

    async def _repeat(self, store: ObjectStore[Any], key: NamespacedName) -> None:
        await self._statuses.repeat(store, key, utc_now())

    def _wake(self, wake: Wake, lane: Lane) -> None:
        """Have an object reconciled; what is not urgent waits a moment for more of its kind."""
        self._metrics.woken(wake)
        if wake.reason is WakeReason.OBJECT_CHANGED and wake.ref.kind == TOKEN_ISSUERS.kind:
            self._polls.look(wake.ref.name)
        if wake.urgent:
            self._queue.add(wake.ref, lane)
        else:
            self._queue.add_soon(wake.ref)

    def _reports(self) -> Reports:
        gates = self._gates.reflector.store.values()
        return reports(gates, self._usage.reported(), self.kube.clock.now(), self._reports_read_since)

    def _unknown_keys(self, issuer: str) -> object:
        return unknown_keys(self._gates.reflector.store.values(), issuer)

    def _measure(self) -> None:
        gauge = self._metrics.gauge
        self._metrics.registry.register(self.cluster.attention)
        self._metrics.registry.register(self._polls)
        gauge("ready", "1 while /readyz says ok; its text says what is missing.", lambda: float(self.problem() is None))
        full = "1 while the key ring is full, so that a signing key that is due is not made."
        gauge("key_ring_full", full, lambda: float(self._keys.full))
        gauge("queue_depth", "Objects waiting to be reconciled.", lambda: len(self._queue))
        gauge(
            "queue_longest_wait_seconds",
            "How long the object has waited that has waited longest to be reconciled, of all namespaces.",
            lambda: self._queue.longest_wait,
        )
        gauge("queue_namespaces", "Namespaces with objects that wait to be reconciled.", lambda: self._queue.namespaces)
        self._metrics.gauge_by_lane("lane_depth", "Objects waiting to be reconciled, by lane.", self._queue.depth)
        longest = "How long the object has waited that has waited longest to be reconciled, by lane."
        self._metrics.gauge_by_lane("lane_longest_wait_seconds", longest, self._queue.longest_wait_in)
        gauge("queue_failing", "Objects waiting for another try.", lambda: self._queue.failing)
        for store in self.cluster.stores:
            self._metrics.begin_at_zero(store.resource.kind)
            gauge(store.resource.plural, f"{store.resource.kind}s in the cache.", store.__len__)
        revocations = self._revocations.reflector.store
        gauge("tokenrevocations", "TokenRevocations in the cache.", lambda: len(revocations))
        gauge("bugs_taking_in", "Objects that a bug kept from being taken in.", lambda: self.cluster.bugs)
        gauge("clients_waiting", "Clients that wait until all gates obey.", lambda: len(self.cluster.waiting))
        gauge("due_times", "Objects with something that comes due.", lambda: len(self._due))
        gauge("events_lost", "Events dropped or refused.", lambda: self._recorder.dropped + self._recorder.failed)
        gauge(
            "scrub_age_seconds", "For how long an object has not been read from etcd at most.", lambda: self._scrub.age
        )
        gauge("clock_offset_seconds", "This clock minus the API server's.", self._clock_offset)

    def _clock_offset(self) -> float:
        return self.kube.clock.offset_seconds or 0.0
