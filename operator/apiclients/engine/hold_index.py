"""Holds, and the clients that they match, found when somebody asks: a hold costs the same for any number of clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.holds import HoldView, matches, too_many, too_many_holds
from apiclients.resources.refs import NamespacedName


@dataclass(frozen=True, slots=True)
class HoldChange:
    """One hold as it was and is, and whether its namespace had too many before and has too many now."""

    namespace: str
    old: HoldView | None
    new: HoldView | None
    crowded_before: bool
    crowded: bool

    @property
    def thinned(self) -> bool:
        """Whether its namespace has no longer too many."""
        return self.crowded_before and not self.crowded

    def clients(self, clients: Mapping[str, ClientView]) -> list[NamespacedName]:
        """Whom it concerns of the clients of its namespace, by name: those that it matched or matches."""
        if self.crowded is not self.crowded_before:
            return [(self.namespace, name) for name in clients]
        holds = [hold for hold in (self.old, self.new) if hold is not None] if self.old != self.new else []
        if self.crowded:
            holds = [hold for hold in holds if hold.client_name is not None]
        names = [hold.client_name for hold in holds if hold.client_name is not None]
        candidates = clients if len(names) < len(holds) else [name for name in dict.fromkeys(names) if name in clients]
        return [
            (self.namespace, name)
            for name in candidates
            if any(matches(hold, self.namespace, name, clients[name].labels) for hold in holds)
        ]


@dataclass(frozen=True, slots=True)
class _Selected:
    """The holds that select a client, of all that had changed up to a change with this number."""

    holds: tuple[HoldView, ...]
    number: int


class _Selecting:
    """The holds of one namespace that select by labels.

    Each is matched with a client once, when somebody asks. What was found is remembered, and only what has changed
    since is matched again.
    """

    def __init__(self) -> None:
        #: With the number of the change that brought each, in that order.
        self._holds: dict[str, tuple[int, HoldView]] = {}
        self._number = 0
        self._found: dict[str, _Selected] = {}

    def __len__(self) -> int:
        return len(self._holds)

    def names(self) -> list[str]:
        return list(self._holds)

    def copy(self) -> "_Selecting":
        other = _Selecting()
        other._holds, other._number = dict(self._holds), self._number
        return other

    def put(self, name: str, hold: HoldView | None) -> None:
        self._number += 1
        self._holds.pop(name, None)
        if hold is not None:
            self._holds[name] = (self._number, hold)

    def forget(self, client: str) -> None:
        self._found.pop(client, None)

    def of_client(self, client: NamespacedName, labels: Mapping[str, str]) -> tuple[HoldView, ...]:
        known = self._found.get(client[1], _NOT_ASKED)
        if known.number == self._number:
            return known.holds
        kept = (hold for hold in known.holds if self._holds.get(hold.name, _NO_HOLD)[1] is hold)
        new = (hold for hold in self._since(known.number) if matches(hold, *client, labels))
        found = (*kept, *new)
        self._found[client[1]] = _Selected(found, self._number)
        return found

    def _since(self, number: int) -> list[HoldView]:
        """The holds that a later change brought."""
        later = takewhile(lambda one: one[0] > number, reversed(self._holds.values()))
        return [hold for _, hold in later][::-1]


_NOT_ASKED = _Selected((), -1)
_NO_HOLD = (0, None)


class HoldIndex:
    """Holds by namespace, and for each client those that match it, in force or not."""

    def __init__(self) -> None:
        self._by_client_name: dict[NamespacedName, dict[str, HoldView]] = {}
        self._selecting: dict[str, _Selecting] = {}
        self._views: dict[NamespacedName, HoldView] = {}
        self._labels: dict[NamespacedName, Mapping[str, str]] = {}

    def copy(self) -> "HoldIndex":
        """Another index with the same holds, which can change on its own."""
        other = HoldIndex()
        other._by_client_name = {key: dict(views) for key, views in self._by_client_name.items()}
        other._selecting = {namespace: selecting.copy() for namespace, selecting in self._selecting.items()}
        other._views, other._labels = dict(self._views), dict(self._labels)
        return other

    def get(self, key: NamespacedName) -> HoldView | None:
        """One hold."""
        return self._views.get(key)

    def of_client(self, client: NamespacedName) -> tuple[HoldView, ...]:
        """The holds that match a client, whether or not they have expired. Too many in its namespace hold everybody."""
        selecting = self._selecting.get(client[0])
        if selecting is None and client not in self._by_client_name:
            return ()
        labels = self._labels.get(client)
        if labels is None:
            return ()
        by_name = tuple(self._by_client_name.get(client, {}).values())
        if selecting is None:
            return by_name
        if too_many(len(selecting)):
            return (*by_name, too_many_holds(client[0]))
        return by_name + selecting.of_client(client, labels)

    def too_many(self, namespace: str) -> bool:
        """Whether a namespace has more holds that select than are matched: then it is held as a whole."""
        return too_many(len(self._selecting.get(namespace, ())))

    def selecting(self, namespace: str) -> list[NamespacedName]:
        """The holds of a namespace that name no client."""
        return [(namespace, name) for name in self._selecting.get(namespace, _Selecting()).names()]

    def put(self, key: NamespacedName, view: HoldView | None) -> HoldChange:
        """Take in a hold as it is now, None for one that is gone."""
        old, crowded = self._views.pop(key, None), self.too_many(key[0])
        if view is not None:
            self._views[key] = view
        if old != view:
            if old is not None:
                self._leave(old)
            if view is not None:
                self._enter(view)
        return HoldChange(key[0], old, view, crowded, self.too_many(key[0]))

    def put_client(self, key: NamespacedName, old: ClientView | None, new: ClientView | None) -> list[NamespacedName]:
        """Take in a client that came, went, or has other labels; returns the holds whose clients are others now."""
        if old is not None and new is not None and (old.uid, old.labels) == (new.uid, new.labels):
            self._labels[key] = new.labels
            return []
        before = self._of_itself(key) if old is not None else set()
        self._forget_client(key)
        if new is not None:
            self._labels[key] = new.labels
        after = self._of_itself(key) if new is not None else set()
        same_client = old is not None and new is not None and old.uid == new.uid
        changed = before ^ after if same_client else before | after
        return [(key[0], name) for name in sorted(changed)]

    def _of_itself(self, client: NamespacedName) -> set[str]:
        """The names of the holds that match a client; of too many that select nobody is told whom they match."""
        if self.too_many(client[0]):
            return set(self._by_client_name.get(client, {}))
        return {hold.name for hold in self.of_client(client)}

    def _forget_client(self, key: NamespacedName) -> None:
        self._labels.pop(key, None)
        if key[0] in self._selecting:
            self._selecting[key[0]].forget(key[1])

    def _enter(self, hold: HoldView) -> None:
        if hold.client_name is not None:
            self._by_client_name.setdefault((hold.namespace, hold.client_name), {})[hold.name] = hold
        else:
            self._selecting.setdefault(hold.namespace, _Selecting()).put(hold.name, hold)

    def _leave(self, hold: HoldView) -> None:
        if hold.client_name is not None:
            group = self._by_client_name[hold.namespace, hold.client_name]
            del group[hold.name]
            if not group:
                del self._by_client_name[hold.namespace, hold.client_name]
            return
        selecting = self._selecting[hold.namespace]
        selecting.put(hold.name, None)
        if not selecting:
            del self._selecting[hold.namespace]
