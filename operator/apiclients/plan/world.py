"""A cluster in memory: objects with their statuses, and the relations that operator and gate know them by.

It stands where the operator's caches stand; ``settle`` runs the decisions on it.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from copy import copy
from datetime import datetime
from itertools import chain
from typing import TypeVar

from apiclients.engine.contract_index import contract_key
from apiclients.engine.observe import Observer
from apiclients.engine.relations import Relations
from apiclients.engine.views import view_of
from apiclients.engine.wakes import Wakes
from apiclients.lifecycle.contract_view import contracts_of_client
from apiclients.plan.secrets import ISSUER, SecretShelf, pepper
from apiclients.resources.api import ContractCounts
from apiclients.resources.apiclient import ClientContracts
from apiclients.resources.conditions import ConditionType
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import AnyObject, Api, ApiClient, Contract
from apiclients.resources.refs import NamespacedName, ObjectRef

T = TypeVar("T")


class World:
    """All objects at one time. Changing one queues what has to be looked at again."""

    def __init__(self, now: datetime, namespace_labels: Mapping[str, Mapping[str, str]] | None) -> None:
        """``namespace_labels`` None: not known, so no selector matches."""
        self.now = now
        self.namespace_labels = namespace_labels
        self.objects: dict[ObjectRef, AnyObject] = {}
        self.relations = Relations()
        self.shelf = SecretShelf()
        #: Active contracts of an Api that lie where nobody looked; its status counts them.
        self.unseen_contracts: dict[NamespacedName, int] = {}
        #: Stand-ins for Apis that may be there but were not looked at.
        self.assumed: set[ObjectRef] = set()
        self._queue: deque[ObjectRef] = deque()
        self._queued: set[ObjectRef] = set()

    def copy(self) -> "World":
        """Another world with the same objects, which can change on its own."""
        other = copy(self)
        other.objects, other.relations, other.shelf = dict(self.objects), self.relations.copy(), self.shelf.copy()
        other._queue, other._queued = deque(self._queue), set(self._queued)
        return other

    @property
    def observer(self) -> Observer:
        """What decisions look at, as the operator's own."""
        return Observer(
            relations=self.relations,
            secrets=self.shelf,
            issuer=ISSUER,
            peppers=lambda client: (pepper(client),),
            namespace_labels=(self.namespace_labels or {}).get,
            clock_trusted=lambda: True,
            unseen_contracts=self.unseen_contracts,
        )

    # Looking

    def client(self, key: NamespacedName) -> ApiClient | None:
        """A client, or None."""
        return self._get("ApiClient", key, ApiClient)

    def api(self, key: NamespacedName) -> Api | None:
        """An Api, or None."""
        return self._get("Api", key, Api)

    def contract(self, key: NamespacedName) -> Contract | None:
        """A contract, or None."""
        return self._get("Contract", key, Contract)

    def contracts_of_client(self, client: NamespacedName) -> list[Contract]:
        """The contracts that name a client, by name."""
        return self._contracts(map(contract_key, self.relations.contracts.of_client(client)))

    def contracts_of_api(self, api: NamespacedName) -> list[Contract]:
        """The contracts that name an Api, by namespace and name."""
        return self._contracts(self.relations.contracts.of_api(api))

    def counts_of_client(self, client: NamespacedName) -> ClientContracts:
        """The contracts that name a client, counted."""
        return contracts_of_client(self.relations.contracts.of_client(client))

    def counts_of_api(self, api: NamespacedName) -> ContractCounts:
        """The contracts that name an Api, counted; with those that lie where nobody looked."""
        return self.observer.api_contracts(api).counts

    # Changing

    def put(self, obj: AnyObject) -> None:
        """Take in an object, or a new version of it, and queue it and what it concerns."""
        self.put_status(obj)
        self.wake(id_of(obj))

    def put_status(self, obj: AnyObject) -> None:
        """Take in an object whose status alone has changed."""
        name = id_of(obj)
        self.objects[name] = obj
        self._wake_all(self.relations.put(name, view_of(obj)))

    def remove(self, name: ObjectRef) -> None:
        """Delete an object, and with a client its Secrets."""
        old = self.objects.pop(name, None)
        if isinstance(old, ApiClient):
            self.shelf.collect(old)
        self._wake_all(self.relations.put(name, None))

    def wake(self, name: ObjectRef) -> None:
        """Look at an object again."""
        if name in self.objects and name not in self._queued:
            self._queued.add(name)
            self._queue.append(name)

    def next(self) -> ObjectRef | None:
        """The next object to look at, or None."""
        if not self._queue:
            return None
        name = self._queue.popleft()
        self._queued.discard(name)
        return name

    def _wake_all(self, found: Iterable[Wakes]) -> None:
        for wake in chain.from_iterable(found):
            self.wake(wake.ref)

    def _get(self, kind: str, key: NamespacedName, cls: type[T]) -> T | None:
        found = self.objects.get(ObjectRef(kind, *key))
        return found if isinstance(found, cls) else None

    def _contracts(self, keys: Iterable[NamespacedName]) -> list[Contract]:
        return [found for key in sorted(keys) if (found := self.contract(key)) is not None]


def id_of(obj: AnyObject) -> ObjectRef:
    """The name of an object."""
    return ObjectRef(type(obj).__name__, obj.metadata.namespace, obj.metadata.name)


def key_of(obj: AnyObject) -> NamespacedName:
    """Namespace and name."""
    return obj.metadata.namespace, obj.metadata.name


def parties(contract: Contract) -> tuple[NamespacedName, NamespacedName]:
    """The client and the Api of a contract."""
    spec = contract.spec
    return (contract.metadata.namespace, spec.client_name), (spec.api.namespace, spec.api.name)


def is_active(contract: Contract | None) -> bool:
    """Whether a contract is in force."""
    return contract is not None and contract.status.observed_status is ContractStatusName.ACTIVE


def condition_reason(obj: AnyObject, kind: ConditionType) -> str | None:
    """The reason of a condition of an object, or None."""
    return next((c.reason for c in obj.status.conditions if c.type == kind), None)
