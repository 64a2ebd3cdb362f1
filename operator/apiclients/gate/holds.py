"""The holds that the gate knows, by whom they may stop."""

from collections.abc import Callable
from dataclasses import dataclass

from apiclients.gate.entries import Ledger, dig, why_unreadable
from apiclients.kube.cache import Change
from apiclients.kube.objects import JsonObject, Key
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.holds import HoldView, hold_view, matches
from apiclients.resources.objects import ApiClientHold
from apiclients.resources.selectors import LabelSelector


@dataclass(frozen=True, slots=True)
class HoldEntry:
    """What the Reflector keeps of one hold; ``problem`` says why it cannot be read."""

    view: HoldView
    problem: str | None = None


class Holds:
    """Holds by namespace and the client that they name, or by namespace alone where they select by labels."""

    def __init__(self) -> None:
        self._by_client: dict[Key, dict[str, HoldView]] = {}
        self._selecting: dict[str, dict[str, HoldView]] = {}
        self._listeners: list[Callable[[HoldView], None]] = []
        self.unreadable = Ledger[HoldEntry]("apiclienthold")

    def listen(self, listener: Callable[[HoldView], None]) -> None:
        """``listener`` hears of every hold that has come, gone or changed: whoever it matches has to be looked at."""
        self._listeners.append(listener)

    def read(self, body: JsonObject) -> HoldEntry:
        """What the gate keeps of an object: ``convert`` of the Reflector."""
        return HoldEntry(hold_view(ApiClientHold.from_object(body)))

    def read_bad(self, body: JsonObject, error: Exception) -> HoldEntry:
        """``on_bad`` of the Reflector. Who cannot be read as naming one client may mean everybody in the namespace."""
        named = dig(body, "spec", "clientName")
        view = HoldView(
            namespace=dig(body, "metadata", "namespace") or "",
            name=dig(body, "metadata", "name") or "",
            client_name=named,
            selector=None if named is not None else LabelSelector(),
            expires=None,
        )
        return HoldEntry(view, why_unreadable(error))

    def apply(self, change: Change[HoldEntry]) -> None:
        """Take in what the Reflector says."""
        self.unreadable.note(change, change.new.problem if change.new is not None else None)
        old = change.old.view if change.old is not None else None
        new = change.new.view if change.new is not None else None
        if old == new:
            return  # only its status was written
        if old is not None:
            self._leave(old)
        if new is not None:
            self._group(new)[new.name] = new
        for view in (old, new):
            if view is not None:
                for listener in self._listeners:
                    listener(view)

    def of(self, client: ClientView) -> tuple[HoldView, ...]:
        """The holds that speak of a client, whether or not they have expired."""
        namespace, name = client.namespace, client.name
        found = (*self._by_client.get((namespace, name), {}).values(), *self._selecting.get(namespace, {}).values())
        return tuple(hold for hold in found if matches(hold, namespace, name, client.labels))

    def _group(self, hold: HoldView) -> dict[str, HoldView]:
        if hold.client_name is not None:
            return self._by_client.setdefault((hold.namespace, hold.client_name), {})
        return self._selecting.setdefault(hold.namespace, {})

    def _leave(self, hold: HoldView) -> None:
        group = self._group(hold)
        group.pop(hold.name, None)
        if group:
            return
        if hold.client_name is not None:
            del self._by_client[hold.namespace, hold.client_name]
        else:
            del self._selecting[hold.namespace]
