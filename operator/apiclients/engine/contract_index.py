"""Contracts by their client, their Api and their namespace, with what is counted of them."""

import heapq
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import TypeVar

from apiclients.engine.ordered import inserted, removed
from apiclients.lifecycle.contract_view import ContractView, contract_counts, counts_as_active, has_room, stands_first
from apiclients.resources.api import ContractCounts
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.refs import NamespacedName

K = TypeVar("K")

#: A client and an Api.
_Pair = tuple[NamespacedName, NamespacedName]

#: How many that wait for a place hear of one. Each that takes it, or waits for something else, lets as many hear again.
_HEAR = 16

# In this order, and by age, those stand that a client has for an Api.
_STANDS_FIRST, _WAITS, _IN_CONFLICT, _DELETING = range(4)


@dataclass(frozen=True, slots=True)
class ContractChange:
    """Which other contracts may be decided about otherwise because one changed: few, however many there are."""

    #: Those that are in conflict now, and the oldest of those that are so no more, as another one stands first. The one
    #: that changed is among them where an older one came into force at the same moment.
    rivals: tuple[NamespacedName, ...] = ()
    #: The oldest of those that were one too many, where their client has room now.
    room: tuple[NamespacedName, ...] = ()


class _OfApi:
    """The contracts of one Api, counted as they change: there may be tens of thousands."""

    __slots__ = ("contracts", "counts", "in_force", "waiting")

    def __init__(self) -> None:
        self.contracts: dict[NamespacedName, ContractView] = {}
        self.counts: Counter[ContractStatusName] = Counter()
        #: By namespace, the oldest first.
        self.waiting: dict[str, tuple[ContractView, ...]] = {}
        self.in_force = 0

    def put(self, key: NamespacedName, view: ContractView) -> None:
        self.contracts[key] = view
        self.counts[view.status] += 1
        self.in_force += counts_as_active(view)
        if view.waits_for_approval:
            _put_in(self.waiting, key[0], view)

    def remove(self, key: NamespacedName) -> None:
        view = self.contracts.pop(key)
        self.counts[view.status] -= 1
        self.in_force -= counts_as_active(view)
        if view.waits_for_approval:
            _remove_from(self.waiting, key[0], view)

    def copy(self) -> "_OfApi":
        other = _OfApi()
        other.contracts, other.counts, other.waiting = dict(self.contracts), copy(self.counts), dict(self.waiting)
        other.in_force = self.in_force
        return other


class ContractIndex:
    """Views of contracts. What a change costs does not grow with the contracts of its client or its Api."""

    def __init__(self) -> None:
        self._in: dict[str, dict[str, ContractView]] = {}
        #: In the order of :func:`_place`: by Api.
        self._of_client: dict[NamespacedName, tuple[ContractView, ...]] = {}
        self._active: Counter[NamespacedName] = Counter()
        #: By client, the oldest first.
        self._waiting_for_room: dict[NamespacedName, tuple[ContractView, ...]] = {}
        self._of_api: dict[NamespacedName, _OfApi] = {}

    def copy(self) -> "ContractIndex":
        """Another index with the same contracts, which can change on its own."""
        other = ContractIndex()
        other._in = {namespace: dict(views) for namespace, views in self._in.items()}
        other._of_client, other._active = dict(self._of_client), copy(self._active)
        other._waiting_for_room = dict(self._waiting_for_room)
        other._of_api = {api: group.copy() for api, group in self._of_api.items()}
        return other

    def get(self, key: NamespacedName) -> ContractView | None:
        """One contract."""
        return self._in.get(key[0], {}).get(key[1])

    def put(self, key: NamespacedName, view: ContractView | None) -> ContractChange:
        """Take in a contract as it is now, None for one that is gone; returns whom else that concerns."""
        old = self.get(key)
        if old == view:
            self._keep_last_use(key, old, view)
            return ContractChange()
        seen = [one for one in (old, view) if one is not None]
        first = {pair: self.first(*pair) for pair in map(_pair, seen)}
        short_of_room = [client for client in dict.fromkeys(map(client_of, seen)) if self._is_short(client, old)]
        self._replace(key, old, view)
        rivals = chain.from_iterable(self._rivals(pair, before, old) for pair, before in first.items())
        rival_keys = tuple(one for one in _keys(rivals) if one != key)
        if view is not None and self._comes_second(old, view):
            rival_keys += (key,)
        return ContractChange(rival_keys, _keys(self._first_for_room(short_of_room)))

    def store(self, key: NamespacedName, view: ContractView | None) -> None:
        """As :meth:`put`, for who does not ask whom else that concerns."""
        old = self.get(key)
        if old == view:
            self._keep_last_use(key, old, view)
        else:
            self._replace(key, old, view)

    def _keep_last_use(self, key: NamespacedName, old: ContractView | None, new: ContractView | None) -> None:
        """Views that are equal may differ in their last use, which concerns nobody else."""
        if old is not None and new is not None and old.last_used != new.last_used:
            self._remove(key, old)
            self._add(key, new)

    def in_namespace(self, namespace: str) -> Iterator[NamespacedName]:
        """The contracts of a namespace."""
        return ((namespace, name) for name in self._in.get(namespace, ()))

    def of_client(self, client: NamespacedName) -> tuple[ContractView, ...]:
        """The contracts that name a client, by Api."""
        return self._of_client.get(client, ())

    def apis_of(self, client: NamespacedName) -> Iterator[NamespacedName]:
        """The Apis that the contracts of a client name, each once, in order."""
        views, at = self.of_client(client), 0
        while at < len(views):
            api = views[at].claim.api
            yield api
            at = bisect_right(views, api, at, key=_api)

    def of_api(self, api: NamespacedName) -> Iterator[NamespacedName]:
        """The contracts that name an Api."""
        group = self._of_api.get(api)
        return iter(group.contracts if group is not None else ())

    def between(self, client: NamespacedName, api: NamespacedName) -> tuple[ContractView, ...]:
        """The contracts of a client for an Api; only one of them is in force."""
        views = self.of_client(client)
        return views[bisect_left(views, api, key=_api) : bisect_right(views, api, key=_api)]

    def first(self, client: NamespacedName, api: NamespacedName) -> ContractView | None:
        """The contract of a client for an Api behind which younger ones wait."""
        standing = self._ranked((client, api), _STANDS_FIRST, most=1)
        return standing[0] if standing else None

    def active_count(self, client: NamespacedName) -> int:
        """How many contracts of a client are in force."""
        return self._active[client]

    def counts(self, api: NamespacedName) -> ContractCounts:
        """How many contracts of an Api have which status."""
        group = self._of_api.get(api)
        return contract_counts(group.counts if group is not None else {})

    def in_force_count(self, api: NamespacedName) -> int:
        """How many contracts of an Api are in force by spec and status together."""
        group = self._of_api.get(api)
        return group.in_force if group is not None else 0

    def has_api(self, api: NamespacedName) -> bool:
        """Whether any contract names an Api."""
        return api in self._of_api

    def first_waiting(self, api: NamespacedName, most: int) -> list[ContractView]:
        """Contracts of an Api that wait for approval: the oldest of each namespace, then the next of each, and so on.

        So no namespace, however many contracts it makes, keeps those of another out of sight.
        """
        group = self._of_api.get(api)
        waiting = group.waiting if group is not None else {}
        oldest = (waiting[namespace][:most] for namespace in heapq.nsmallest(most, waiting))
        rounds = zip_longest(*oldest)
        return list(islice((view for one in rounds for view in one if view is not None), most))

    def _rivals(self, pair: _Pair, before: ContractView | None, changed: ContractView | None) -> Iterator[ContractView]:
        """Whom it may concern which contract stands first, where it was ``before``, and ``changed`` has changed."""
        after = self.first(*pair)
        if _readable(before) is not _readable(after):
            yield from self.between(*pair)
            return
        was_in_conflict = changed is not None and changed.in_conflict and _pair(changed) == pair
        if was_in_conflict or _uid(before) != _uid(after):
            yield from self._ranked(pair, _IN_CONFLICT, until=after, most=_HEAR)
        if after is not None and (before is None or _age(after) < _age(before)):
            yield from self._ranked(pair, _STANDS_FIRST, after=after)
            yield from self._ranked(pair, _WAITS, after=after)

    def _comes_second(self, old: ContractView | None, view: ContractView) -> bool:
        """Whether a contract has come into force behind an older one: both were decided about at the same moment."""
        if not stands_first(view) or (old is not None and stands_first(old)):
            return False
        return _uid(self.first(*_pair(view))) != _uid(view)

    def _ranked(
        self,
        pair: _Pair,
        rank: int,
        *,
        after: ContractView | None = None,
        until: ContractView | None = None,
        most: int | None = None,
    ) -> tuple[ContractView, ...]:
        """Contracts of one rank by age: those younger than one, those older than another one, so many."""
        api, views = pair[1], self.of_client(pair[0])
        least: tuple[object, ...] = (api, rank) if after is None else (api, rank, _age(after))
        end: tuple[object, ...] = (api, rank + 1) if until is None else (api, rank, _age(until))
        first, last = bisect_right(views, least, key=_place), bisect_left(views, end, key=_place)
        return views[first : last if most is None else min(last, first + most)]

    def _is_short(self, client: NamespacedName, changing: ContractView | None) -> bool:
        """Whether a client has no place left, or one of those that wait for a place is about to change."""
        waits = changing is not None and changing.waits_for_room and client_of(changing) == client
        return waits or not has_room(self.active_count(client))

    def _first_for_room(self, clients: Iterable[NamespacedName]) -> Iterator[ContractView]:
        """The oldest that wait for a place, of clients that have one."""
        for client in clients:
            if has_room(self.active_count(client)):
                yield from self._waiting_for_room.get(client, ())[:_HEAR]

    def _replace(self, key: NamespacedName, old: ContractView | None, new: ContractView | None) -> None:
        if old is not None:
            self._remove(key, old)
        if new is not None:
            self._add(key, new)

    def _add(self, key: NamespacedName, view: ContractView) -> None:
        client = client_of(view)
        self._in.setdefault(key[0], {})[key[1]] = view
        self._of_client[client] = inserted(self._of_client.get(client, ()), view, _place)
        if view.active:
            self._active[client] += 1
        if view.waits_for_room:
            _put_in(self._waiting_for_room, client, view)
        self._of_api.setdefault(view.claim.api, _OfApi()).put(key, view)

    def _remove(self, key: NamespacedName, view: ContractView) -> None:
        client, api = client_of(view), view.claim.api
        here = self._in[key[0]]
        del here[key[1]]
        if not here:
            del self._in[key[0]]
        others = removed(self._of_client.pop(client), view, _place)
        if others:
            self._of_client[client] = others
        if view.active:
            self._active[client] -= 1
            if not self._active[client]:
                del self._active[client]
        if view.waits_for_room:
            _remove_from(self._waiting_for_room, client, view)
        group = self._of_api[api]
        group.remove(key)
        if not group.contracts:
            del self._of_api[api]


def client_of(view: ContractView) -> NamespacedName:
    """The client that a contract names."""
    return view.claim.namespace, view.claim.client


def contract_key(view: ContractView) -> NamespacedName:
    """Namespace and name of a contract."""
    return view.claim.namespace, view.claim.name


def _keys(views: Iterable[ContractView | None]) -> tuple[NamespacedName, ...]:
    return tuple(dict.fromkeys(contract_key(view) for view in views if view is not None))


def _pair(view: ContractView) -> _Pair:
    return client_of(view), view.claim.api


def _api(view: ContractView) -> NamespacedName:
    return view.claim.api


def _uid(view: ContractView | None) -> str | None:
    return view.claim.uid if view is not None else None


def _readable(view: ContractView | None) -> bool:
    return view is None or view.readable


def _age(view: ContractView) -> tuple[float, str, str]:
    return (*view.age_key, view.claim.name)


def _place(view: ContractView) -> tuple[object, ...]:
    """Where a contract stands among those of its client."""
    if view.deleting:
        rank = _DELETING
    elif stands_first(view):
        rank = _STANDS_FIRST
    else:
        rank = _IN_CONFLICT if view.in_conflict else _WAITS
    return view.claim.api, rank, _age(view)


def _put_in(groups: dict[K, tuple[ContractView, ...]], key: K, view: ContractView) -> None:
    groups[key] = inserted(groups.get(key, ()), view, _age)


def _remove_from(groups: dict[K, tuple[ContractView, ...]], key: K, view: ContractView) -> None:
    others = removed(groups.pop(key), view, _age)
    if others:
        groups[key] = others
