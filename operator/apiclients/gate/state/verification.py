"""Verify by use (rule 17): what a yes has rested on is read again, from etcd.

Lists and watches come from the API server's watch cache. A cache that has lost an event says so of none of them, but a
GET without resourceVersion is answered by etcd. To read everything so would cost as much as there is; what nobody uses
lets nobody in.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

from apiclients.gate.state.verification_queue import VerificationQueue
from apiclients.kube.cache import Verdict
from apiclients.kube.errors import KubeError, UnreachableError
from apiclients.kube.single_reads import Where
from apiclients.resources.refs import ObjectRef

logger = logging.getLogger(__name__)

# Objects are due so much before the bound: reading them, and what the reads find, takes time.
_SHARE_OF_BOUND = 0.8
# How often marks are collected, as a part of the bound.
_NOTES_PER_BOUND = 40
_READS_AT_ONCE = 10
# An API server that cannot be reached is not asked more often than this.
_PAUSE_SECONDS = 1.0
# A watch that has not delivered by then what a read found has lost it.
_MOMENT_SECONDS = 2.0


class Outcome(StrEnum):
    """What became of a verification; the label ``outcome`` of the metrics."""

    SAME = "same"
    DIFFERENT = "different"
    FAILED = "failed"


class Verifiable(Protocol):
    """What it needs of the Reflector of a kind."""

    async def verify(self, namespace: str, name: str) -> Verdict:
        """Compare one object with etcd, and apply what differs. Raises KubeError."""

    def overdue(self, namespace: str, name: str) -> bool:
        """Whether the watch has not delivered until now what differed; tells so once."""

    async def is_cached_as_known(self, namespace: str, name: str) -> bool:
        """Whether the API server's watch cache has it as it is known here. Raises KubeError."""


class Verification:
    """Reads what is in use, one object after the other, at most ``rate`` a second."""

    def __init__(
        self,
        in_use: Callable[[], set[ObjectRef]],
        sources: Mapping[str, Verifiable],
        rate: float,
        bound: float,
        monotonic: Callable[[], float] = time.monotonic,
        moment: float = _MOMENT_SECONDS,
        most_waiting: int | None = None,
    ) -> None:
        """``in_use`` tells what answers have rested on since it was last asked, ``sources`` is by kind.

        ``bound`` is within how many seconds everything in use is verified, as far as the rate allows it.
        With ``most_waiting``, what would wait beyond that is passed over until it is in use again.
        """
        self._in_use = in_use
        self._sources = sources
        self._gap = 1 / rate
        self._period = bound / _NOTES_PER_BOUND
        self._timeout = bound / 2
        self._queue = VerificationQueue(rate, bound * _SHARE_OF_BOUND)
        self._monotonic = monotonic
        self._moment = moment
        self._most_waiting = most_waiting
        self._noted = self._next = monotonic()
        self._failing = False
        self._under_way = 0
        self.outcomes: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))
        #: What was in use and not taken into the queue.
        self.passed_over = 0
        #: By kind and place.
        self.lost_events: Counter[tuple[str, Where]] = Counter()

    @property
    def age(self) -> float:
        """For how many seconds a yes has rested on something without that this was verified."""
        return self._queue.age(self._monotonic())

    @property
    def waiting(self) -> int:
        """How many objects are in use and yet to be verified."""
        return len(self._queue)

    async def run(self) -> None:
        """Verify until cancelled. Failures of the API server are counted, never raised."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._note(self._monotonic())
                self._begin(self._monotonic(), tasks)
                await asyncio.sleep(self._until_next(self._monotonic()))

    def _note(self, now: float) -> None:
        if now - self._noted >= self._period:
            for ref in self._in_use():
                if self._most_waiting is not None and len(self._queue) >= self._most_waiting:
                    self.passed_over += 1
                else:
                    self._queue.used(ref, self._noted, now)
            self._noted = now

    def _begin(self, now: float, tasks: asyncio.TaskGroup) -> None:
        if now < self._next or self._under_way >= _READS_AT_ONCE:
            return
        ref = self._queue.take(now)
        if ref is not None:
            self._next = max(self._next, now - self._gap) + self._gap  # one that is late may be made up for
            self._under_way += 1
            tasks.create_task(self._verify(ref, tasks))

    def _until_next(self, now: float) -> float:
        if not self._queue:
            return self._period
        return min(self._period, self._next - now if self._next > now else self._gap)

    async def _verify(self, ref: ObjectRef, tasks: asyncio.TaskGroup) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                verdict = await self._sources[ref.kind].verify(*ref.key)
        except (KubeError, TimeoutError) as error:
            self._queue.failed(ref)
            self._note_failure(ref, error)
            return
        finally:
            self._under_way -= 1
        self._note_success()
        if verdict is Verdict.UNCLEAR:
            self._queue.failed(ref)
            return
        self._queue.verified(ref, self._monotonic())
        self.outcomes[Outcome.SAME if verdict is Verdict.SAME else Outcome.DIFFERENT] += 1
        if verdict is Verdict.DIFFERENT:
            tasks.create_task(self._account_for(ref))

    async def _account_for(self, ref: ObjectRef) -> None:
        """Read and watch race each other by milliseconds. What the watch has not delivered after a moment is lost."""
        await asyncio.sleep(self._moment)
        if not self._sources[ref.kind].overdue(*ref.key):
            return
        where = await self._where(ref)
        self.lost_events[ref.kind, where] += 1
        place = "the API server's watch cache" if where is Where.API_SERVER else "the watch"
        logger.error("%s lost an event of %s; reading it has found it", place, ref)

    async def _where(self, ref: ObjectRef) -> Where:
        """A cache that has what was read has lost nothing; who cannot be asked is not accused."""
        try:
            async with asyncio.timeout(self._timeout):
                cached = await self._sources[ref.kind].is_cached_as_known(*ref.key)
        except (KubeError, TimeoutError):
            return Where.WATCH
        return Where.WATCH if cached else Where.API_SERVER

    def _note_failure(self, ref: ObjectRef, error: Exception) -> None:
        self.outcomes[Outcome.FAILED] += 1
        if isinstance(error, UnreachableError | TimeoutError):
            self._next = self._monotonic() + _PAUSE_SECONDS
        level = logging.DEBUG if self._failing else logging.WARNING
        self._failing = True
        logger.log(level, "%s is in use and cannot be read again: %s", ref, str(error) or type(error).__name__)

    def _note_success(self) -> None:
        if self._failing:
            self._failing = False
            logger.info("what is in use can be read again")
