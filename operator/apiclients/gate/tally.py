"""Counts of what happened, in plain dicts: cheap enough for every request."""

import logging
from collections import Counter

from apiclients.gate.logs import where

logger = logging.getLogger(__name__)


class Tally:
    """What has been decided since the process started, and when each client and credential was last used.

    "Last use" tells when an overlap may end and which client is dead. It is kept in memory only: take the maximum over
    replicas and time. A client's entries go with the client.
    """

    def __init__(self) -> None:
        #: By verdict and reason: of tokens alone, and of calls to Apis.
        self.checks: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.introspections: Counter[tuple[str, str]] = Counter()
        #: Requests that ended in a bug.
        self.crashes = 0
        self._clients: dict[str, float] = {}
        self._credentials: dict[str, dict[int, float]] = {}

    def used(self, uid: str, now: float) -> None:
        """A client was used, at this time in seconds since the epoch."""
        self._clients[uid] = now

    def used_credential(self, uid: str, credential: int, now: float) -> None:
        """A client authenticated with this credential."""
        self._clients[uid] = now
        self._credentials.setdefault(uid, {})[credential] = now

    def forget(self, uid: str) -> None:
        """The client has gone."""
        self._clients.pop(uid, None)
        self._credentials.pop(uid, None)

    def last_uses(self) -> dict[str, float]:
        """By UID; a copy."""
        return dict(self._clients)

    def last_credential_uses(self) -> dict[str, dict[int, float]]:
        """By UID and credential id; a copy."""
        return {uid: dict(uses) for uid, uses in self._credentials.items()}


def log_crash(tally: Tally, error: Exception) -> None:
    """Count and log a bug."""
    tally.crashes += 1
    logger.error("a request failed: %s", where(error))
