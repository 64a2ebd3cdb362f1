"""What a gate knows, in one piece: the relations, and what is worked out from them as objects come and go."""

import time
from collections.abc import Callable, Iterable, Mapping

from apiclients.engine.contract_index import client_of
from apiclients.engine.relations import Relations
from apiclients.engine.wakes import Wakes
from apiclients.gate.state.access import AccessTable
from apiclients.gate.state.ledger import Ledger
from apiclients.gate.state.picture import Picture
from apiclients.gate.state.reading import Entry, Unreadable, Viewed, decoding, reader, view_in
from apiclients.gate.state.refusals import NamespaceRefusals
from apiclients.gate.state.revocations import Revocations
from apiclients.gate.state.tally import Tally
from apiclients.kube.cache import Change
from apiclients.kube.decoding import Decoding
from apiclients.kube.kinds import (
    ALL_KINDS,
    API_CLIENT_HOLDS,
    API_CLIENTS,
    APIS,
    CONTRACT_APPROVALS,
    CONTRACTS,
    TOKEN_ISSUERS,
    TOKEN_REVOCATIONS,
)
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.budget import NAMESPACE_BUDGET
from apiclients.lifecycle.contract_view import ContractView
from apiclients.lifecycle.enforcement import refuses_or_resumes
from apiclients.lifecycle.holds import HoldView
from apiclients.lifecycle.issuers import IssuerView
from apiclients.resources.refs import ObjectRef

_READ_CLIENT = reader(API_CLIENTS.kind)


def _nothing(_: object = None) -> None:
    """For who does not listen."""


class GateState:
    """One event loop, no locks."""

    def __init__(
        self,
        issuer: str,
        tally: Tally,
        monotonic: Callable[[], float] = time.monotonic,
        on_effect: Callable[[float], None] = _nothing,
        on_awaited: Callable[[], None] = _nothing,
        namespace_budget: int = NAMESPACE_BUDGET,
    ) -> None:
        """``on_effect`` hears how many seconds a watch event of a client took from its arrival to its effect.

        ``on_awaited`` hears of every hold that has come, gone or changed, and of every client that is refused or
        resumed: somebody may wait for that.
        """
        self._tally = tally
        self._on_awaited = on_awaited
        #: Hears of all TokenIssuers whenever one has come, gone or changed.
        self.on_issuers: Callable[[Iterable[IssuerView]], None] = _nothing
        self.relations = Relations()
        self.access = AccessTable(issuer, self.relations)
        self.refusals = NamespaceRefusals(namespace_budget)
        self.picture = Picture(self.relations, monotonic, on_effect, self._client_gone, self.refusals.refuses)
        self.revocations = Revocations()
        #: By plural.
        self.unreadable: Mapping[str, Ledger] = {
            **{kind.plural: Ledger(kind.kind.lower()) for kind in ALL_KINDS},
            TOKEN_REVOCATIONS.plural: self.revocations.unreadable,
        }
        #: What the Reflector of a kind keeps of an object, by plural.
        self.read: Mapping[str, Callable[[JsonObject | Viewed], Entry]] = {
            **{kind.plural: reader(kind.kind) for kind in ALL_KINDS},
            API_CLIENTS.plural: self._read_client,
        }
        #: How it decodes objects, by plural.
        self.decoding: Mapping[str, Decoding] = {
            **{kind.plural: decoding(kind.kind) for kind in ALL_KINDS},
            API_CLIENTS.plural: decoding(API_CLIENTS.kind, self.picture.note_arrival),
        }
        #: What its ``on_change`` is, by plural.
        self.apply: Mapping[str, Callable[[Change[Entry]], None]] = {
            API_CLIENTS.plural: self._apply_client,
            APIS.plural: self._apply_api,
            CONTRACTS.plural: self._apply_contract,
            CONTRACT_APPROVALS.plural: self._apply_approval,
            API_CLIENT_HOLDS.plural: self._apply_hold,
            TOKEN_ISSUERS.plural: self._apply_issuer,
        }

    def _read_client(self, body: JsonObject | Viewed) -> Entry:
        """The time from its arrival to its effect counts from here, unless its decoding has begun it."""
        if not isinstance(body, Viewed):
            self.picture.note_arrival()
        return _READ_CLIENT(body)

    def _apply_client(self, change: Change[Entry]) -> None:
        self._note(API_CLIENTS.plural, change)
        self.refusals.client_changed(change.key[0], change.old, change.new)
        before = self.relations.client(change.key)
        self.picture.apply(change)
        after = self.relations.client(change.key)
        if before is not None and after is not None and refuses_or_resumes(before, after):
            self._on_awaited()

    def _apply_api(self, change: Change[Entry]) -> None:
        self._note(APIS.plural, change)
        before = self.relations.api(change.key)
        self._put("Api", change)
        if self.relations.api(change.key) != before:
            self.access.api_changed(change.key)

    def _apply_contract(self, change: Change[Entry]) -> None:
        self._note(CONTRACTS.plural, change)
        before = self.relations.contracts.get(change.key)
        view = view_in(change.new)
        assert view is None or isinstance(view, ContractView)
        self.relations.put_contract(change.key, view, readable=not isinstance(change.new, Unreadable))
        after = self.relations.contracts.get(change.key)
        if before == after:
            return
        self.access.contract_changed(before, after)
        for each in (before, after):
            if each is not None:
                self.picture.contracts_changed(client_of(each))

    def _apply_approval(self, change: Change[Entry]) -> None:
        self._note(CONTRACT_APPROVALS.plural, change)
        for wakes in self._put("ContractApproval", change):
            for key in wakes.keys if wakes.kind == "Contract" else ():
                self.access.approvals_changed(key)

    def _apply_hold(self, change: Change[Entry]) -> None:
        self._note(API_CLIENT_HOLDS.plural, change)
        before, new = self.relations.holds.get(change.key), view_in(change.new)
        assert new is None or isinstance(new, HoldView)
        self.relations.put_hold(change.key, new, readable=not isinstance(change.new, Unreadable))
        too_many = self.relations.holds.too_many(change.key[0])
        self.refusals.hold_changed(change.key[0], change.old, change.new, too_many=too_many)
        if new != before:
            self._on_awaited()

    def _apply_issuer(self, change: Change[Entry]) -> None:
        self._note(TOKEN_ISSUERS.plural, change)
        self._put("TokenIssuer", change)
        self.on_issuers(self.relations.identities.issuers())

    def _put(self, kind: str, change: Change[Entry]) -> list[Wakes]:
        """Take in an object; returns which others may be decided about otherwise now."""
        readable = not isinstance(change.new, Unreadable)
        return self.relations.put(ObjectRef(kind, *change.key), view_in(change.new), readable=readable)

    def _note(self, plural: str, change: Change[Entry]) -> None:
        self.unreadable[plural].note(change.key, change.new.reason if isinstance(change.new, Unreadable) else None)

    def _client_gone(self, client: ClientView) -> None:
        self.access.client_gone(client)
        self._tally.forget(client.uid)
