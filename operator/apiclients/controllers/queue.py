"""The work queue: each item at most once in it and at most once in work, with backoff in memory."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from apiclients.controllers.lanes import Lane, Lanes
from apiclients.resources.refs import ObjectRef

#: How long what is not urgent is collected, in seconds.
SOON_SECONDS = 0.5
#: How often to look whether the last lane may go on.
_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before an item that failed is tried again: doubling, capped, jittered."""

    first: float = 0.2
    longest: float = 60.0

    def delay(self, failures: int) -> float:
        """Seconds after that many failures in a row (1 for the first)."""
        capped = min(self.longest, self.first * 2.0 ** min(failures - 1, 16))
        return capped * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret


@dataclass(frozen=True, slots=True)
class _Timer:
    """An item that comes back: when, by the event loop's clock, and in which lane."""

    when: float
    handle: asyncio.Handle  # uvloop gives no TimerHandle for what is due at once
    lane: Lane


class WorkQueue:
    """A deduplicating queue of items.

    An item that is added while it is in work comes back once afterwards, so no change is missed and none is worked on
    twice at the same time. It is bounded by the number of items. Which goes first is decided in `lanes`; an item that
    comes back keeps its lane, unless it was asked for in an earlier one.
    """

    def __init__(
        self, backoff: Backoff | None = None, *, share: int = 12, rest_waits: Callable[[], bool] = lambda: False
    ) -> None:
        """``share`` is how many items of one namespace may be in work while another namespace waits.

        While ``rest_waits``, nothing is taken from the last lane; see `let_rest_go_on`.
        """
        self._rest_waits = rest_waits
        self._backoff = backoff or Backoff()
        self._waiting = Lanes(share)
        self._working: set[ObjectRef] = set()
        self._again: dict[ObjectRef, Lane] = {}
        self._failures: dict[ObjectRef, int] = {}
        self._timers: dict[ObjectRef, _Timer] = {}
        self._available, self._held_back = asyncio.Event(), asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def working(self) -> int:
        """How many items are in work."""
        return len(self._working)

    @property
    def failing(self) -> int:
        """How many items wait for another try after a failure."""
        return len(self._failures)

    @property
    def namespaces(self) -> int:
        """How many namespaces have items that wait."""
        return self._waiting.namespaces

    @property
    def longest_wait(self) -> float:
        """For how many seconds the item has waited that has waited longest; 0 while none waits."""
        return self._waiting.longest_wait()

    def depth(self, lane: Lane) -> int:
        """How many items wait in a lane."""
        return self._waiting.depth(lane)

    def longest_wait_in(self, lane: Lane) -> float:
        """As `longest_wait`, of one lane."""
        return self._waiting.longest_wait(lane)

    def add(self, item: ObjectRef, lane: Lane = Lane.REST) -> None:
        """Have an item worked on soon. A backoff that is running is cut short: something changed."""
        lane = min(lane, self._stop_timer(item))
        if item in self._working:
            self._again[item] = min(lane, self._again.get(item, lane))
        else:
            self._waiting.add(item, lane)
            self._available.set()

    def add_soon(self, item: ObjectRef) -> None:
        """Have an item worked on after a moment, so that many changes make one: counts, not life cycles."""
        if item not in self._waiting:
            self._add_later(item, SOON_SECONDS, Lane.REST)

    async def let_rest_go_on(self) -> None:
        """Take from the last lane again, until cancelled, as soon as it need not wait: nothing tells."""
        while True:
            await self._held_back.wait()
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._rest_waits():
                self._held_back.clear()
                self._available.set()

    async def work(self, reconcile: Callable[[ObjectRef], Awaitable[bool]]) -> None:
        """Work on items for ever; run as many of these as should work at once.

        ``reconcile`` returns whether it is done with the item; False asks for another try after a backoff. What it
        raises ends the worker: it is a bug, not a failure.
        """
        while True:
            item, lane = await self._take()
            try:
                done = await reconcile(item)
            finally:
                self._working.discard(item)
                self._waiting.finish(item)
            self._finish(item, lane, done)
            await asyncio.sleep(0)  # an item that needed no answer of anybody gave nobody else a turn

    async def _take(self) -> tuple[ObjectRef, Lane]:
        while (taken := self._waiting.take(rest=not self._rest_waits())) is None:
            self._available.clear()
            if len(self._waiting):
                self._held_back.set()
            await self._available.wait()
        self._working.add(taken[0])
        return taken

    def _finish(self, item: ObjectRef, lane: Lane, done: bool) -> None:
        if done:
            self._failures.pop(item, None)
        else:
            self._failures[item] = self._failures.get(item, 0) + 1
        again = self._again.pop(item, None)
        if again is not None:
            self.add(item, again if done else min(again, lane))
        elif not done:
            self._add_later(item, self._backoff.delay(self._failures[item]), lane)

    def _add_later(self, item: ObjectRef, seconds: float, lane: Lane) -> None:
        """Of two times the earlier one holds, and of two lanes."""
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        timer = self._timers.get(item)
        if timer is not None:
            when, lane = min(when, timer.when), min(lane, timer.lane)
            timer.handle.cancel()
        self._timers[item] = _Timer(when, loop.call_at(when, self.add, item, lane), lane)

    def _stop_timer(self, item: ObjectRef) -> Lane:
        """The lane of the timer that was stopped."""
        timer = self._timers.pop(item, None)
        if timer is None:
            return Lane.REST
        timer.handle.cancel()
        return timer.lane
