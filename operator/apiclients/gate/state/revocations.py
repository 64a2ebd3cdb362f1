"""Tokens that were revoked one by one: which they are, and how many of whom."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from apiclients.gate.state.ledger import Ledger
from apiclients.kube.cache import Change
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.revocations import (
    RevocationCounts,
    RevocationView,
    revocation_view,
    unreadable_revocation,
)
from apiclients.resources.objects import InvalidObjectError, TokenRevocation


class Revocations:
    """Fed by a Reflector. Holds the names of TokenRevocations, which are the fingerprints of the tokens."""

    def __init__(self) -> None:
        self.unreadable = Ledger("tokenrevocation")
        self._names: set[str] = set()
        self._of_client: Counter[str] = Counter()
        self._of_namespace: Counter[str] = Counter()
        #: How many are being written.
        self.under_way = 0

    def __contains__(self, fingerprint: object) -> bool:
        return fingerprint in self._names

    def counts(self, client: ClientView) -> RevocationCounts:
        """How many there are and are being written, for a client that asks for another one."""
        of_all = len(self._names) + self.under_way
        return RevocationCounts(self._of_client[client.uid], self._of_namespace[client.namespace], of_all)

    @contextmanager
    def writing(self, client: ClientView) -> Iterator[None]:
        """Count one that is being written."""
        self.under_way += 1
        self._count(client.uid, client.namespace, 1)
        try:
            yield
        finally:
            self.under_way -= 1
            self._count(client.uid, client.namespace, -1)

    def read(self, body: JsonObject) -> RevocationView:
        """What the Reflector keeps of an object. Raises InvalidObjectError."""
        view = revocation_view(TokenRevocation.from_object(body))
        self.unreadable.note(("", view.name), None)
        return view

    def read_bad(self, body: JsonObject, error: Exception) -> RevocationView:
        """The same of one that does not fit the models: its name alone refuses a token (rule 32)."""
        view = unreadable_revocation(body)
        reason = str(error) if isinstance(error, InvalidObjectError) else type(error).__name__
        self.unreadable.note(("", view.name), reason)
        return view

    def apply(self, change: Change[RevocationView]) -> None:
        """One has come, gone or changed."""
        if change.old is not None:
            self._names.discard(change.old.name)
            self._count(change.old.client_uid, change.old.client_namespace, -1)
        if change.new is not None:
            self._names.add(change.new.name)
            self._count(change.new.client_uid, change.new.client_namespace, 1)
        else:
            self.unreadable.note(("", change.key[1]), None)

    def _count(self, uid: str, namespace: str, by: int) -> None:
        for counts, key in ((self._of_client, uid), (self._of_namespace, namespace)):
            counts[key] += by
            if not counts[key]:
                del counts[key]
