"""Very many wakes of one change, handed on in slices: nobody else waits until all of them are queued."""

import asyncio
from collections.abc import Callable

from apiclients.controllers.lanes import Lane
from apiclients.engine.wakes import Wake, WakeReason, Wakes
from apiclients.kube.pace import Pace
from apiclients.resources.refs import NamespacedName

#: Queueing so many takes far less than a millisecond.
_AT_ONCE = 64

_Group = tuple[str, WakeReason, bool, Lane]


class WakeBacklog:
    """Hands few wakes on at once, and many in its own time.

    Bounded: an object is in it once for each reason and lane.
    """

    def __init__(self, wake: Callable[[Wake, Lane], None]) -> None:
        self._wake = wake
        self._pending: dict[_Group, dict[NamespacedName, None]] = {}
        self._filled = asyncio.Event()

    def hand_on(self, wakes: Wakes, lane: Lane = Lane.REST) -> None:
        """Have objects looked at again, soon, in a lane."""
        if len(wakes.keys) <= _AT_ONCE:
            for wake in wakes:
                self._wake(wake, lane)
            return
        group = self._pending.setdefault((wakes.kind, wakes.reason, wakes.urgent, lane), {})
        group |= dict.fromkeys(wakes.keys)
        self._filled.set()

    async def run(self) -> None:
        """Hand on what comes until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            await self.drain()

    async def drain(self) -> None:
        """Hand on all that there is. What comes meanwhile comes behind it."""
        pace = Pace()
        while self._pending:
            group = min(self._pending, key=_lane_of)  # the oldest of the first lane
            kind, reason, urgent, lane = group
            for wake in Wakes(kind, tuple(self._pending.pop(group)), reason, urgent):
                self._wake(wake, lane)
                await pace.pause()


def _lane_of(group: _Group) -> Lane:
    return group[3]
