"""Counts of what happened, in plain dicts: cheap enough for every request."""

import logging
from collections import Counter
from collections.abc import Mapping

from apiclients.kube.errors import where
from apiclients.resources.apiclient import MAX_CREDENTIALS

logger = logging.getLogger(__name__)

#: Of each client, between two collections a quarter of a second apart: nobody shall make others wait for reads.
MOST_TOKENS_NOTED = 4
_NO_USES: Mapping[int, float] = {}


class ApiUse:
    """Calls to one Api by verdict, and when each client's last one was allowed."""

    __slots__ = ("_relied_on", "allowed", "contracts", "denied", "last_use")

    def __init__(self) -> None:
        self.allowed = 0
        self.denied = 0
        #: By UID of the client, in seconds since the epoch.
        self.last_use: dict[str, float] = {}
        #: Under which contract that was, both by UID.
        self.contracts: dict[str, str] = {}
        self._relied_on: set[str] = set()

    def through(self, client_uid: str, contract_uid: str) -> None:
        """From now on calls of a client are allowed under this contract. What went before was not its use."""
        if self.contracts.get(client_uid) != contract_uid:
            self.last_use.pop(client_uid, None)
            self.contracts[client_uid] = contract_uid

    def used(self, client_uid: str, now: float) -> None:
        """A call of a client was allowed, at this time in seconds since the epoch."""
        self.last_use[client_uid] = now
        self._relied_on.add(client_uid)

    def relied_on(self, client_uid: str) -> None:
        """An answer has rested on the way of a client to this Api."""
        self._relied_on.add(client_uid)

    def take_relied_on(self) -> set[str]:
        """On the ways of which clients answers have rested since the last call, by UID."""
        taken, self._relied_on = self._relied_on, set()
        return taken

    def forget(self, client_uid: str) -> None:
        """The client has no contract here any more."""
        self.last_use.pop(client_uid, None)
        self.contracts.pop(client_uid, None)
        self._relied_on.discard(client_uid)

    def reset(self) -> None:
        """The Api has gone."""
        self.allowed = self.denied = 0


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
        self.revocations: Counter[tuple[str, str]] = Counter()
        #: What clients that are there were refused for, by UID and reason.
        self.denials: dict[str, Counter[str]] = {}
        #: Requests that ended in a bug.
        self.crashes = 0
        self._clients: dict[str, float] = {}
        self._relied_on: set[str] = set()
        self._credentials: dict[str, dict[int, float]] = {}
        self._tokens: dict[str, set[str]] = {}

    def used(self, uid: str, now: float) -> None:
        """A client was used, at this time in seconds since the epoch."""
        self._clients[uid] = now
        self._relied_on.add(uid)

    def used_credential(self, uid: str, credential: int, now: float) -> None:
        """A client authenticated with this credential. As many are kept as a client can have, the latest used ones."""
        self.used(uid, now)
        uses = self._credentials.setdefault(uid, {})
        uses.pop(credential, None)
        uses[credential] = now  # behind all others
        if len(uses) > MAX_CREDENTIALS:
            del uses[next(iter(uses))]

    def relied_on(self, uid: str) -> None:
        """An answer has rested on a client, without that it was used."""
        self._relied_on.add(uid)

    def take_relied_on(self) -> set[str]:
        """On which clients answers have rested since the last call, by UID."""
        taken, self._relied_on = self._relied_on, set()
        return taken

    def relied_on_token(self, uid: str, fingerprint: str) -> None:
        """A yes has rested on a token of a client not being revoked. A few of each client are noted."""
        tokens = self._tokens.setdefault(uid, set())
        if len(tokens) < MOST_TOKENS_NOTED:
            tokens.add(fingerprint)

    def take_tokens_relied_on(self) -> set[str]:
        """Their fingerprints since the last call."""
        taken, self._tokens = self._tokens, {}
        return set().union(*taken.values())

    def denied(self, uid: str, reason: str) -> None:
        """A client was refused. There are few reasons, and one entry for each client that there is."""
        self.denials.setdefault(uid, Counter())[reason] += 1

    def forget(self, uid: str) -> None:
        """The client has gone."""
        self.denials.pop(uid, None)
        self._clients.pop(uid, None)
        self._credentials.pop(uid, None)
        self._relied_on.discard(uid)
        self._tokens.pop(uid, None)

    def last_uses(self) -> dict[str, float]:
        """By UID; a copy."""
        return dict(self._clients)

    def last_use(self, uid: str) -> float:
        """When a client that was used was last used, in seconds since the epoch."""
        return self._clients[uid]

    def credential_uses(self, uid: str) -> Mapping[int, float]:
        """When each credential of a client was last used, by its id; no copy."""
        return self._credentials.get(uid, _NO_USES)

    def last_credential_uses(self) -> dict[str, dict[int, float]]:
        """By UID and credential id; a copy."""
        return {uid: dict(uses) for uid, uses in self._credentials.items()}


def log_crash(tally: Tally, error: Exception) -> None:
    """Count and log a bug."""
    tally.crashes += 1
    logger.error("a request failed: %s", where(error))
