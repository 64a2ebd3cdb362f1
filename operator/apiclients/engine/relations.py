"""The one index of what belongs to what: fed by changes, it says who has to be looked at again, and why.

Operator, gate, plan and plugin know objects by it. It keeps the views of ``lifecycle``, not the objects. What a change
of a contract or of an approval costs does not grow with how many others there are; where it decides about many others,
these are named and not gone through. A hold that selects by labels is matched with the clients of its namespace, and a
client whose labels change with as many holds of its namespace as are matched.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from apiclients.engine.contract_index import ContractIndex, client_of, contract_key
from apiclients.engine.hold_index import HoldIndex
from apiclients.engine.identity_index import IdentityIndex
from apiclients.engine.ruling_index import RulingIndex, Said
from apiclients.engine.secret_index import SecretIndex
from apiclients.engine.views import View
from apiclients.engine.wakes import WakeReason, Wakes
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.api_view import ApiView
from apiclients.lifecycle.approvals import Ruling, contract_within_say
from apiclients.lifecycle.contract_view import ContractView, plans_ruled_on
from apiclients.lifecycle.holds import HoldView, matches
from apiclients.lifecycle.identities import NOTHING_OBSERVED, IdentityView, ObservedIdentities
from apiclients.lifecycle.issuers import IssuerView
from apiclients.lifecycle.observation import SecretMetadata
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.refs import NamespacedName, ObjectRef


class Relations:
    """Views of all objects by what they belong to. One thread, no locks."""

    def __init__(self) -> None:
        self.contracts = ContractIndex()
        self.holds = HoldIndex()
        self.rulings = RulingIndex()
        self.secrets = SecretIndex()
        self.identities = IdentityIndex()
        self._clients: dict[str, dict[str, ClientView]] = {}
        self._apis: dict[NamespacedName, ApiView] = {}
        self._unreadable: set[ObjectRef] = set()
        #: What uses features that not every gate may obey.
        self._using_features: set[ObjectRef] = set()

    def copy(self) -> "Relations":
        """Other relations of the same objects, which can change on their own."""
        other = Relations()
        other.contracts, other.holds = self.contracts.copy(), self.holds.copy()
        other.rulings, other.secrets = self.rulings.copy(), self.secrets.copy()
        other.identities = self.identities.copy()
        other._clients = {namespace: dict(clients) for namespace, clients in self._clients.items()}
        other._apis = dict(self._apis)
        other._unreadable = set(self._unreadable)
        other._using_features = set(self._using_features)
        return other

    # What decisions look at

    def client(self, key: NamespacedName) -> ClientView | None:
        """One client."""
        return self._clients.get(key[0], {}).get(key[1])

    def clients_in(self, namespace: str) -> Mapping[str, ClientView]:
        """The clients of a namespace, by name."""
        return self._clients.get(namespace, {})

    def api(self, key: NamespacedName) -> ApiView | None:
        """One Api."""
        return self._apis.get(key)

    def clients_of_hold(self, hold: NamespacedName) -> list[str]:
        """The names of the clients that a hold itself matches."""
        namespace, view = hold[0], self.holds.get(hold)
        if view is None:
            return []
        clients = self.clients_in(namespace)
        return [name for name, client in clients.items() if matches(view, namespace, name, client.labels)]

    def is_unreadable(self, ref: ObjectRef) -> bool:
        """Whether an object is there that cannot be read: what is kept of it is the most restrictive (rule 32)."""
        return ref in self._unreadable

    def observed_identities(self, client: NamespacedName, claims: tuple[IdentityView, ...]) -> ObservedIdentities:
        """What a decision about these claims of a client looks at."""
        if not claims:
            return NOTHING_OBSERVED
        unreadable = frozenset(ref.namespace for ref in self._unreadable if ref.kind == "ApiClient")
        return self.identities.observed(client, claims, unreadable)

    # What changes

    def put(self, ref: ObjectRef, view: View | None, *, readable: bool = True) -> list[Wakes]:
        """Take in an object as it is now, None for one that is gone; returns who else has to be looked at again.

        Of an object that cannot be read ``view`` is the most restrictive that it could be, None if there is no such.
        """
        was_readable = ref not in self._unreadable
        self._note_readable(ref, readable)
        self._note_features(ref, view)
        return [wakes for wakes in self._put(ref, view, force=readable is not was_readable) if wakes.keys]

    def _put(self, ref: ObjectRef, view: View | None, *, force: bool) -> Iterator[Wakes]:
        match ref.kind:
            case "ApiClient":
                assert view is None or isinstance(view, ClientView)
                return self._put_client(ref.key, view, force=force)
            case "Api":
                assert view is None or isinstance(view, ApiView)
                return self._put_api(ref.key, view, force=force)
            case "Contract":
                assert view is None or isinstance(view, ContractView)
                return self._put_contract(ref.key, view)
            case "ContractApproval":
                assert view is None or isinstance(view, Ruling)
                return self._put_ruling(ref.key, view)
            case "ApiClientHold":
                assert view is None or isinstance(view, HoldView)
                return self._put_hold(ref.key, view)
            case "TokenIssuer":
                assert view is None or isinstance(view, IssuerView)
                return self._put_issuer(ref.key, view)
            case _:
                raise ValueError(f"no kind of ours: {ref.kind}")

    def put_hold(self, key: NamespacedName, view: HoldView | None, *, readable: bool = True) -> None:
        """As :meth:`put`, for who looks at every client anew whenever it decides: nobody is looked for (the gate)."""
        self._note_readable(ObjectRef("ApiClientHold", *key), readable)
        self.holds.put(key, view)

    def put_client(self, key: NamespacedName, view: ClientView | None, *, readable: bool = True) -> None:
        """As :meth:`put`, for who knows no Secrets and looks at every client anew whenever it decides (the gate)."""
        ref, old = ObjectRef("ApiClient", *key), self.client(key)
        self._note_readable(ref, readable)
        self._note_features(ref, view)
        self._replace_client(key, view)
        self.holds.put_client(key, old, view)
        self.identities.put_client(key, old, view)

    def put_contract(self, key: NamespacedName, view: ContractView | None, *, readable: bool = True) -> None:
        """As :meth:`put`, for who works out anew what follows from contracts whenever it decides (the gate)."""
        ref = ObjectRef("Contract", *key)
        self._note_readable(ref, readable)
        self._note_features(ref, view)
        self.contracts.store(key, view)

    def _note_readable(self, ref: ObjectRef, readable: bool) -> None:
        (self._unreadable.discard if readable else self._unreadable.add)(ref)

    def _note_features(self, ref: ObjectRef, view: View | None) -> None:
        uses = isinstance(view, ClientView | HoldView | ContractView) and bool(view.features)
        (self._using_features.add if uses else self._using_features.discard)(ref)

    def gates_changed(self) -> list[Wakes]:
        """Which features all gates obey decides what is told of who uses one; nobody is let in or kept out by it."""
        reason, using = WakeReason.GATES_CHANGED, sorted(self._using_features, key=lambda ref: ref.key)
        return [
            _wakes(kind, (ref.key for ref in using if ref.kind == kind), reason, urgent=False)
            for kind in sorted({ref.kind for ref in using})
        ]

    def namespace_changed(self, namespace: str) -> Wakes:
        """Labels of a namespace decide what its contracts may contract."""
        return _wakes("Contract", self.contracts.in_namespace(namespace), WakeReason.NAMESPACE_CHANGED)

    def put_secret(self, old: SecretMetadata | None, new: SecretMetadata | None) -> Wakes:
        """Take in a Secret as it is now, None for one that is gone; returns the clients that it concerns."""
        return _wakes("ApiClient", self.secrets.put(old, new), WakeReason.SECRET_CHANGED)

    def _put_client(self, key: NamespacedName, new: ClientView | None, *, force: bool) -> Iterator[Wakes]:
        old = self.client(key)
        self._replace_client(key, new)
        self.secrets.put_client(key, old, new)
        holds = self.holds.put_client(key, old, new)
        if force or _client_decides(old) != _client_decides(new):
            contracts = map(contract_key, self.contracts.of_client(key))
            yield _wakes("Contract", contracts, WakeReason.CLIENT_CHANGED)
        yield _wakes("ApiClientHold", holds, WakeReason.CLIENT_CHANGED, urgent=False)
        yield _wakes("ApiClient", self.identities.put_client(key, old, new), WakeReason.CLIENT_CHANGED)
        if force:  # what it claims was not known, or is not any more
            waiting = (client for client in self.identities.not_in_force() if client != key)
            yield _wakes("ApiClient", waiting, WakeReason.CLIENT_CHANGED)

    def _replace_client(self, key: NamespacedName, new: ClientView | None) -> None:
        clients = self._clients.setdefault(key[0], {})
        clients.pop(key[1], None)
        if new is not None:
            clients[key[1]] = new
        elif not clients:
            del self._clients[key[0]]

    def _put_issuer(self, key: NamespacedName, new: IssuerView | None) -> Iterator[Wakes]:
        clients, others = self.identities.put_issuer(key[1], new)
        yield _wakes("ApiClient", clients, WakeReason.ISSUER_CHANGED)
        yield _wakes("TokenIssuer", ((key[0], name) for name in others), WakeReason.ISSUER_CHANGED)

    def _put_api(self, key: NamespacedName, new: ApiView | None, *, force: bool) -> Iterator[Wakes]:
        old = self._apis.pop(key, None)
        if new is not None:
            self._apis[key] = new
        if force or _api_decides(old) != _api_decides(new):
            yield _wakes("Contract", self.contracts.of_api(key), WakeReason.API_CHANGED)

    def _put_contract(self, key: NamespacedName, new: ContractView | None) -> Iterator[Wakes]:
        before = self.contracts.get(key)
        change = self.contracts.put(key, new)
        yield from _parties_of(before, new)
        yield from self._approvals_of(key, before, new)
        yield _wakes("Contract", change.rivals, WakeReason.FIRST_CHANGED)
        yield _wakes("Contract", change.room, WakeReason.ROOM)

    def _approvals_of(self, key: NamespacedName, old: ContractView | None, new: ContractView | None) -> Iterator[Wakes]:
        """The approvals that name a contract, where it claims something else than before."""
        if _claims(old) == _claims(new):
            return
        for namespace in dict.fromkeys(view.claim.api[0] for view in (old, new) if view is not None):
            approvals = map(_ruling_key, self.rulings.about(key, namespace))
            yield _wakes("ContractApproval", approvals, WakeReason.CONTRACT_CHANGED)

    def _put_ruling(self, key: NamespacedName, new: Ruling | None) -> Iterator[Wakes]:
        old = self.rulings.get(key)
        if old == new:
            return
        changed = [ruling for ruling in (old, new) if ruling is not None]
        plans = dict.fromkeys(ruling.plan for ruling in changed)
        named = (self.contracts.get(contract) for contract in dict.fromkeys(ruling.contract for ruling in changed))
        contracts = [found for view in named if (found := contract_within_say(view, key[0])) is not None]
        before = [self.rulings.said(contract, plans) for contract in contracts]
        self.rulings.put(key, new)
        for contract, said in zip(contracts, before, strict=True):
            yield from self._hear_of_ruling(key, contract, said, self.rulings.said(contract, plans))

    def _hear_of_ruling(
        self, key: NamespacedName, contract: ContractView, before: Said, after: Said
    ) -> Iterator[Wakes]:
        """The contract, and other approvals that are outvoted, or are not any more: where what decides is other now."""
        reason = WakeReason.APPROVAL_CHANGED
        if (before.readable, before.decisions) != (after.readable, after.decisions):
            yield _wakes("Contract", [contract_key(contract)], reason)
        others = self._others_that_hear(contract, before, after)
        yield _wakes("ContractApproval", (other for other in others if other != key), reason)

    def _others_that_hear(self, contract: ContractView, before: Said, after: Said) -> Iterable[NamespacedName]:
        if before.readable is not after.readable:
            return map(_ruling_key, self.rulings.about(contract_key(contract), contract.claim.api[0]))
        plans = before.rejecting.keys() | after.rejecting.keys()
        differing = [plan for plan in plans if before.rejecting.get(plan) != after.rejecting.get(plan)]
        return chain.from_iterable(self.rulings.approving(contract.claim, plan) for plan in differing)

    def _put_hold(self, key: NamespacedName, new: HoldView | None) -> Iterator[Wakes]:
        change = self.holds.put(key, new)
        yield _wakes("ApiClient", change.clients(self.clients_in(key[0])), WakeReason.HOLD_CHANGED)
        if change.thinned:  # nobody told the others of clients that came or went while there were too many
            yield _wakes("ApiClientHold", self.holds.selecting(key[0]), WakeReason.HOLD_CHANGED, urgent=False)


def _wakes(kind: str, keys: Iterable[NamespacedName], reason: WakeReason, *, urgent: bool = True) -> Wakes:
    return Wakes(kind, tuple(keys), reason, urgent)


def _ruling_key(ruling: Ruling) -> NamespacedName:
    return ruling.namespace, ruling.name


def _client_decides(view: ClientView | None) -> object:
    """What of a client decides about its contracts."""
    if view is None:
        return None
    return view.uid, view.deleting, view.desired_status.requested, view.desired_status.accepted


def _api_decides(view: ApiView | None) -> object:
    """What of an Api decides about its contracts. What a plan covers does not: that is for calls."""
    if view is None:
        return None
    plans = {name: plan.approval for name, plan in view.plans.items()}
    desired = view.desired_status
    return view.uid, view.deleting, desired.requested, desired.accepted, plans, view.consumers


def _claims(view: ContractView | None) -> object:
    """What of a contract decides about its approvals."""
    if view is None:
        return None
    granted = (view.in_force.client_uid, view.in_force.api_uid) if view.in_force is not None else None
    # Its status tells, beside that it is settled, that a client or an Api has come or gone.
    return view.claim, plans_ruled_on(view), granted, view.status, view.settled, view.readable


def _parties_of(old: ContractView | None, new: ContractView | None) -> Iterator[Wakes]:
    """The client and the Api of a contract, where they count it in another way than before.

    A contract in force is urgent for its client: a retirement may be held for it.
    """
    reason = WakeReason.CONTRACT_CHANGED
    for client in dict.fromkeys(client_of(view) for view in (old, new) if view is not None):
        before, after = _counted_for(old, client), _counted_for(new, client)
        if before is not after:
            yield _wakes("ApiClient", [client], reason, urgent=ContractStatusName.ACTIVE in (before, after))
    for api in dict.fromkeys(view.claim.api for view in (old, new) if view is not None):
        if _shown_for(old, api) != _shown_for(new, api):
            yield _wakes("Api", [api], reason, urgent=False)


def _counted_for(view: ContractView | None, client: NamespacedName) -> ContractStatusName | None:
    return view.status if view is not None and client_of(view) == client else None


def _shown_for(view: ContractView | None, api: NamespacedName) -> object:
    if view is None or view.claim.api != api:
        return None
    return view.status, view.waits_for_approval, view.plan, view.claim.client
