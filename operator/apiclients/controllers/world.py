"""Everything that the operator knows, and who has to be looked at again when something changes.

All look-ups go through indexes; no change of one object walks over all others.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from apiclients.controllers.items import Item
from apiclients.controllers.store import Change, Key, ObjectStore
from apiclients.kube.client import ResourceType
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, APIS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.lifecycle.apis import ApiContracts
from apiclients.lifecycle.contracts import ContractSummary, contract_counts, contracts_of_client, has_room, summarize
from apiclients.resources.api import MAX_PENDING, ContractCounts, PendingContract
from apiclients.resources.apiclient import ClientContracts
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import (
    Api,
    ApiClient,
    ApiClientHold,
    Contract,
    ContractApproval,
    InvalidObjectError,
    Metadata,
)


@dataclass(frozen=True, slots=True)
class _Parties:
    """Whom a contract concerns."""

    client: Key
    api: Key


class _Group:
    """The contracts of one client or one Api, counted as they change."""

    def __init__(self) -> None:
        self.contracts: dict[Key, ContractSummary] = {}
        self.counts: Counter[ContractStatusName] = Counter()
        self.waiting: set[Key] = set()

    def put(self, key: Key, summary: ContractSummary) -> None:
        self.drop(key)
        self.contracts[key] = summary
        self.counts[summary.status] += 1
        if summary.waits_for_approval:
            self.waiting.add(key)

    def drop(self, key: Key) -> None:
        known = self.contracts.pop(key, None)
        if known is not None:
            self.counts[known.status] -= 1
            self.waiting.discard(key)

    def totals(self) -> ContractCounts:
        return contract_counts(self.counts)


class World:
    """The stores of all kinds. ``again`` hears what has to be reconciled; ``soon`` the same without hurry."""

    def __init__(self, again: Callable[[Item], None], soon: Callable[[Item], None]) -> None:
        self._again, self._soon = again, soon
        self.clients = ObjectStore(API_CLIENTS, _read_client, self._client)
        self.apis = ObjectStore(APIS, lambda obj, _: Api.from_object(obj), self._api)
        self.contracts = ObjectStore(CONTRACTS, lambda obj, _: Contract.from_object(obj), self._contract)
        self.approvals = ObjectStore(
            CONTRACT_APPROVALS, lambda obj, _: ContractApproval.from_object(obj), self._approval
        )
        self.holds = ObjectStore(API_CLIENT_HOLDS, lambda obj, _: ApiClientHold.from_object(obj), self._hold)
        self._of_client: dict[Key, _Group] = defaultdict(_Group)
        self._of_api: dict[Key, _Group] = defaultdict(_Group)
        self._approvals_of: dict[Key, set[Key]] = defaultdict(set)

    @property
    def stores(self) -> tuple[ObjectStore[Any], ...]:
        """All stores."""
        return self.clients, self.apis, self.contracts, self.approvals, self.holds

    # What decisions ask for

    def contracts_of_client(self, key: Key) -> ClientContracts:
        """Counts of a client's contracts, and the names of those in force."""
        group = self._of_client.get(key) or _Group()
        return contracts_of_client({name: seen for (_, name), seen in group.contracts.items()})

    def contracts_of_api(self, key: Key) -> ApiContracts:
        """Counts of an Api's contracts, and the first of those that wait for approval."""
        group = self._of_api.get(key) or _Group()
        waiting = tuple(
            PendingContract(
                namespace=contract[0],
                name=contract[1],
                client=group.contracts[contract].client_name,
                plan=group.contracts[contract].plan,
            )
            for contract in heapq.nsmallest(MAX_PENDING, group.waiting)
        )
        return ApiContracts(group.totals(), waiting)

    def rivals(self, contract: Contract) -> tuple[Contract, ...]:
        """Other contracts of the same client for the same Api."""
        mine, parties = _key(contract.metadata), _parties(contract)
        group = self._of_client.get(parties.client) or _Group()
        keys = [key for key, seen in group.contracts.items() if seen.api == parties.api and key != mine]
        return tuple(rival for key in keys if (rival := readable(self.contracts, key)) is not None)

    def active_beside(self, contract: Contract) -> int:
        """How many other contracts of the same client are in force."""
        group = self._of_client.get(_parties(contract).client) or _Group()
        mine = group.contracts.get(_key(contract.metadata))
        itself = mine is not None and mine.status is ContractStatusName.ACTIVE
        return group.counts[ContractStatusName.ACTIVE] - itself

    def approvals_of(self, contract: Key) -> tuple[ContractApproval, ...]:
        """The approvals that name a contract."""
        keys = self._approvals_of.get(contract, ())
        return tuple(found for key in keys if (found := readable(self.approvals, key)) is not None)

    def holds_in(self, namespace: str) -> tuple[ApiClientHold, ...]:
        """The holds of a namespace."""
        keys = self.holds.in_namespace(namespace)
        return tuple(found for key in keys if (found := readable(self.holds, key)) is not None)

    def clients_in(self, namespace: str) -> list[Metadata]:
        """Metadata of the clients of a namespace."""
        raws = (self.clients.raw(key) for key in self.clients.in_namespace(namespace))
        return [Metadata.from_object(raw) for raw in raws if raw is not None]

    # Who has to be looked at again

    def namespace_changed(self, namespace: str) -> None:
        """Labels of a namespace decide what its contracts may contract."""
        for key in self.contracts.in_namespace(namespace):
            self._again(Item(CONTRACTS.kind, *key))

    def everything_again(self) -> None:
        """Reconcile every client."""
        for key in self.clients:
            self._again(Item(API_CLIENTS.kind, *key))

    def _changed(self, resource: ResourceType, change: Change) -> None:
        if not change.own:
            self._again(Item(resource.kind, *change.key))

    def _client(self, change: Change) -> None:
        self._changed(API_CLIENTS, change)
        if _decisive(change.old) != _decisive(change.new):
            for key in (self._of_client.get(change.key) or _Group()).contracts:
                self._again(Item(CONTRACTS.kind, *key))
        if _labels(change.old) != _labels(change.new):
            for key in self.holds.in_namespace(change.key[0]):
                self._soon(Item(API_CLIENT_HOLDS.kind, *key))

    def _api(self, change: Change) -> None:
        self._changed(APIS, change)
        if _decisive(change.old) != _decisive(change.new):
            for key in (self._of_api.get(change.key) or _Group()).contracts:
                self._again(Item(CONTRACTS.kind, *key))

    def _contract(self, change: Change) -> None:
        self._changed(CONTRACTS, change)
        for raw in (change.old, change.new):
            if raw is not None:
                self._concern(raw, change.key)
        client = _raw_parties(change.old).client if change.old is not None else None
        full = client if client is not None and self._is_full(client) else None
        if change.old is not None:
            parties = _raw_parties(change.old)
            _leave(self._of_client, parties.client, change.key)
            _leave(self._of_api, parties.api, change.key)
        if change.new is not None:
            parties, summary = _raw_parties(change.new), summarize(change.new)
            self._of_client[parties.client].put(change.key, summary)
            self._of_api[parties.api].put(change.key, summary)
        if full is not None and not self._is_full(full):
            self._room_again(full)

    def _is_full(self, client: Key) -> bool:
        """Whether a client has as many active contracts as there can be."""
        group = self._of_client.get(client)
        return group is not None and not has_room(group.counts[ContractStatusName.ACTIVE])

    def _room_again(self, client: Key) -> None:
        """Contracts that were one too many are looked at again."""
        for key, seen in (self._of_client.get(client) or _Group()).contracts.items():
            if seen.status is ContractStatusName.INACTIVE:
                self._again(Item(CONTRACTS.kind, *key))

    def _concern(self, raw: Mapping[str, Any], key: Key) -> None:
        """A contract concerns its client, its Api, its rivals, and the approvals that name it."""
        parties = _raw_parties(raw)
        client = Item(API_CLIENTS.kind, *parties.client)
        if summarize(raw).status is ContractStatusName.ACTIVE:
            self._again(client)  # a retirement may be held for it
        else:
            self._soon(client)
        self._soon(Item(APIS.kind, *parties.api))
        group = self._of_client.get(parties.client) or _Group()
        for rival, seen in group.contracts.items():
            if seen.api == parties.api and rival != key:
                self._again(Item(CONTRACTS.kind, *rival))
        for approval in self._approvals_of.get(key, ()):
            self._again(Item(CONTRACT_APPROVALS.kind, *approval))

    def _approval(self, change: Change) -> None:
        self._changed(CONTRACT_APPROVALS, change)
        for raw in (change.old, change.new):
            if raw is not None:
                named = raw["spec"]["contract"]
                contract = (named["namespace"], named["name"])
                self._again(Item(CONTRACTS.kind, *contract))
                for other in self._approvals_of.get(contract, ()):
                    self._again(Item(CONTRACT_APPROVALS.kind, *other))
                self._index_approval(contract, change.key, present=raw is change.new)

    def _index_approval(self, contract: Key, approval: Key, *, present: bool) -> None:
        if present:
            self._approvals_of[contract].add(approval)
        elif contract in self._approvals_of:
            self._approvals_of[contract].discard(approval)
            if not self._approvals_of[contract]:
                del self._approvals_of[contract]

    def _hold(self, change: Change) -> None:
        self._changed(API_CLIENT_HOLDS, change)
        if _spec(change.old) == _spec(change.new):
            return
        for raw in (change.old, change.new):
            named = raw["spec"].get("clientName") if raw is not None else None
            if named is not None:
                self._again(Item(API_CLIENTS.kind, change.key[0], named))
            elif raw is not None:
                for key in self.clients.in_namespace(change.key[0]):
                    self._again(Item(API_CLIENTS.kind, *key))


def _read_client(obj: Mapping[str, Any], changed_by: str | None) -> ApiClient:
    return replace(ApiClient.from_object(obj), changed_by=changed_by)


def readable(store: ObjectStore[Any], key: Key) -> Any:
    """An object, or None when it is not there or cannot be read: it then counts as not there, which denies."""
    try:
        return store.get(key)
    except InvalidObjectError:
        return None


def _leave(groups: dict[Key, _Group], owner: Key, contract: Key) -> None:
    group = groups.get(owner)
    if group is not None:
        group.drop(contract)
        if not group.contracts:
            del groups[owner]


def _key(metadata: Metadata) -> Key:
    return metadata.namespace, metadata.name


def _parties(contract: Contract) -> _Parties:
    api = contract.spec.api
    return _Parties((contract.metadata.namespace, contract.spec.client_name), (api.namespace, api.name))


def _raw_parties(raw: Mapping[str, Any]) -> _Parties:
    spec = raw["spec"]
    return _Parties((raw["metadata"]["namespace"], spec["clientName"]), (spec["api"]["namespace"], spec["api"]["name"]))


def _labels(raw: Mapping[str, Any] | None) -> object:
    return (raw["metadata"]["uid"], raw["metadata"].get("labels")) if raw is not None else None


def _spec(raw: Mapping[str, Any] | None) -> object:
    return (raw["spec"], raw["metadata"].get("deletionTimestamp")) if raw is not None else None


def _decisive(raw: Mapping[str, Any] | None) -> object:
    """What of a client or an Api decides about its contracts; its counts do not."""
    if raw is None:
        return None
    meta = raw["metadata"]
    return raw["spec"], (raw.get("status") or {}).get("desiredStatus"), meta["uid"], meta.get("deletionTimestamp")
