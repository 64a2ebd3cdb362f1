"""The work queue: each key at most once in it and at most once in work, with backoff in memory."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before a key that failed is tried again: doubling, capped, jittered."""

    first: float = 0.2
    longest: float = 60.0

    def delay(self, failures: int) -> float:
        """Seconds after that many failures in a row (1 for the first)."""
        capped = min(self.longest, self.first * 2.0 ** min(failures - 1, 16))
        return capped * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret


class WorkQueue:
    """A deduplicating queue of keys.

    A key that is added while it is in work comes back once afterwards, so no change is missed and no key is worked on
    twice at the same time. It is bounded by the number of keys.
    """

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff()
        self._waiting: OrderedDict[Key, None] = OrderedDict()
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._available = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def failing(self) -> int:
        """How many keys wait for another try after a failure."""
        return len(self._failures)

    def add(self, key: Key) -> None:
        """Have a key worked on soon. A backoff that is running is cut short: something changed."""
        self._stop_timer(key)
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = None
            self._available.set()

    def forget(self, key: Key) -> None:
        """The object has gone: no retry, no memory of failures."""
        self._failures.pop(key, None)
        self._stop_timer(key)

    async def work(self, reconcile: Callable[[Key], Awaitable[bool]]) -> None:
        """Work on keys for ever; run as many of these as should work at once.

        ``reconcile`` returns whether it is done with the key; False asks for another try after a backoff. What it
        raises ends the worker: it is a bug, not a failure.
        """
        while True:
            key = await self._take()
            try:
                done = await reconcile(key)
            finally:
                self._working.discard(key)
            self._finish(key, done)

    async def _take(self) -> Key:
        while not self._waiting:
            self._available.clear()
            await self._available.wait()
        key, _ = self._waiting.popitem(last=False)
        self._working.add(key)
        return key

    def _finish(self, key: Key, done: bool) -> None:
        if done:
            self._failures.pop(key, None)
        else:
            self._failures[key] = self._failures.get(key, 0) + 1
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif not done:
            delay = self._backoff.delay(self._failures[key])
            self._timers[key] = asyncio.get_running_loop().call_later(delay, self.add, key)

    def _stop_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
