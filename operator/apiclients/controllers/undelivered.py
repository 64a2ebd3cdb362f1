"""What the watch of one kind has yet to tell: objects of the first list, and own writes.

kopf takes one event in each turn of the event loop. While all else is busy it falls behind, and what people change then
waits behind all that it has yet to tell. What stays undelivered was lost on its way to every watcher.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from apiclients.resources.refs import NamespacedName

#: A watch that has delivered nothing for so long is not waited for.
_PATIENCE_SECONDS = 5.0


class Undelivered:
    """By object, the version that is yet to be delivered. Bounded by the number of objects."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._listed: set[NamespacedName] = set()
        #: Own writes, the one that was written longest ago first.
        self._written: OrderedDict[NamespacedName, tuple[int, float]] = OrderedDict()
        self._heard = monotonic()

    @property
    def behind(self) -> int:
        """Of how many objects the watch is about to tell; 0 if it is silent."""
        silent = self._monotonic() - self._heard > _PATIENCE_SECONDS
        return 0 if silent else len(self._listed) + len(self._written)

    def listed(self, keys: Iterable[NamespacedName]) -> None:
        """The first list has shown these; the watch begins with a list of its own."""
        self._listed = set(keys)
        self._heard = self._monotonic()

    def list_ended(self) -> None:
        """Of the first list all has been delivered that there still is: of what has gone the watch never tells."""
        self._listed.clear()

    def written(self, key: NamespacedName, version: int) -> None:
        """An object was written at this version."""
        if not self._written and not self._listed:
            self._heard = self._monotonic()  # there was nothing to tell
        self._written.pop(key, None)
        self._written[key] = version, self._monotonic()

    def delivered(self, key: NamespacedName, version: int, *, deleted: bool = False) -> None:
        """The watch, or the list that it begins with, has shown an object at this version."""
        self._heard = self._monotonic()
        self._listed.discard(key)
        known = self._written.get(key)
        if known is not None and (deleted or version >= known[0]):
            del self._written[key]

    def forget(self, key: NamespacedName) -> None:
        """Nobody waits for an own write any more."""
        self._written.pop(key, None)

    def take_overdue(self, seconds: float) -> NamespacedName | None:
        """An own write of which the watch has delivered nothing for so long; each is returned once."""
        for key, (_, since) in self._written.items():
            if self._monotonic() - since < seconds:
                return None
            del self._written[key]
            return key
        return None
