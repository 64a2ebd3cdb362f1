"""Everything that the operator knows of the cluster: the objects of all kinds, and what belongs to what."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from apiclients.controllers.attention import Attention
from apiclients.controllers.lanes import Lane
from apiclients.controllers.store import ObjectStore
from apiclients.controllers.urgency import lane_of_change, lane_of_concerned
from apiclients.controllers.waiting import Waiting
from apiclients.controllers.wake_backlog import WakeBacklog
from apiclients.engine.lean import for_operator
from apiclients.engine.relations import Relations
from apiclients.engine.views import read_view
from apiclients.engine.wakes import Wake, WakeReason, Wakes
from apiclients.kube.client import ResourceType
from apiclients.kube.errors import where
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, APIS, CONTRACT_APPROVALS, CONTRACTS, TOKEN_ISSUERS
from apiclients.kube.object_state import Change, Source
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.enforcement import LivingGates, Sight
from apiclients.lifecycle.observation import SecretMetadata
from apiclients.resources.objects import READERS, AnyObject, ApiClient
from apiclients.resources.refs import NamespacedName, ObjectRef

logger = logging.getLogger(__name__)

#: A watch that is not busy tells of a write within milliseconds: few are undelivered at any time.
_MOST_UNDELIVERED = 32


class Cluster:
    """The stores of all kinds, which feed the relations. ``wake`` hears who has to be reconciled, why, and how soon."""

    def __init__(self, wake: Callable[[Wake, Lane], None], gates: Callable[[], LivingGates] = LivingGates) -> None:
        """``gates`` are those that live now."""
        self._wake = wake
        self._gates = gates
        #: Where wakes of many objects wait to be handed on.
        self.backlog = WakeBacklog(wake)
        #: How many objects could not be taken in because of a bug.
        self.bugs = 0
        self.relations = Relations()
        #: Who needs somebody, for metrics.
        self.attention = Attention()
        #: Who waits until the gates obey.
        self.waiting = Waiting(gates, self._gates_obey)
        #: By namespace: the version at which a hold last came, went or changed.
        self._hold_changes: dict[str, int] = {}
        self.clients = self._store(API_CLIENTS)
        self.apis = self._store(APIS)
        self.contracts = self._store(CONTRACTS)
        self.approvals = self._store(CONTRACT_APPROVALS)
        self.holds = self._store(API_CLIENT_HOLDS)
        self.issuers = self._store(TOKEN_ISSUERS)
        self._by_kind = {store.resource.kind: store for store in self.stores}

    def watches_behind(self) -> bool:
        """Whether the watches have very much to tell, and are about to."""
        return sum(store.undelivered.behind for store in self.stores) > _MOST_UNDELIVERED

    @property
    def stores(self) -> tuple[ObjectStore[AnyObject], ...]:
        """All stores."""
        return self.clients, self.apis, self.contracts, self.approvals, self.holds, self.issuers

    def store(self, kind: str) -> ObjectStore[AnyObject]:
        """The store of a kind."""
        return self._by_kind[kind]

    def read(self, ref: ObjectRef) -> AnyObject | None:
        """One object. Raises InvalidObjectError when it does not fit the models."""
        return self._by_kind[ref.kind].get(ref.key)

    def namespace_changed(self, namespace: str) -> None:
        """The labels of a namespace have changed."""
        self.backlog.hand_on(self.relations.namespace_changed(namespace))

    def gates_changed(self) -> None:
        """A gate has come or gone that does not obey what another one does."""
        for wakes in self.relations.gates_changed():
            self.backlog.hand_on(wakes)

    def gates_moved(self) -> None:
        """A gate has told how far it is, or has come or gone."""
        self.waiting.gates_moved()

    def sight(self, client: ApiClient) -> Sight:
        """How far the gates are with a client."""
        namespace, version = client.metadata.namespace, int(client.metadata.resource_version or 0)
        waited_for = self.waiting.version_of((namespace, client.metadata.name))
        return Sight(
            gates=self._gates(),
            holds_version=self._hold_changes.get(namespace, 0),
            status_version=waited_for if waited_for is not None else version,
        )

    def _gates_obey(self, clients: list[NamespacedName], urgent: bool) -> None:
        lane = Lane.CHANGED if urgent else Lane.REST
        self.backlog.hand_on(Wakes(API_CLIENTS.kind, tuple(clients), WakeReason.ENFORCED, urgent), lane)

    def clients_used(self, clients: Iterable[NamespacedName]) -> None:
        """Gates report that these were used."""
        self.backlog.hand_on(Wakes(API_CLIENTS.kind, tuple(clients), WakeReason.USED, urgent=False))

    def contracts_used(self, contracts: Iterable[NamespacedName]) -> None:
        """The same of contracts."""
        self.backlog.hand_on(Wakes(CONTRACTS.kind, tuple(contracts), WakeReason.USED, urgent=False))

    def contract_last_used(self, contract: NamespacedName) -> int:
        """The hour of its last use as its status has it (``lifecycle.usage``)."""
        view = self.relations.contracts.get(contract)
        return view.last_used if view is not None else 0

    def keys_fetched(self, issuer: str) -> None:
        """The keys of a TokenIssuer were fetched, or could not be."""
        self.backlog.hand_on(Wakes(TOKEN_ISSUERS.kind, (("", issuer),), WakeReason.KEYS_FETCHED))

    def secret_changed(self, change: Change[SecretMetadata]) -> None:
        """A Secret has changed. Who wrote it knows it already; only a deletion cannot be the operator's own."""
        wakes = self.relations.put_secret(change.old, change.new)
        if change.source != "put":
            self.backlog.hand_on(wakes, Lane.CHANGED if change.new is None else Lane.REST)

    def keys_changed(self) -> None:
        """Digests depend on the peppers: every client is looked at."""
        self.backlog.hand_on(Wakes(API_CLIENTS.kind, tuple(self.clients), WakeReason.KEYS_CHANGED))

    def _store(self, resource: ResourceType) -> ObjectStore[AnyObject]:
        read_object = READERS[resource.kind]

        def read(raw: Any, changed_by: str | None) -> AnyObject:
            obj = read_object(raw)
            return replace(obj, changed_by=changed_by) if isinstance(obj, ApiClient) else obj

        def changed(key: NamespacedName, raw: JsonObject | None, source: Source, version: int) -> None:
            ref = ObjectRef(resource.kind, *key)
            if resource is API_CLIENTS:
                self.attention.note(key, raw)
                self.waiting.note(key, raw)
            if resource is CONTRACTS:
                self.attention.note_contract(key, raw)
            lane = lane_of_change(ref.kind, raw, source)
            if source != "put":
                self._wake(Wake(ref, WakeReason.OBJECT_CHANGED), lane)
            hold = self.relations.holds.get(key) if resource is API_CLIENT_HOLDS else None
            wakes = self._relate(ref, raw)
            if resource is API_CLIENT_HOLDS and self.relations.holds.get(key) != hold:
                self._hold_changes[key[0]] = version
            for each in wakes:
                self.backlog.hand_on(each, lane_of_concerned(each, lane, ref.namespace))

        return ObjectStore(resource, read, changed)

    def _relate(self, ref: ObjectRef, raw: JsonObject | None) -> list[Wakes]:
        """Take an object into the relations. A bug costs this one object, not the list or the watch it came with."""
        try:
            view, readable = read_view(ref.kind, raw)
            return self.relations.put(ref, view and for_operator(view), readable=readable)
        except Exception as error:
            extra = {"kind": ref.kind, "namespace": ref.namespace, "object": ref.name}
            logger.error("Taking in %s ended in a bug: %s", ref.kind, where(error), extra=extra)  # noqa: TRY400
            self.bugs += 1
            return []
