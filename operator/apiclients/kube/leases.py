"""Who leads.

Leading uses the election loop of the official library with a lock of our own. The library's lock and loop alone are not
enough for a process that must never act beside another: they let network errors escape, allow a single request to take
five minutes, measure validity by the wall clock and notice neither the end of the work nor its failure. Here the lock
decides about validity by the monotonic clock, every request is short, and a watch on the last renewal ends the work in
time whatever the loop is doing.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from apiclients.kube.client import LEASES, KubeClient
from apiclients.kube.election import ApiException, BaseLock, Config, LeaderElection, LeaderElectionRecord
from apiclients.kube.errors import ApiError, ConflictError, KubeError, NotFoundError
from apiclients.kube.objects import JsonObject, micro_time

logger = logging.getLogger(__name__)

R = TypeVar("R")

_GOODBYE_SECONDS = 3.0

_TAKEN = "another process holds it"
#: A watch would go on from a version that is yet to come again, and miss everything up to there.
_SET_BACK = "the API server's history was set back, so what is known here is not what is stored"


class LeadershipLostError(KubeError):
    """The lease could not be renewed in time or another process holds it: end this process at once."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds: how long a lease is valid without renewal, how long its leader tries to renew, how often all try."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


async def run_as_leader(
    client: KubeClient,
    namespace: str,
    name: str,
    identity: str,
    work: Callable[[], Awaitable[R]],
    *,
    times: LeaseTimes | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Callable[[], Mapping[str, str]] = dict,
) -> R:
    """Wait until this process leads, run `work` and return its result.

    `identity` must be unique among the processes that can run at the same time. A pod's name and a process id are: in
    a container the id is always 1, so a program that is started again after a crash goes on with its own lease without
    waiting for its end, and the kubelet starts it only once the one before has ended. When `work` ends, fails or is
    cancelled the lease is released, so that a successor starts at once. When the lease is lost `work` is cancelled,
    waited for until the lease could have another holder, and LeadershipLostError is raised. `times` defaults to 15, 10
    and 2 s; ValueError if they make no sense. `labels` and `annotations`, asked for at each renewal, are put on the
    lease; those of others on it stay.
    """
    times = times or LeaseTimes()

    def marks() -> dict[str, dict[str, str]]:
        return {"labels": dict(labels or {}), "annotations": dict(annotations())}

    lock = _LeaseLock(client, namespace, name, identity, times, marks)
    election = asyncio.create_task(_elect(lock, times), name="leader-election")
    try:
        await _first_of(lock.acquired.wait(), election)
        if not lock.acquired.is_set():
            await election  # raises why
            raise LeadershipLostError(f"lease {namespace}/{name}: the election ended")
        logger.info("leading as %s by lease %s/%s", identity, namespace, name)
        return await _work_while_leading(lock, election, work)
    finally:
        await _cancel(election)
        if not lock.is_lost:  # otherwise work that did not end in time may still be running
            await lock.release()


async def _elect(lock: _LeaseLock, times: LeaseTimes) -> None:
    """Run the library's loop until the lease is lost. Its callbacks do nothing: it would not wait for the work."""

    async def nothing() -> None:
        return None

    config = Config(
        lock=lock,
        lease_duration=times.duration,
        renew_deadline=times.renew_deadline,
        retry_period=times.retry_period,
        onstarted_leading=nothing,
        onstopped_leading=nothing,
    )
    await LeaderElection(config).run()


async def _work_while_leading(lock: _LeaseLock, election: asyncio.Task[None], work: Callable[[], Awaitable[R]]) -> R:
    task = asyncio.ensure_future(work())
    lost = False
    loss = asyncio.create_task(lock.loss(), name="lease-watch")
    try:
        await asyncio.wait({task, election, loss}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        reason = loss.result() if loss.done() else "it could not be renewed"
        lost = True
        task.cancel()
        await asyncio.wait({task}, timeout=max(0.0, lock.valid_until - time.monotonic()))
        raise LeadershipLostError(f"lease {lock.namespace}/{lock.name} is lost: {reason}")
    finally:
        await _cancel(loss)
        if not lost:
            await _cancel(task)  # the end was asked for: the work cleans up as leader


async def _first_of(waiting: Awaitable[object], other: asyncio.Task[None]) -> None:
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait({task, other}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(task)


async def _cancel(task: asyncio.Future[R]) -> None:
    """Cancel a task and wait for its end; its failure is someone else's to report."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


class _LeaseLock(BaseLock):
    """The Lease behind the election, on plain dicts; see the module for what it does that the library's does not."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes,
        marks: Callable[[], dict[str, dict[str, str]]],
    ) -> None:
        super().__init__(name, namespace, identity)
        self._client = client
        self._times = times
        self._marks = marks
        self._lease: JsonObject = {}
        self._observed: tuple[object, ...] = ()
        self._observed_at = 0.0
        self._renewed_at = 0.0
        self._told_holder: str | None = None
        self._version = 0
        self._lost_why: str | None = None
        self._lost = asyncio.Event()
        self.acquired = asyncio.Event()

    @property
    def is_lost(self) -> bool:
        """Whether it is known to be lost, or is past its renewal deadline."""
        return self.acquired.is_set() and (
            self._lost.is_set() or time.monotonic() >= self._renewed_at + self._times.renew_deadline
        )

    @property
    def valid_until(self) -> float:
        """Monotonic seconds until which no other process can have taken the lease."""
        return 0.0 if self._lost_why == _TAKEN else self._renewed_at + self._times.duration

    async def loss(self) -> str:
        """Return, with the reason, as soon as the lease is lost."""
        while not self.is_lost:
            left = self._renewed_at + self._times.renew_deadline - time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, left)):
                    await self._lost.wait()
        return self._lost_why or "it could not be renewed in time"

    async def get(
        self, name: str, namespace: str
    ) -> tuple[bool, LeaderElectionRecord] | tuple[bool, Exception] | tuple[bool, None]:
        """Read the lease. "No record" tells the loop to take it: it is ours, free, or expired (monotonic clock)."""
        try:
            async with asyncio.timeout(self._patience):
                self._lease = await self._client.get(LEASES, namespace, name, urgent=True)
        except NotFoundError:
            self._lease = {}
            return False, ApiException(status=404, reason="NotFound", body='{"code": 404}')
        except (KubeError, TimeoutError) as error:
            return False, ApiException(status=0, reason=str(error) or "timeout")
        self._observe()
        if self._may_take():
            return True, None
        if self.acquired.is_set():
            self._lose(_TAKEN)
        else:
            self._say_who_leads()
        spec = self._spec
        times = (str(spec.get("acquireTime") or "unknown"), str(spec.get("renewTime") or "unknown"))
        return True, LeaderElectionRecord(spec["holderIdentity"], str(self._holder_duration), *times)

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:  # noqa: ARG002
        """Create the lease as ours; False if that failed, for example because another process was faster."""
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": name, "namespace": namespace, **self._marks()},
            "spec": self._held(),
        }
        return await self._renew("create", lambda: self._client.create(LEASES, namespace, body))

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:  # noqa: ARG002
        """Renew or take the lease, on the resourceVersion that was read; False if that failed."""
        if not self._may_take():
            return False  # the loop believes a wall clock that was stepped
        metadata = self._lease["metadata"]
        marked = {part: {**(metadata.get(part) or {}), **mine} for part, mine in self._marks().items()}
        body = {**self._lease, "metadata": {**metadata, **marked}, "spec": {**self._spec, **self._held()}}
        return await self._renew("renew", lambda: self._client.replace(LEASES, namespace, name, body, urgent=True))

    async def release(self) -> None:
        """Give the lease back, if it is still ours as last written; never raises."""
        if not self.acquired.is_set() or self._lost_why == _TAKEN:
            return
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                try:
                    await self._give_back()
                except ConflictError:  # a renewal was under way when the loop ended
                    self._lease = await self._client.get(LEASES, self.namespace, self.name, urgent=True)
                    if self._spec.get("holderIdentity") == self.identity:
                        await self._give_back()
        except (KubeError, TimeoutError) as error:
            logger.warning("cannot release lease %s/%s: %s", self.namespace, self.name, error or "timeout")

    async def _give_back(self) -> None:
        now = micro_time()
        spec = {**self._spec, "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now, "acquireTime": now}
        body = {**self._lease, "spec": spec}
        await self._client.replace(LEASES, self.namespace, self.name, body, urgent=True)

    @property
    def _spec(self) -> JsonObject:
        return self._lease.get("spec") or {}

    @property
    def _patience(self) -> float:
        # Two requests (read and renew) and one pause have to fit between two renewals and the deadline.
        return (self._times.renew_deadline - self._times.retry_period) / 2

    @property
    def _holder_duration(self) -> float:
        return float(self._spec.get("leaseDurationSeconds") or self._times.duration)

    def _lose(self, why: str) -> None:
        self._lost_why = why
        self._lost.set()

    def _say_who_leads(self) -> None:
        """Once per leader: a process that does nothing says what it waits for."""
        holder = self._spec.get("holderIdentity")
        if holder != self._told_holder:
            self._told_holder = holder
            text = "waiting to lead: %s holds lease %s/%s, and would lose it %d s after its last renewal"
            logger.info(text, holder, self.namespace, self.name, round(self._holder_duration))

    def _observe(self) -> None:
        version, before = int(self._lease["metadata"]["resourceVersion"]), self._version
        self._version = version
        if version < before and self.acquired.is_set():
            self._lose(_SET_BACK)
        record = (self._spec.get("holderIdentity"), self._spec.get("renewTime"), self._lease["metadata"]["uid"])
        if record != self._observed:
            self._observed, self._observed_at = record, time.monotonic()

    def _may_take(self) -> bool:
        holder = self._spec.get("holderIdentity")
        if not holder or holder == self.identity:
            return True
        # Once led, never again in this process: work that was cancelled may still be ending.
        return not self.acquired.is_set() and time.monotonic() - self._observed_at >= self._holder_duration

    def _held(self) -> JsonObject:
        now = micro_time()
        spec: JsonObject = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": math.ceil(self._times.duration),
            "renewTime": now,
        }
        if self._spec.get("holderIdentity") != self.identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(self._spec.get("leaseTransitions") or 0) + 1 if self._lease else 0
        return spec

    async def _renew(self, what: str, write: Callable[[], Awaitable[JsonObject]]) -> bool:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                self._lease = await write()
        except ApiError as error:
            logger.info("cannot %s lease %s/%s: %s", what, self.namespace, self.name, error)
            return False
        except (KubeError, TimeoutError) as error:
            logger.warning("cannot %s lease %s/%s: %s", what, self.namespace, self.name, error or "timeout")
            return False
        self._renewed_at = started
        self._observe()
        self.acquired.set()
        return True
