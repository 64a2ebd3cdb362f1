"""A cluster in memory: objects and their statuses, with the indexes that decisions look things up in.

It stands where the operator's caches stand; ``settle`` runs the decisions on it.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from datetime import datetime
from typing import Any, TypeVar

from apiclients.lifecycle.contracts import ContractSummary, has_room, summarize
from apiclients.plan.model import ObjectId
from apiclients.plan.secrets import SecretShelf
from apiclients.resources.conditions import ConditionType
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval

Key = tuple[str, str]
AnyObject = ApiClient | Api | Contract | ContractApproval | ApiClientHold

READERS: dict[str, Callable[[Mapping[str, Any]], AnyObject]] = {
    "ApiClient": ApiClient.from_object,
    "Api": Api.from_object,
    "Contract": Contract.from_object,
    "ContractApproval": ContractApproval.from_object,
    "ApiClientHold": ApiClientHold.from_object,
}

T = TypeVar("T")


class World:
    """All objects at one time. Changing one notes which others have to be looked at again."""

    def __init__(self, now: datetime, namespace_labels: Mapping[str, Mapping[str, str]] | None) -> None:
        """``namespace_labels`` None: not known, so no selector matches."""
        self.now = now
        self.namespace_labels = namespace_labels
        self.objects: dict[ObjectId, AnyObject] = {}
        self.shelf = SecretShelf()
        #: Active contracts of an Api that lie where nobody looked; its status counts them.
        self.unseen_contracts: dict[Key, int] = {}
        #: Stand-ins for Apis that may be there but were not looked at.
        self.assumed: set[ObjectId] = set()
        self.queue: deque[ObjectId] = deque()
        self._queued: set[ObjectId] = set()
        self._of_client: dict[Key, set[Key]] = defaultdict(set)
        self._of_api: dict[Key, set[Key]] = defaultdict(set)
        self._of_both: dict[tuple[Key, Key], set[Key]] = defaultdict(set)
        self._approvals_of: dict[Key, set[Key]] = defaultdict(set)
        self._statuses: dict[Key, Counter[ContractStatusName]] = defaultdict(Counter)
        self._clients_in: dict[str, set[Key]] = defaultdict(set)
        self._holds_in: dict[str, set[Key]] = defaultdict(set)

    def copy(self) -> "World":
        """Another world with the same objects, which can change on its own."""
        other = copy(self)
        other.objects = dict(self.objects)
        other.shelf = self.shelf.copy()
        other._statuses = defaultdict(Counter, {key: Counter(seen) for key, seen in self._statuses.items()})
        other.queue, other._queued = deque(self.queue), set(self._queued)
        for name in ("_of_client", "_of_api", "_of_both", "_approvals_of", "_clients_in", "_holds_in"):
            index: dict[Any, set[Key]] = getattr(self, name)
            setattr(other, name, defaultdict(set, {key: set(values) for key, values in index.items()}))
        return other

    # Looking

    def client(self, key: Key) -> ApiClient | None:
        """A client, or None."""
        return self._get("ApiClient", key, ApiClient)

    def api(self, key: Key) -> Api | None:
        """An Api, or None."""
        return self._get("Api", key, Api)

    def contract(self, key: Key) -> Contract | None:
        """A contract, or None."""
        return self._get("Contract", key, Contract)

    def approval(self, key: Key) -> ContractApproval | None:
        """An approval, or None."""
        return self._get("ContractApproval", key, ContractApproval)

    def hold(self, key: Key) -> ApiClientHold | None:
        """A hold, or None."""
        return self._get("ApiClientHold", key, ApiClientHold)

    def contracts_of_client(self, client: Key) -> list[Contract]:
        """The contracts that name a client, by name."""
        return self._contracts(self._of_client.get(client, ()))

    def contracts_of_api(self, api: Key) -> list[Contract]:
        """The contracts that name an Api, by namespace and name."""
        return self._contracts(self._of_api.get(api, ()))

    def statuses_of_api(self, api: Key) -> Counter[ContractStatusName]:
        """How many of the contracts that name an Api have which status; counted as they change, as there are many."""
        return self._statuses.get(api, Counter())

    def active_contracts(self, client: Key) -> int:
        """How many contracts of a client are in force."""
        keys = self._of_client.get(client, ())
        return sum(is_active(self.contract(key)) for key in keys)

    def rivals(self, contract: Contract) -> tuple[Contract, ...]:
        """Other contracts of the same client for the same Api."""
        mine = key_of(contract)
        return tuple(self._contracts(key for key in self._of_both[parties(contract)] if key != mine))

    def approvals_of(self, contract: Key) -> tuple[ContractApproval, ...]:
        """The approvals that name a contract."""
        keys = sorted(self._approvals_of.get(contract, ()))
        return tuple(found for key in keys if (found := self.approval(key)) is not None)

    def clients_in(self, namespace: str) -> list[ApiClient]:
        """The clients of a namespace."""
        keys = sorted(self._clients_in.get(namespace, ()))
        return [found for key in keys if (found := self.client(key)) is not None]

    def holds_in(self, namespace: str) -> list[ApiClientHold]:
        """The holds of a namespace."""
        keys = sorted(self._holds_in.get(namespace, ()))
        return [found for key in keys if (found := self.hold(key)) is not None]

    def labels_of(self, namespace: str) -> dict[str, str] | None:
        """The labels of a namespace; None when they are not known."""
        if self.namespace_labels is None or namespace not in self.namespace_labels:
            return None
        return dict(self.namespace_labels[namespace])

    # Changing

    def put(self, obj: AnyObject) -> None:
        """Take in an object, or a new version of it, and note what it concerns."""
        name = id_of(obj)
        old = self.objects.get(name)
        if old is not None:
            self._index(old, present=False)
        self.objects[name] = obj
        self._index(obj, present=True)
        self._count(old, obj)
        self.wake(name)
        self._concern(old, obj)

    def put_status(self, obj: AnyObject) -> None:
        """Take in an object whose status alone has changed."""
        name = id_of(obj)
        old, self.objects[name] = self.objects[name], obj
        self._count(old, obj)
        self._concern(old, obj)

    def remove(self, name: ObjectId) -> None:
        """Delete an object, and with a client its Secrets."""
        old = self.objects.pop(name, None)
        if old is None:
            return
        self._index(old, present=False)
        if isinstance(old, ApiClient):
            self.shelf.collect(old)
        self._count(old, None)
        self._concern(old, None)

    def wake(self, name: ObjectId) -> None:
        """Look at an object again."""
        if name in self.objects and name not in self._queued:
            self._queued.add(name)
            self.queue.append(name)

    def next(self) -> ObjectId | None:
        """The next object to look at, or None."""
        if not self.queue:
            return None
        name = self.queue.popleft()
        self._queued.discard(name)
        return name

    def _get(self, kind: str, key: Key, cls: type[T]) -> T | None:
        found = self.objects.get(ObjectId(kind, *key))
        return found if isinstance(found, cls) else None

    def _contracts(self, keys: Iterable[Key]) -> list[Contract]:
        return [found for key in sorted(keys) if (found := self.contract(key)) is not None]

    def _index(self, obj: AnyObject, *, present: bool) -> None:
        key = key_of(obj)
        places: list[set[Key]]
        match obj:
            case ApiClient():
                places = [self._clients_in[key[0]]]
            case ApiClientHold():
                places = [self._holds_in[key[0]]]
            case Contract():
                both = parties(obj)
                places = [self._of_client[both[0]], self._of_api[both[1]], self._of_both[both]]
            case ContractApproval():
                places = [self._approvals_of[contract_of(obj)]]
            case _:
                places = []
        for place in places:
            place.add(key) if present else place.discard(key)

    def _count(self, old: AnyObject | None, new: AnyObject | None) -> None:
        for obj, by in ((old, -1), (new, 1)):
            if isinstance(obj, Contract):
                self._statuses[parties(obj)[1]][summary_of(obj).status] += by

    def _concern(self, old: AnyObject | None, new: AnyObject | None) -> None:
        """Who looks at an object has to look again; the same as the operator's own wake-ups."""
        for obj in (old, new):
            match obj:
                case ApiClient() | Api() if decisive(old) != decisive(new):
                    index = self._of_client if isinstance(obj, ApiClient) else self._of_api
                    self._wake_all("Contract", index.get(key_of(obj), ()))
                    if isinstance(obj, ApiClient):
                        self._wake_all("ApiClientHold", self._holds_in.get(obj.metadata.namespace, ()))
                case Contract():
                    client, api = parties(obj)
                    self.wake(ObjectId("ApiClient", *client))
                    self.wake(ObjectId("Api", *api))
                    self._wake_all("Contract", self._of_both[client, api] - {key_of(obj)})
                    self._wake_all("ContractApproval", self._approvals_of.get(key_of(obj), ()))
                    if not has_room(len(self._of_client.get(client, ()))):  # one may be one too many no longer
                        self._wake_all("Contract", self._of_client[client] - {key_of(obj)})
                case ContractApproval():
                    self.wake(ObjectId("Contract", *contract_of(obj)))
                    self._wake_all("ContractApproval", self._approvals_of[contract_of(obj)] - {key_of(obj)})
                case ApiClientHold() if _hold_spec(old) != _hold_spec(new):
                    self._wake_all("ApiClient", self._clients_in.get(obj.metadata.namespace, ()))

    def _wake_all(self, kind: str, keys: Iterable[Key]) -> None:
        for key in sorted(keys):
            self.wake(ObjectId(kind, *key))


def id_of(obj: AnyObject) -> ObjectId:
    """The name of an object."""
    return ObjectId(type(obj).__name__, obj.metadata.namespace, obj.metadata.name)


def key_of(obj: AnyObject) -> Key:
    """Namespace and name."""
    return obj.metadata.namespace, obj.metadata.name


def parties(contract: Contract) -> tuple[Key, Key]:
    """The client and the Api of a contract."""
    spec = contract.spec
    return (contract.metadata.namespace, spec.client_name), (spec.api.namespace, spec.api.name)


def contract_of(approval: ContractApproval) -> Key:
    """The contract that an approval names."""
    return approval.spec.contract.namespace, approval.spec.contract.name


def decisive(obj: AnyObject | None) -> object:
    """What of a client or an Api decides about its contracts; its counts do not."""
    if not isinstance(obj, ApiClient | Api):
        return None
    return obj.spec, obj.status.desired_status, obj.metadata.uid, obj.metadata.deleting, obj.metadata.labels


def _hold_spec(obj: AnyObject | None) -> object:
    return obj.spec if isinstance(obj, ApiClientHold) else None


def summary_of(contract: Contract) -> ContractSummary:
    """What its client and its Api need to know of a contract, by the operator's own reading of it."""
    spec, metadata = contract.spec, contract.metadata
    return summarize(
        {
            "metadata": {"deletionTimestamp": metadata.deletion_time} if metadata.deleting else {},
            "spec": {
                "clientName": spec.client_name,
                "api": {"namespace": spec.api.namespace, "name": spec.api.name},
                "plan": spec.plan,
            },
            "status": {
                "observedStatus": contract.status.observed_status,
                "conditions": [{"type": c.type, "reason": c.reason} for c in contract.status.conditions],
            },
        }
    )


def is_active(contract: Contract | None) -> bool:
    """Whether a contract is in force."""
    return contract is not None and contract.status.observed_status is ContractStatusName.ACTIVE


def condition_reason(obj: AnyObject, kind: ConditionType) -> str | None:
    """The reason of a condition of an object, or None."""
    return next((c.reason for c in obj.status.conditions if c.type == kind), None)
