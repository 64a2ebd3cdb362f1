"""Contracts that come into force right now: their status is being written, and no list or cache shows it yet."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from apiclients.resources.objects import Contract
from apiclients.resources.refs import ObjectRef


class Beginnings:
    """How many contracts come into force right now, by client and by Api."""

    def __init__(self) -> None:
        self._counts: Counter[ObjectRef] = Counter()

    def of(self, party: ObjectRef) -> int:
        """How many of a client or of an Api."""
        return self._counts[party]

    @contextmanager
    def counted(self, contract: Contract) -> Iterator[None]:
        """Count a contract for as long as its status is being written."""
        parties = (client_of(contract), _api_of(contract))
        self._counts.update(parties)
        try:
            yield
        finally:
            self._counts.subtract(parties)
            self._counts += Counter()  # drops what is zero


def client_of(contract: Contract) -> ObjectRef:
    """The client of a contract."""
    return ObjectRef("ApiClient", contract.metadata.namespace, contract.spec.client_name)


def _api_of(contract: Contract) -> ObjectRef:
    return ObjectRef("Api", contract.spec.api.namespace, contract.spec.api.name)
