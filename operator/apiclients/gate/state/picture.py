"""What the gate knows of all clients, in memory: one look-up answers a check.

A :class:`apiclients.kube.cache.Reflector` feeds it (:meth:`Picture.apply`) and the freshness proof corrects it
(:meth:`Picture.deny`). What is not in the look-ups is denied: unknown clients, and objects that cannot be read.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from apiclients.engine.relations import Relations
from apiclients.gate.state.reading import Entry, Unreadable
from apiclients.kube.cache import Change
from apiclients.lifecycle.access import NO_CONTEXT, ClientContext, ClientView
from apiclients.lifecycle.contract_view import ContractView, counts_as_active
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.refs import NamespacedName

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """A consistent list showed this object, at this version, with a ``spec.desiredStatus`` other than Available."""

    key: NamespacedName
    uid: str
    version: int
    generation: int


@dataclass(frozen=True, slots=True)
class _Known:
    entry: Entry
    version: int


class Picture:
    """Clients by UID and by client id, each as the newest statement has it. One event loop, no locks.

    The context of a client is the holds that match it and, while its spec says Retired, its contracts in force. Holds
    are matched when a decision asks for them, so a hold binds all of its clients at once and costs no walk over them.
    """

    def __init__(
        self,
        relations: Relations,
        monotonic: Callable[[], float] = time.monotonic,
        on_effect: Callable[[float], None] = lambda _: None,
        on_gone: Callable[[ClientView], None] = lambda _: None,
        is_over_budget: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """``on_effect`` hears how many seconds a watch event took from its arrival to its effect.

        ``on_gone`` hears of every client that has gone, or was made again under another UID. ``is_over_budget`` tells
        of a namespace whether all of its clients are refused.
        """
        self._relations = relations
        self._monotonic = monotonic
        self._on_effect = on_effect
        self._on_gone = on_gone
        self._is_over_budget = is_over_budget
        self._known: dict[NamespacedName, _Known] = {}
        self._findings: dict[NamespacedName, Finding] = {}
        self._by_uid: dict[str, ClientView] = {}
        self._by_client_id: dict[str, ClientView] = {}
        self._active: dict[str, frozenset[str]] = {}
        self._arrived = 0.0
        self.by_uid: Mapping[str, ClientView] = MappingProxyType(self._by_uid)
        self.by_client_id: Mapping[str, ClientView] = MappingProxyType(self._by_client_id)

    def note_arrival(self) -> None:
        """An event of a client has arrived and is about to be read."""
        self._arrived = self._monotonic()

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
        _log(change)

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

    def version(self, key: NamespacedName) -> int:
        """The resourceVersion of the newest statement about an object; 0 if it is not known."""
        known = self._known.get(key)
        return known.version if known else 0

    def open_findings(self) -> tuple[Finding, ...]:
        """What proofs found and the picture has not caught up with."""
        return tuple(self._findings.values())

    def context(self, view: ClientView) -> ClientContext:
        """What else decides about a client now."""
        holds = self._relations.holds.of_client((view.namespace, view.name))
        active, over_budget = self._active.get(view.uid), self._is_over_budget(view.namespace)
        return (
            ClientContext(holds, active or frozenset(), over_budget) if holds or active or over_budget else NO_CONTEXT
        )

    def contracts_changed(self, key: NamespacedName) -> None:
        """The contracts of a client have changed."""
        view = self._relations.client(key)
        if view is not None:
            self._set_active(view)

    def _show(self, key: NamespacedName) -> None:
        """Make relations and look-ups say what is known of one client."""
        known, before, view = self._known.get(key), self._relations.client(key), self._corrected(key)
        readable = known is None or not isinstance(known.entry, Unreadable)
        self._relations.put_client(key, view, readable=readable)
        if before is not None and (view is None or view.uid != before.uid):
            self._by_uid.pop(before.uid, None)
            self._by_client_id.pop(before.client_id, None)
            self._active.pop(before.uid, None)
            self._on_gone(before)
        if view is not None:
            self._by_uid[view.uid] = self._by_client_id[view.client_id] = view
            self._set_active(view)

    def _corrected(self, key: NamespacedName) -> ClientView | None:
        """What is known, less what a newer finding denies. Another UID means that the known object is gone (rule 11).

        A finding does not tell which status is desired, only that it is not Available. Suspended says no more. In the
        same generation spec is as it is known, and may be a retirement that is held.
        """
        known, finding = self._known.get(key), self._findings.get(key)
        if known is None or not isinstance(known.entry, ClientView):
            return None
        if finding is None:
            return known.entry
        if finding.uid != known.entry.uid:
            return None
        same = finding.generation == known.entry.generation and known.entry.desired is not DesiredStatus.AVAILABLE
        return known.entry if same else _denied(known.entry)

    def _set_active(self, view: ClientView) -> None:
        """Work out anew the contracts in force of a client; they matter only to a retirement."""
        active = self._active_contracts(view) if view.desired is DesiredStatus.RETIRED else frozenset[str]()
        if active:
            self._active[view.uid] = active
        else:
            self._active.pop(view.uid, None)

    def _active_contracts(self, client: ClientView) -> frozenset[str]:
        """The names of the contracts in force of this very client, not of one before it of the same name."""
        contracts = self._relations.contracts.of_client((client.namespace, client.name))
        return frozenset(contract.claim.name for contract in contracts if _is_in_force_for(contract, client.uid))


def _is_in_force_for(contract: ContractView, client_uid: str) -> bool:
    granted = contract.in_force
    return counts_as_active(contract) and granted is not None and granted.client_uid == client_uid


def _log(change: Change[Entry]) -> None:
    """What people look for afterwards; once for each change, and not the whole first list."""
    old, new = change.old, change.new
    if new is None:
        logger.info("apiclient %s/%s is gone", *change.key)
    elif isinstance(old, ClientView) and isinstance(new, ClientView) and old.desired is not new.desired:
        logger.info("apiclient %s/%s is now desired %s", *change.key, new.desired)


def _denied(view: ClientView) -> ClientView:
    return replace(view, desired_status=replace(view.desired_status, requested=DesiredStatus.SUSPENDED))
