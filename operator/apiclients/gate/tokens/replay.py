"""Client assertions that were used: each is good for one request (RFC 7523 section 3, jti).

Every gate remembers for itself, in memory: what one replica has seen another has not, and a restart forgets. So an
assertion that is stolen is good once at each other replica until it expires, which ``maxTokenLifetime`` bounds.
"""

import heapq
from collections import Counter

from apiclients.lifecycle.access import Denial
from apiclients.lifecycle.foreign import CLOCK_LEEWAY
from apiclients.resources.refs import NamespacedName

#: Of all clients together, about 200 bytes each.
MOST = 100_000
#: Of the clients of one namespace, and of one client, so that none takes the room of all.
MOST_OF_NAMESPACE = 10_000
MOST_OF_CLIENT = 5_000
#: Clocks that are set back make nothing good again that has expired.
_KEEP_SECONDS = 2 * CLOCK_LEEWAY


class UsedAssertions:
    """Fingerprints until they expire. When there is no room nothing is forgotten, and new ones are refused."""

    def __init__(
        self, most: int = MOST, most_of_namespace: int = MOST_OF_NAMESPACE, most_of_client: int = MOST_OF_CLIENT
    ) -> None:
        self._most = most
        self._most_of_namespace = most_of_namespace
        self._most_of_client = most_of_client
        self._seen: set[bytes] = set()
        self._by_end: list[tuple[int, bytes, NamespacedName]] = []
        #: By namespace, and by client.
        self._counts: Counter[str | NamespacedName] = Counter()

    def __len__(self) -> int:
        return len(self._seen)

    def use(self, fingerprint: bytes, client: NamespacedName, expires: int, now: float) -> Denial | None:
        """Remember a use until the assertion expires, in seconds since the epoch; why it is not to be used, or None."""
        self._forget_expired(now)
        if fingerprint in self._seen:
            return Denial.ASSERTION_USED
        if not self._has_room(client):
            return Denial.TOO_MANY_ASSERTIONS
        self._seen.add(fingerprint)
        self._counts.update((client[0], client))
        heapq.heappush(self._by_end, (expires + _KEEP_SECONDS, fingerprint, client))
        return None

    def _has_room(self, client: NamespacedName) -> bool:
        return (
            len(self._seen) < self._most
            and self._counts[client[0]] < self._most_of_namespace
            and self._counts[client] < self._most_of_client
        )

    def _forget_expired(self, now: float) -> None:
        while self._by_end and self._by_end[0][0] <= now:
            _, fingerprint, client = heapq.heappop(self._by_end)
            self._seen.discard(fingerprint)
            for one in (client[0], client):
                self._counts[one] -= 1
                if not self._counts[one]:
                    del self._counts[one]
