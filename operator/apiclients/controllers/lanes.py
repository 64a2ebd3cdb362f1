"""What waits to be reconciled, in lanes: first what a person changed now, then what people wait for, then the rest.

In each lane namespaces are served in turn, so that a namespace waits behind itself.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from enum import IntEnum
from itertools import pairwise

from apiclients.resources.refs import ObjectRef

#: So many items of one lane are taken while others wait, then one of a lane behind it.
TURNS = 4


class Lane(IntEnum):
    """How soon an item is taken; the first goes first."""

    #: A person has changed what is in force: an edit, a deletion, a hold, an approval.
    CHANGED = 0
    #: A person has made something new, or changed something while no operator led.
    PENDING = 1
    #: First lists, counts, what comes due.
    REST = 2

    @property
    def label(self) -> str:
        """Its name in metrics."""
        return self.name.lower()


_ALL = tuple(Lane)
_BUT_REST = tuple(lane for lane in Lane if lane is not Lane.REST)


class _Turns:
    """One lane: the items of each namespace, and whose turn it is."""

    def __init__(self) -> None:
        #: In the order of their turns; a namespace that was served goes to the end. Each item with when it was added.
        self.namespaces: OrderedDict[str, OrderedDict[ObjectRef, float]] = OrderedDict()
        #: How many items were taken since one of a lane behind.
        self.taken = 0

    @property
    def oldest(self) -> float | None:
        return min((next(iter(items.values())) for items in self.namespaces.values()), default=None)

    @property
    def depth(self) -> int:
        return sum(map(len, self.namespaces.values()))

    def add(self, item: ObjectRef, now: float) -> None:
        self.namespaces.setdefault(item.namespace, OrderedDict())[item] = now

    def remove(self, item: ObjectRef) -> None:
        items = self.namespaces[item.namespace]
        del items[item]
        if not items:
            del self.namespaces[item.namespace]

    def take(self, has_room: Callable[[str], bool]) -> ObjectRef:
        """The next item. A namespace without room is passed over while another one waits."""
        namespace = next(filter(has_room, self.namespaces), None) or next(iter(self.namespaces))
        item = next(iter(self.namespaces[namespace]))
        self.namespaces.move_to_end(namespace)
        self.remove(item)
        return item


class Lanes:
    """Items that wait, each at most once. Bounded by the number of items, like the queue that it serves."""

    def __init__(self, share: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``share`` is how many items of one namespace may be in work while another one waits in the same lane."""
        self._share = share
        self._monotonic = monotonic
        self._lanes = {lane: _Turns() for lane in Lane}
        self._waiting: dict[ObjectRef, Lane] = {}
        self._in_work: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, item: ObjectRef) -> bool:
        return item in self._waiting

    @property
    def namespaces(self) -> int:
        """How many namespaces have items that wait."""
        return len({namespace for turns in self._lanes.values() for namespace in turns.namespaces})

    def depth(self, lane: Lane) -> int:
        """How many items wait in a lane."""
        return self._lanes[lane].depth

    def longest_wait(self, *lanes: Lane) -> float:
        """For how many seconds the item has waited that has waited longest in these lanes, or in any; 0 if none does.

        Who was moved to a lane waits there since then.
        """
        added = [turns.oldest for lane, turns in self._lanes.items() if not lanes or lane in lanes]
        return self._monotonic() - min((one for one in added if one is not None), default=self._monotonic())

    def add(self, item: ObjectRef, lane: Lane = Lane.REST) -> None:
        """Put an item at the end of its namespace in a lane, unless it waits already there or in one before."""
        known = self._waiting.get(item)
        if known is not None:
            if known <= lane:
                return
            self._lanes[known].remove(item)
        self._lanes[lane].add(item, self._monotonic())
        self._waiting[item] = lane

    def take(self, *, rest: bool = True) -> tuple[ObjectRef, Lane] | None:
        """The next item, which counts as in work until :meth:`finish`, and its lane; None when nothing waits.

        Without ``rest`` what is in the last lane goes on waiting.
        """
        lane = self._next_lane(_ALL if rest else _BUT_REST)
        if lane is None:
            return None
        item = self._lanes[lane].take(lambda namespace: self._in_work[namespace] < self._share)
        del self._waiting[item]
        self._in_work[item.namespace] += 1
        return item, lane

    def finish(self, item: ObjectRef) -> None:
        """An item is in work no longer."""
        self._in_work[item.namespace] -= 1
        if not self._in_work[item.namespace]:
            del self._in_work[item.namespace]

    def _next_lane(self, lanes: Sequence[Lane]) -> Lane | None:
        """The first in which something waits; after its turns, the one behind it that has waited meanwhile."""
        waiting = [lane for lane in lanes if self._lanes[lane].namespaces]
        for lane, _ in pairwise(waiting):
            turns = self._lanes[lane]
            if turns.taken < TURNS:
                turns.taken += 1
                return lane
            turns.taken = 0
        return waiting[-1] if waiting else None
