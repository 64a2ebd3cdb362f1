"""`EventRecorder`: tells people what happened, through events.k8s.io/v1, without ever holding anybody up."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from apiclients.kube.client import EVENTS, KubeClient
from apiclients.kube.errors import AlreadyExistsError, ApiError, ForbiddenError, KubeError, NotFoundError
from apiclients.kube.objects import JsonObject, micro_time

logger = logging.getLogger(__name__)

EventType = Literal["Normal", "Warning"]

NOTE_BYTES = 1024
_SHORT_TEXT = 128
_TRIES = 3
_SERIES_KEPT = 4096
#: How often to look whether there is nothing more important to do, in seconds.
_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """What an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str

    def to_dict(self) -> JsonObject:
        """Return it as the API writes it."""
        reference = {"apiVersion": self.api_version, "kind": self.kind, "name": self.name, "uid": self.uid}
        return {**reference, "namespace": self.namespace} if self.namespace else reference


_Identity = tuple[str, str, str, str, str]


@dataclass(slots=True, eq=False)
class _Series:
    """An Event that may happen again: `count` times so far, of which the API server knows `posted`."""

    body: JsonObject
    since: float
    count: int = 1
    posted: int = 0
    observed: str = ""
    last_seen: float = 0.0
    last_posted: float = field(default=-1e9)


class EventRecorder:
    """Posts Events one after another in the background.

    The same event (object, type, reason, note, action) within `window` seconds becomes a series: the count of the first
    one is raised, at most every `series_interval` seconds. At most `capacity` events wait; then the oldest is dropped.
    Failures are counted and logged once per kind, never raised.

    While `busy` says that there is work to be done, events wait, each for at most `patience` seconds: they tell of what
    was done, and cost the API server as much as doing it.

    Attributes: `posted`, `dropped` (queue full) and `failed` count Events.
    """

    def __init__(
        self,
        client: KubeClient,
        controller: str = "apiclients.dev/operator",
        instance: str = "apiclient-operator",
        *,
        capacity: int = 1000,
        window: float = 360.0,
        series_interval: float = 60.0,
        busy: Callable[[], bool] = lambda: False,
        patience: float = 60.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`controller` is a qualified name; `instance` says which replica, at most 128 characters."""
        self._client = client
        self._controller = controller
        self._instance = instance[:_SHORT_TEXT]
        self._capacity = capacity
        self._window = window
        self._series_interval = series_interval
        self._busy = busy
        self._patience = patience
        self._monotonic = monotonic
        self._series: OrderedDict[_Identity, _Series] = OrderedDict()
        self._queue: deque[_Series] = deque()
        self._repeated: set[_Series] = set()
        self._next_check = 0.0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._draining = False
        self._complained: set[str] = set()
        self.posted = 0
        self.dropped = 0
        self.failed = 0

    def start(self) -> asyncio.Task[None]:
        """Start posting; what was recorded before is kept. The task ends by `drain`, or by a bug: watch it."""
        self._task = asyncio.create_task(self._run(), name="events")
        return self._task

    def record(
        self,
        regarding: ObjectReference,
        *,
        type: EventType,
        reason: str,
        note: str,
        action: str,
        related: ObjectReference | None = None,
    ) -> None:
        """Record that something happened; returns at once.

        `reason` is a CamelCase word, `action` what was done or attempted, `note` a sentence without secrets (cut at
        1 kB).
        """
        note = _cut(note, NOTE_BYTES)
        identity = (regarding.uid, type, reason, note, action)
        now = self._monotonic()
        known = self._series.get(identity)
        if known is not None and now - known.last_seen <= self._window:
            known.count += 1
            known.last_seen, known.observed = now, micro_time()
            self._series.move_to_end(identity)
            self._repeated.add(known)
        else:
            series = _Series(self._body(regarding, type, reason, note, action, related), since=now, last_seen=now)
            self._series.pop(identity, None)
            self._series[identity] = series
            self._enqueue(series)
            self._forget_old()
        self._wake.set()

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - a bound for the whole
        """Post what waits, for at most `timeout` seconds, and stop. For the end of the process."""
        self._draining = True
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="events")
        done, _ = await asyncio.wait({self._task}, timeout=timeout)
        if not done:
            logger.warning("%d events were not posted in time", len(self._queue))
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            while self._queue:
                if self._may_wait(self._queue[0]):
                    await asyncio.sleep(_PAUSE)
                else:
                    await self._create(self._queue.popleft())
            for series in self._due():
                await self._raise_count(series)
            if self._draining and not self._queue:
                return
            await self._sleep()

    def _may_wait(self, oldest: _Series) -> bool:
        """Whether there is something more important to do; not when events would be lost by waiting, or be stale."""
        crowded = self._draining or 2 * len(self._queue) >= self._capacity
        return not crowded and self._busy() and self._monotonic() - oldest.since < self._patience

    async def _sleep(self) -> None:
        """Wait for something recorded, or until the count of a series may be raised."""
        delay = max(0.01, self._next_check - self._monotonic()) if self._repeated else None
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._wake.wait()

    def _due(self) -> list[_Series]:
        """Return the series whose count may be raised now. Looks rarely: there may be thousands."""
        now = self._monotonic()
        if now < self._next_check and not self._draining:
            return []
        self._next_check = now + self._series_interval / 20
        latest = now - self._series_interval
        self._repeated = {series for series in self._repeated if series.posted < series.count}
        return [
            series for series in self._repeated if series.posted and (self._draining or series.last_posted <= latest)
        ]

    def _abandon(self, series: _Series) -> None:
        """Forget that it happened: the next one like it is a new event."""
        series.last_seen = float("-inf")
        series.posted = series.count

    def _enqueue(self, series: _Series) -> None:
        if len(self._queue) >= self._capacity:
            self._abandon(self._queue.popleft())
            self.dropped += 1
        self._queue.append(series)

    def _forget_old(self) -> None:
        oldest = self._monotonic() - self._window
        while self._series:
            identity, series = next(iter(self._series.items()))
            if len(self._series) <= _SERIES_KEPT and (series.last_seen >= oldest or series.posted < series.count):
                return
            del self._series[identity]

    async def _create(self, series: _Series) -> None:
        count = series.count
        if count > 1:
            series.body["series"] = {"count": count, "lastObservedTime": series.observed}
        namespace = series.body["metadata"]["namespace"]
        if await self._send(lambda: self._client.create(EVENTS, namespace, series.body)):
            self.posted += 1
            series.posted, series.last_posted = count, self._monotonic()
        else:
            self._abandon(series)

    async def _raise_count(self, series: _Series) -> None:
        count = series.count
        metadata = series.body["metadata"]
        patch: JsonObject = {"series": {"count": count, "lastObservedTime": series.observed}}
        series.posted, series.last_posted = count, self._monotonic()  # a failure is not worth a second try
        await self._send(lambda: self._client.merge_patch(EVENTS, metadata["namespace"], metadata["name"], patch))

    async def _send(self, write: Callable[[], Awaitable[object]]) -> bool:
        """Send one write, up to three times; returns whether it succeeded."""
        for attempt in range(1, _TRIES + 1):
            try:
                await write()
            except AlreadyExistsError:
                return True  # the answer to an earlier try was lost
            except (ForbiddenError, NotFoundError) as error:
                return self._give_up(error)  # the namespace is being deleted, or the right is missing
            except KubeError as error:
                if attempt == _TRIES or (isinstance(error, ApiError) and error.status < 500):
                    return self._give_up(error)
                await asyncio.sleep(0.2 * attempt)
            else:
                return True
        return False

    def _give_up(self, error: KubeError) -> bool:
        self.failed += 1
        kind = type(error).__name__
        if kind not in self._complained:
            self._complained.add(kind)
            logger.warning("cannot post an event (further ones of this kind are only counted): %s", error)
        return False

    def _body(
        self,
        regarding: ObjectReference,
        kind: EventType,
        reason: str,
        note: str,
        action: str,
        related: ObjectReference | None,
    ) -> JsonObject:
        namespace = regarding.namespace or "default"
        body: JsonObject = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": f"{regarding.name[:200].rstrip('-.')}.{secrets.token_hex(8)}", "namespace": namespace},
            "eventTime": micro_time(),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
            "type": kind,
            "reason": reason[:_SHORT_TEXT],
            "action": action[:_SHORT_TEXT],
            "note": note,
            "regarding": regarding.to_dict(),
        }
        if related is not None:
            body["related"] = related.to_dict()
        return body


def _cut(text: str, limit: int) -> str:
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore") + "…"
