"""What is to be verified next, and when. No IO; the clock is passed in, in seconds."""

from collections import OrderedDict
from dataclasses import dataclass

from apiclients.resources.refs import ObjectRef


@dataclass(slots=True)
class _Reading:
    """A verification under way. ``again`` is since when a later yes has rested on the object, if one has."""

    since: float
    started: float
    again: float | None = None


class VerificationQueue:
    """Objects on which a yes has rested since they were last verified: the longest waiting goes first.

    Each is taken no later than max(``within``, waiting / ``rate``) after the first such yes, if ``rate`` a second are
    taken, and not much earlier, for reading costs. What nobody has verified lately is not made to wait while there is
    time for it. There is at most one entry for each object in use.
    """

    def __init__(self, rate: float, within: float) -> None:
        self._rate = rate
        self._within = within
        #: Since when, in the order in which they are taken.
        self._waiting: OrderedDict[ObjectRef, float] = OrderedDict()
        #: Those of them that nobody has verified for ``within``, or that could not be.
        self._unknown: OrderedDict[ObjectRef, None] = OrderedDict()
        self._under_way: dict[ObjectRef, _Reading] = {}
        #: When the verifications of the last ``within`` were started.
        self._verified: OrderedDict[ObjectRef, float] = OrderedDict()

    def __len__(self) -> int:
        """How many are yet to be verified."""
        return len(self._waiting) + len(self._under_way)

    def age(self, now: float) -> float:
        """For how long a yes has rested on an object without that this was verified; 0 if there is none."""
        under_way = (reading.since for reading in self._under_way.values())
        return now - min([*self._waiting.values(), *under_way], default=now)

    def used(self, ref: ObjectRef, since: float, now: float) -> None:
        """A yes has rested on an object; ``since`` is the earliest that it can have been given."""
        reading = self._under_way.get(ref)
        if reading is not None:
            reading.again = max(since, reading.started) if reading.again is None else reading.again
        elif ref not in self._waiting:
            self._wait(ref, max(since, self._verified.get(ref, since)), now)

    def take(self, now: float) -> ObjectRef | None:
        """The next object to verify, if it is time for one. It is verified or failed afterwards."""
        ref = self._due(now) or next(iter(self._unknown), None)
        if ref is None:
            return None
        self._under_way[ref] = _Reading(self._waiting.pop(ref), now)
        self._unknown.pop(ref, None)
        return ref

    def verified(self, ref: ObjectRef, now: float) -> None:
        """An object that was taken is as it is known, or is known to be so now."""
        reading = self._under_way.pop(ref)
        self._verified.pop(ref, None)
        self._verified[ref] = reading.started
        if reading.again is not None:
            self._wait(ref, reading.again, now)

    def failed(self, ref: ObjectRef) -> None:
        """An object that was taken could not be verified: it is tried again while there is time, behind what is due.

        Its age goes on. To wait for its turn once more would take it beyond the bound.
        """
        self._waiting[ref] = self._under_way.pop(ref).since
        self._unknown[ref] = None

    def _due(self, now: float) -> ObjectRef | None:
        """The first, once all can be taken in time only if it is taken now."""
        first = next(iter(self._waiting.items()), None)
        if first is None or now < first[1] + self._within - len(self._waiting) / self._rate:
            return None
        return first[0]

    def _wait(self, ref: ObjectRef, since: float, now: float) -> None:
        while self._verified and next(iter(self._verified.values())) <= now - self._within:
            self._verified.popitem(last=False)
        self._waiting[ref] = since
        if ref not in self._verified:
            self._unknown[ref] = None
