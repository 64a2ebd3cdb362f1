"""What comes due by the clock: one heap of times for all objects, not a timer per object."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime

from apiclients.kube.pace import Pace
from apiclients.resources.refs import ObjectRef

#: The wall clock may be stepped, so sleeping is never longer than this, in seconds.
LONGEST_SLEEP = 15.0


class DueTimes:
    """The next due time of each item; calls ``on_due`` once it has come."""

    def __init__(self, clock: Callable[[], datetime], on_due: Callable[[ObjectRef], None]) -> None:
        self._clock = clock
        self._on_due = on_due
        self._heap: list[tuple[datetime, ObjectRef]] = []
        self._times: dict[ObjectRef, datetime] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._times)

    def set(self, item: ObjectRef, due: datetime | None) -> None:
        """Set or clear the due time of a item."""
        if due is None:
            self._times.pop(item, None)
        elif self._times.get(item) != due:
            self._times[item] = due
            heapq.heappush(self._heap, (due, item))
            self._compact()
            self._changed.set()

    async def run(self) -> None:
        """Announce what comes due until cancelled."""
        while True:
            await self._announce()
            self._changed.clear()
            try:
                async with asyncio.timeout(self._sleep_seconds()):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _announce(self) -> None:
        """Very many may come due at the same moment."""
        now, pace = self._clock(), Pace()
        while self._heap and self._heap[0][0] <= now:
            due, item = heapq.heappop(self._heap)
            if self._times.get(item) == due:
                del self._times[item]
                self._on_due(item)
            await pace.pause()

    def _sleep_seconds(self) -> float:
        if not self._heap:
            return LONGEST_SLEEP
        return min(LONGEST_SLEEP, max(0.0, (self._heap[0][0] - self._clock()).total_seconds()))

    def _compact(self) -> None:
        """Entries whose time was changed stay in the heap until they come up; do not let them pile up."""
        if len(self._heap) > 2 * len(self._times) + 64:
            self._heap = [(due, item) for item, due in self._times.items()]
            heapq.heapify(self._heap)
