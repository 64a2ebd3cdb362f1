"""The work queue: each item at most once in it and at most once in work, with backoff in memory."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from apiclients.controllers.items import Item

#: How long what is not urgent is collected, in seconds.
SOON_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before an item that failed is tried again: doubling, capped, jittered."""

    first: float = 0.2
    longest: float = 60.0

    def delay(self, failures: int) -> float:
        """Seconds after that many failures in a row (1 for the first)."""
        capped = min(self.longest, self.first * 2.0 ** min(failures - 1, 16))
        return capped * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret


class WorkQueue:
    """A deduplicating queue of items.

    An item that is added while it is in work comes back once afterwards, so no change is missed and none is worked on
    twice at the same time. It is bounded by the number of items.
    """

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff()
        self._waiting: OrderedDict[Item, None] = OrderedDict()
        self._working: set[Item] = set()
        self._again: set[Item] = set()
        self._failures: dict[Item, int] = {}
        self._timers: dict[Item, asyncio.TimerHandle] = {}
        self._available = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def failing(self) -> int:
        """How many items wait for another try after a failure."""
        return len(self._failures)

    def add(self, item: Item) -> None:
        """Have an item worked on soon. A backoff that is running is cut short: something changed."""
        self._stop_timer(item)
        if item in self._working:
            self._again.add(item)
        elif item not in self._waiting:
            self._waiting[item] = None
            self._available.set()

    def add_soon(self, item: Item) -> None:
        """Have an item worked on after a moment, so that many changes make one: counts, not life cycles."""
        if item not in self._waiting:
            self._add_later(item, SOON_SECONDS)

    async def work(self, reconcile: Callable[[Item], Awaitable[bool]]) -> None:
        """Work on items for ever; run as many of these as should work at once.

        ``reconcile`` returns whether it is done with the item; False asks for another try after a backoff. What it
        raises ends the worker: it is a bug, not a failure.
        """
        while True:
            item = await self._take()
            try:
                done = await reconcile(item)
            finally:
                self._working.discard(item)
            self._finish(item, done)

    async def _take(self) -> Item:
        while not self._waiting:
            self._available.clear()
            await self._available.wait()
        item, _ = self._waiting.popitem(last=False)
        self._working.add(item)
        return item

    def _finish(self, item: Item, done: bool) -> None:
        if done:
            self._failures.pop(item, None)
        else:
            self._failures[item] = self._failures.get(item, 0) + 1
        if item in self._again:
            self._again.discard(item)
            self.add(item)
        elif not done:
            self._add_later(item, self._backoff.delay(self._failures[item]))

    def _add_later(self, item: Item, seconds: float) -> None:
        """Of two times the earlier one holds."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(item)
        if timer is None or timer.when() > loop.time() + seconds:
            self._stop_timer(item)
            self._timers[item] = loop.call_later(seconds, self.add, item)

    def _stop_timer(self, item: Item) -> None:
        timer = self._timers.pop(item, None)
        if timer is not None:
            timer.cancel()
