"""What the gate knows of all clients, in memory: one look-up answers a check.

A :class:`apiclients.kube.cache.Reflector` feeds it (:meth:`Picture.apply`) and the freshness proof corrects it
(:meth:`Picture.deny`). What is not in the look-ups is denied: unknown clients, and objects that cannot be read.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from apiclients.gate.entries import Ledger, Unreadable, why_unreadable
from apiclients.gate.holds import Holds
from apiclients.gate.lean import lean_client
from apiclients.gate.routes import Routes
from apiclients.kube.cache import Change
from apiclients.kube.objects import JsonObject, Key
from apiclients.lifecycle.access import Beside, ClientView, client_view
from apiclients.lifecycle.holds import HoldView
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.objects import ApiClient

logger = logging.getLogger(__name__)

#: What the Reflector keeps of one ApiClient.
Entry = ClientView | Unreadable


@dataclass(frozen=True, slots=True)
class Finding:
    """A consistent list showed this object, at this version, with a ``spec.desiredStatus`` other than Available."""

    key: Key
    uid: str
    version: int
    generation: int


@dataclass(frozen=True, slots=True)
class _Known:
    entry: Entry
    version: int


def _nothing(_: object) -> None:
    """For who does not listen."""


class Picture:
    """Clients by UID and by client id, each as the newest statement has it. One event loop, no locks.

    Beside a client stand the holds that speak of it and, while its spec says Retired, its contracts in force.
    """

    def __init__(
        self,
        holds: Holds,
        routes: Routes,
        monotonic: Callable[[], float] = time.monotonic,
        on_effect: Callable[[float], None] = _nothing,
        on_gone: Callable[[ClientView], None] = _nothing,
    ) -> None:
        """``on_effect`` hears how many seconds a watch event took from its arrival to its effect."""
        self._holds = holds
        self._routes = routes
        self._monotonic = monotonic
        self._on_effect = on_effect
        self._on_gone = on_gone
        self._known: dict[Key, _Known] = {}
        self._shown: dict[str, dict[str, ClientView]] = {}
        self._findings: dict[Key, Finding] = {}
        self._by_uid: dict[str, ClientView] = {}
        self._by_client_id: dict[str, ClientView] = {}
        self._besides: dict[str, Beside] = {}
        self._arrived = 0.0
        self.unreadable = Ledger[Entry]("apiclient")
        self.by_uid: Mapping[str, ClientView] = MappingProxyType(self._by_uid)
        self.by_client_id: Mapping[str, ClientView] = MappingProxyType(self._by_client_id)
        #: By UID; most clients have nothing beside them.
        self.besides: Mapping[str, Beside] = MappingProxyType(self._besides)
        holds.listen(self._hold_changed)
        routes.listen(self._contracts_changed)

    def read(self, body: JsonObject) -> Entry:
        """What the gate keeps of an object: ``convert`` of the Reflector."""
        self._arrived = self._monotonic()
        return lean_client(client_view(ApiClient.from_object(body)))

    def read_bad(self, body: JsonObject, error: Exception) -> Entry:  # noqa: ARG002 - the Reflector passes it
        """What it keeps of an object that :meth:`read` raised for: ``on_bad`` of the Reflector."""
        return Unreadable(why_unreadable(error))

    def apply(self, change: Change[Entry]) -> None:
        """Take in what the Reflector says. It has put statements in order, so this one is the newest of its object."""
        self._known.pop(change.key, None)
        if change.new is not None:
            self._known[change.key] = _Known(change.new, change.resource_version)
        finding = self._findings.get(change.key)
        if finding is not None and change.resource_version >= finding.version:
            del self._findings[change.key]
        self._show(change.key)
        if change.source == "watch":
            self._on_effect(self._monotonic() - self._arrived)
        self._tell(change)

    def deny(self, finding: Finding) -> bool:
        """Deny at once what a proof found, until the picture is as new; whether the picture was not (rule 17).

        An object that is not known yet is denied anyway; the finding meets it when an older event makes it known.
        """
        earlier = self._findings.get(finding.key)
        if max(self.version(finding.key), earlier.version if earlier else 0) >= finding.version:
            return False
        self._findings[finding.key] = finding
        self._show(finding.key)
        return True

    def lift(self, finding: Finding) -> None:
        """Forget a finding, once a later consistent read of the object has been applied."""
        if self._findings.get(finding.key) == finding:
            del self._findings[finding.key]
            self._show(finding.key)

    def version(self, key: Key) -> int:
        """The resourceVersion of the newest statement about an object; 0 if it is not known."""
        known = self._known.get(key)
        return known.version if known else 0

    def open_findings(self) -> tuple[Finding, ...]:
        """What proofs found and the picture has not caught up with."""
        return tuple(self._findings.values())

    def _show(self, key: Key) -> None:
        """Make the look-ups say what is known of one object."""
        namespace, name = key
        before, view = self._shown.get(namespace, {}).pop(name, None), self._corrected(key)
        if before is not None and (view is None or view.uid != before.uid):
            self._by_uid.pop(before.uid, None)
            self._by_client_id.pop(before.client_id, None)
            self._besides.pop(before.uid, None)
            self._on_gone(before)
        if view is not None:
            self._shown.setdefault(namespace, {})[name] = view
            self._by_uid[view.uid] = self._by_client_id[view.client_id] = view
            self._stand(view)
        elif not self._shown.get(namespace, True):
            del self._shown[namespace]

    def _corrected(self, key: Key) -> ClientView | None:
        """What is known, less what a newer finding denies. Another UID means that the known object is gone (rule 11).

        A finding does not tell which status is desired, only that it is not Available. Suspended says no more. In the
        same generation spec is as it is known, and may be a retirement that is held.
        """
        known, finding = self._known.get(key), self._findings.get(key)
        if known is None or isinstance(known.entry, Unreadable):
            return None
        if finding is None:
            return known.entry
        if finding.uid != known.entry.uid:
            return None
        same = finding.generation == known.entry.generation and known.entry.desired is not DesiredStatus.AVAILABLE
        return known.entry if same else _denied(known.entry)

    def _stand(self, view: ClientView) -> None:
        """Work out anew what stands beside a client."""
        retiring = view.desired is DesiredStatus.RETIRED
        beside = Beside(
            holds=self._holds.of(view),
            active_contracts=self._routes.active_names(view.uid) if retiring else frozenset(),
        )
        if beside.holds or beside.active_contracts:
            self._besides[view.uid] = beside
        else:
            self._besides.pop(view.uid, None)

    def _hold_changed(self, hold: HoldView) -> None:
        here = self._shown.get(hold.namespace, {})
        if hold.client_name is None:
            for view in here.values():
                self._stand(view)
        elif hold.client_name in here:
            self._stand(here[hold.client_name])

    def _contracts_changed(self, client_uid: str) -> None:
        view = self._by_uid.get(client_uid)
        if view is not None:
            self._stand(view)

    def _tell(self, change: Change[Entry]) -> None:
        """Log what people look for afterwards; once for each change, and not the whole first list."""
        old, new = change.old, change.new
        self.unreadable.note(change, new.reason if isinstance(new, Unreadable) else None)
        if new is None:
            logger.info("apiclient %s/%s is gone", *change.key)
        elif isinstance(old, ClientView) and isinstance(new, ClientView) and old.desired is not new.desired:
            logger.info("apiclient %s/%s is now desired %s", *change.key, new.desired)


def _denied(view: ClientView) -> ClientView:
    return replace(view, wish=replace(view.wish, desired=DesiredStatus.SUSPENDED))
