"""The clients that wait for gates, by the versions that they wait for: they are woken when a Lease moves, nobody else.

A Lease is renewed every few seconds for as long as its gate lives. What that costs does not grow with the number of
clients, and nobody is woken for nothing: a client is, once no living gate is behind the version that it waits for.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.enforcement import REFUSED, LivingGates, Reached, reached
from apiclients.resources.refs import NamespacedName


@dataclass(frozen=True, slots=True)
class Wait:
    """One client that waits, and for what."""

    key: NamespacedName
    #: What the status said when the wait began; another one is another wait.
    reported: tuple[object, ...]
    refuses: bool
    client_version: int
    holds_version: int
    #: Whether it has just been refused or resumed, and is not only new.
    urgent: bool


@dataclass(slots=True)
class _Lane:
    """Those that wait for a refusal, or for being let in: each first for its client's version, then for that of holds.

    Entries of waits that have ended stay until they come up; they are not let pile up.
    """

    by_client: list[tuple[int, int, Wait]] = field(default_factory=list)
    by_holds: list[tuple[int, int, Wait]] = field(default_factory=list)
    number: int = 0

    def add(self, wait: Wait) -> None:
        self.number += 1
        heapq.heappush(self.by_client, (wait.client_version, self.number, wait))

    def passed(self, reached: Reached) -> Iterator[Wait]:
        """Take out those whose versions all gates have."""
        while self.by_client and self.by_client[0][0] <= reached.clients:
            _, number, wait = heapq.heappop(self.by_client)
            heapq.heappush(self.by_holds, (wait.holds_version, number, wait))
        while self.by_holds and self.by_holds[0][0] <= reached.holds:
            yield heapq.heappop(self.by_holds)[2]

    def fill(self, waits: list[Wait]) -> None:
        self.by_client, self.by_holds = [], []
        for wait in waits:
            self.add(wait)

    def __len__(self) -> int:
        return len(self.by_client) + len(self.by_holds)


class Waiting:
    """Clients whose status says that gates are waited for. Bounded by the number of clients."""

    def __init__(
        self, gates: Callable[[], LivingGates], on_reached: Callable[[list[NamespacedName], bool], None]
    ) -> None:
        """``on_reached`` hears of clients that no gate is behind with, and whether they are urgent."""
        self._gates = gates
        self._on_reached = on_reached
        self._waits: dict[NamespacedName, Wait] = {}
        self._lanes = {True: _Lane(), False: _Lane()}
        self._standing: object = None

    def __len__(self) -> int:
        return len(self._waits)

    def note(self, key: NamespacedName, raw: JsonObject | None) -> None:
        """A client has come, changed or gone. While it waits for the same, it waits for the same version."""
        wait = _wait(key, raw) if raw is not None else None
        known = self._waits.get(key)
        if wait is None:
            self._waits.pop(key, None)
        elif known is None or known.reported != wait.reported:
            self._waits[key] = wait
            self._lanes[wait.refuses].add(wait)
            self._compact()
            self._wake(self._gates())

    def version_of(self, key: NamespacedName) -> int | None:
        """The version of the client that is waited for; None for one that waits for nothing."""
        wait = self._waits.get(key)
        return wait.client_version if wait is not None else None

    def gates_moved(self) -> None:
        """A Lease has been renewed, or one has come, gone or ended.

        Where the gates are others than before, or say otherwise whether they are ready or what they obey, all that
        still wait are looked at again: what kept one that was woken from being done may be over.
        """
        if not self._waits:
            return
        gates = self._gates()
        standing = [(gate.name, gate.ready, gate.refuses_all, gate.obeys) for gate in gates.living]
        if standing != self._standing:
            self._standing = standing
            self._refill()
        self._wake(gates)

    def _wake(self, gates: LivingGates) -> None:
        passed = [
            wait
            for refuses, lane in self._lanes.items()
            for wait in lane.passed(reached(gates, refuses=refuses))
            if self._waits.get(wait.key) is wait
        ]
        for urgent in (True, False):
            keys = [wait.key for wait in passed if wait.urgent is urgent]
            if keys:
                self._on_reached(keys, urgent)

    def _compact(self) -> None:
        if sum(map(len, self._lanes.values())) > 2 * len(self._waits) + 64:
            self._refill()

    def _refill(self) -> None:
        for refuses, lane in self._lanes.items():
            lane.fill([wait for wait in self._waits.values() if wait.refuses is refuses])


def _wait(key: NamespacedName, raw: JsonObject) -> Wait | None:
    """What a client waits for as its status says; None for nothing, and for a status that cannot be read so."""
    stored = raw.get("status")
    status: JsonObject = stored if isinstance(stored, dict) else {}
    reported: Any = status.get("enforcement")
    if not isinstance(reported, dict) or reported.get("time") is not None:
        return None
    refuses = status.get("observedStatus") in REFUSED
    version = reported.get("clientVersion")
    try:
        return Wait(
            key=key,
            reported=(
                raw["metadata"].get("uid"),
                reported.get("seenTime"),
                version,
                reported.get("holdsVersion"),
                refuses,
            ),
            refuses=refuses,
            client_version=int(version if version is not None else raw["metadata"]["resourceVersion"]),
            holds_version=int(reported.get("holdsVersion") or 0),
            urgent=refuses or version is None,
        )
    except (TypeError, ValueError):
        return None
