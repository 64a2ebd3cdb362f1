"""Who gets to which Api: contracts, Apis and approvals, joined as they come and go, in whatever order.

What follows from objects alone is worked out when it is first asked for after one of them changed (a :class:`Way`), and
is then one look-up by Api and one by client. No change walks over more than the contracts of one client or one Api.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from apiclients.gate.entries import Ledger, Unreadable, dig, why_unreadable
from apiclients.gate.lean import lean_contract, lean_ruling
from apiclients.gate.replies import Headers
from apiclients.kube.cache import Change
from apiclients.kube.objects import JsonObject, Key
from apiclients.lifecycle.apis import audience
from apiclients.lifecycle.approvals import Ruling, ruling
from apiclients.lifecycle.calls import (
    ApiView,
    CallDenial,
    ContractView,
    Route,
    api_is_retired,
    api_view,
    contract_view,
    counts_as_active,
    route,
)
from apiclients.resources.objects import Api, Contract, ContractApproval

ApiEntry = ApiView | Unreadable
ContractEntry = ContractView | Unreadable
ApprovalEntry = Ruling | Unreadable

#: By name, of one namespace and about one contract.
_Rulings = dict[str, ApprovalEntry]
#: Whose approvals about which contract: only those of the Api's namespace have a say.
_About = tuple[str, str, str]
_NO_RULINGS: _Rulings = {}


@dataclass(frozen=True, slots=True)
class Way:
    """How one client gets to one Api, or why not; with what a gateway is told of the plan."""

    route: Route | CallDenial
    headers: Headers


_REFUSALS = {denial: Way(denial, []) for denial in CallDenial}


class ApiAccess:
    """One Api and who gets to it. It also stands for an Api that is not there, to which nobody gets."""

    def __init__(self, issuer: str, namespace: str, name: str, rulings_of: Callable[[_About], _Rulings]) -> None:
        self.namespace = namespace
        self.name = name
        self.audience = audience(issuer, namespace, name)
        self.view: ApiView | None = None
        #: Calls by verdict, and the last one that was allowed by client, in seconds since the epoch.
        self.allowed = 0
        self.denied = 0
        self.last_use: dict[str, float] = {}
        self._rulings_of = rulings_of
        self._contracts: dict[str, tuple[ContractView, ...]] = {}
        self._active = 0
        self._retired = False
        self._ways: dict[str, Way] = {}
        self._headers: dict[Route, Headers] = {}

    def way(self, client_uid: str) -> Way:
        """How a client gets here, or why not."""
        found = self._ways.get(client_uid)
        return found if found is not None else self._find(client_uid)

    @property
    def in_use(self) -> bool:
        """Whether anything is known of it."""
        return self.view is not None or bool(self._contracts)

    def set_api(self, view: ApiView | None) -> None:
        """The Api as it is now."""
        self.view = view
        if view is None:
            self.allowed = self.denied = 0
        self._headers.clear()
        self._ways.clear()
        self._note_retirement()

    def add(self, client_uid: str, contract: ContractView) -> None:
        """A contract of this client."""
        known = self._contracts.get(client_uid, ())
        self._replace(client_uid, tuple(sorted((*known, contract), key=lambda one: one.claim.name)))

    def remove(self, client_uid: str, contract: ContractView) -> None:
        """It is not one any more."""
        known = self._contracts.get(client_uid, ())
        self._replace(client_uid, tuple(one for one in known if one is not contract))

    def forget(self, client_uid: str) -> None:
        """Something about this client's way has changed."""
        self._ways.pop(client_uid, None)

    def drop_old_uses(self, client_uid: str) -> None:
        """A client without a contract uses none."""
        if client_uid not in self._contracts:
            self.last_use.pop(client_uid, None)

    def contract_uses(self) -> Iterator[tuple[Key, float]]:
        """When each contract was last used."""
        for client_uid, used in self.last_use.items():
            contracts = self._contracts.get(client_uid, ())
            found = next(filter(counts_as_active, contracts), contracts[0] if contracts else None)
            if found is not None:
                yield (found.claim.namespace, found.claim.name), used

    def _replace(self, client_uid: str, contracts: tuple[ContractView, ...]) -> None:
        before = self._contracts.pop(client_uid, ())
        if contracts:
            self._contracts[client_uid] = contracts
        self._active += sum(map(counts_as_active, contracts)) - sum(map(counts_as_active, before))
        self.forget(client_uid)
        self._note_retirement()

    def _note_retirement(self) -> None:
        """Whether a retirement is held depends on how many contracts there are, for all of them at once."""
        retired = self.view is not None and api_is_retired(self.view, self._active)
        if retired is not self._retired:
            self._retired = retired
            self._ways.clear()

    def _find(self, client_uid: str) -> Way:
        contracts = self._contracts.get(client_uid)
        if contracts is None:
            return _REFUSALS[CallDenial.NO_CONTRACT]
        found = self._route(client_uid, contracts)
        way = _REFUSALS[found] if isinstance(found, CallDenial) else Way(found, self._headers_of(found))
        self._ways[client_uid] = way
        return way

    def _route(self, client_uid: str, contracts: tuple[ContractView, ...]) -> Route | CallDenial:
        rulings: list[Ruling] = []
        for contract in contracts:
            for entry in self._rulings_of((self.namespace, contract.claim.namespace, contract.claim.name)).values():
                if isinstance(entry, Unreadable):
                    return CallDenial.NO_CONTRACT  # it may be a rejection
                rulings.append(entry)
        return route(client_uid, contracts, self.view, rulings, self._active)

    def _headers_of(self, found: Route) -> Headers:
        """The same for all contracts under a plan."""
        known = self._headers.get(found)
        if known is None:
            known = self._headers[found] = plan_headers(found)
        return known


def plan_headers(found: Route) -> Headers:
    """What a gateway is told of a plan."""
    headers = [(b"x-client-plan", found.plan.encode())]
    if found.rate_limit is not None:
        requests, seconds = found.rate_limit
        headers += [(b"x-ratelimit-limit", b"%d" % requests), (b"x-ratelimit-window", b"%d" % seconds)]
    return headers


class Routes:
    """All Apis and who gets to them, by ``<namespace>/<name>`` in bytes as it stands in a path."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._by_path: dict[bytes, ApiAccess] = {}
        self._of_client: dict[str, tuple[ContractView, ...]] = {}
        self._contracts: dict[Key, ContractView] = {}
        self._rulings: dict[_About, _Rulings] = {}
        self._listeners: list[Callable[[str], None]] = []
        self.unreadable_apis = Ledger[ApiEntry]("api")
        self.unreadable_contracts = Ledger[ContractEntry]("contract")
        self.unreadable_approvals = Ledger[ApprovalEntry]("contractapproval")

    def listen(self, listener: Callable[[str], None]) -> None:
        """``listener`` hears the UID of every client whose contracts change."""
        self._listeners.append(listener)

    # What requests ask

    def find(self, path: bytes) -> ApiAccess | None:
        """What is known of an Api, by ``<namespace>/<name>``; None if nothing is."""
        return self._by_path.get(path)

    def stranger(self, namespace: str, name: str) -> ApiAccess:
        """An Api of which nothing is known: nobody gets to it."""
        return ApiAccess(self._issuer, namespace, name, self._rulings_of)

    def by_audience(self, text: str) -> ApiAccess | None:
        """What is known of an Api, by its audience."""
        prefix = f"{self._issuer}/apis/"
        return self._by_path.get(text[len(prefix) :].encode()) if text.startswith(prefix) else None

    def of_client(self, client_uid: str) -> list[ApiAccess]:
        """The Apis to which a client has contracts, in the order of their names."""
        paths = {_path(view.claim.api) for view in self._of_client.get(client_uid, ())}
        return [self._by_path[path] for path in sorted(paths)]

    def active_names(self, client_uid: str) -> frozenset[str]:
        """The names of a client's contracts that are in force."""
        contracts = self._of_client.get(client_uid, ())
        return frozenset(view.claim.name for view in contracts if counts_as_active(view))

    def known(self) -> list[ApiAccess]:
        """All Apis of which something is known; a copy."""
        return list(self._by_path.values())

    # What the Reflectors say

    def read_api(self, body: JsonObject) -> ApiEntry:
        """``convert`` of the Reflector of Apis."""
        return api_view(Api.from_object(body))

    def read_contract(self, body: JsonObject) -> ContractEntry:
        """``convert`` of the Reflector of contracts."""
        return lean_contract(contract_view(Contract.from_object(body)))

    def read_approval(self, body: JsonObject) -> ApprovalEntry:
        """``convert`` of the Reflector of approvals."""
        return lean_ruling(ruling(ContractApproval.from_object(body)))

    def read_bad(self, body: JsonObject, error: Exception) -> Unreadable:
        """``on_bad`` of all three."""
        namespace, name = dig(body, "spec", "contract", "namespace"), dig(body, "spec", "contract", "name")
        contract = (namespace, name) if namespace is not None and name is not None else None
        return Unreadable(why_unreadable(error), contract)

    def apply_api(self, change: Change[ApiEntry]) -> None:
        """Take in what the Reflector of Apis says."""
        self.unreadable_apis.note(change, _problem(change.new))
        view = change.new if isinstance(change.new, ApiView) else None
        path = _path(change.key)
        access = self._by_path.get(path)
        if access is None and view is None:
            return
        access = access or self._access(change.key)
        if access.view != view:
            access.set_api(view)
            self._tidy(access)

    def apply_contract(self, change: Change[ContractEntry]) -> None:
        """Take in what the Reflector of contracts says. One that was never in force is of no use to anybody."""
        self.unreadable_contracts.note(change, _problem(change.new))
        old = self._contracts.get(change.key)
        new = change.new if isinstance(change.new, ContractView) and change.new.in_force is not None else None
        if old == new:
            return
        if old is not None:
            del self._contracts[change.key]
            self._leave(old)
        if new is not None:
            self._contracts[change.key] = new
            self._join(new)
        for view in (old, new):
            if view is not None:
                self._concluded(view)

    def apply_approval(self, change: Change[ApprovalEntry]) -> None:
        """Take in what the Reflector of approvals says."""
        self.unreadable_approvals.note(change, _problem(change.new))
        if change.old == change.new:
            return
        namespace, name = change.key
        for entry in (change.old, change.new):
            if entry is not None and entry.contract is not None:
                about = (namespace, *entry.contract)
                self._set_ruling(about, name, entry if entry is change.new else None)
                self._forget_way(entry.contract, namespace)

    # Inside

    def _rulings_of(self, about: _About) -> _Rulings:
        return self._rulings.get(about, _NO_RULINGS)

    def _set_ruling(self, about: _About, name: str, entry: ApprovalEntry | None) -> None:
        known = self._rulings.setdefault(about, {})
        if entry is not None:
            known[name] = entry
        else:
            known.pop(name, None)
        if not known:
            del self._rulings[about]

    def _access(self, key: Key) -> ApiAccess:
        path = _path(key)
        found = self._by_path.get(path)
        if found is None:
            found = self._by_path[path] = ApiAccess(self._issuer, *key, self._rulings_of)
        return found

    def _leave(self, view: ContractView) -> None:
        uid, access = _client_of(view), self._access(view.claim.api)
        access.remove(uid, view)
        others = tuple(one for one in self._of_client.pop(uid) if one is not view)
        if others:
            self._of_client[uid] = others

    def _join(self, view: ContractView) -> None:
        uid, access = _client_of(view), self._access(view.claim.api)
        access.add(uid, view)
        self._of_client[uid] = (*self._of_client.get(uid, ()), view)

    def _concluded(self, view: ContractView) -> None:
        """A contract has left or joined, or both; what nobody needs any more goes."""
        uid, access = _client_of(view), self._access(view.claim.api)
        access.drop_old_uses(uid)
        self._tidy(access)
        for listener in self._listeners:
            listener(uid)

    def _tidy(self, access: ApiAccess) -> None:
        if not access.in_use:
            self._by_path.pop(_path((access.namespace, access.name)), None)

    def _forget_way(self, contract: Key, namespace: str) -> None:
        view = self._contracts.get(contract)
        if view is not None and view.claim.api[0] == namespace:
            self._access(view.claim.api).forget(_client_of(view))


def _path(key: Key) -> bytes:
    return f"{key[0]}/{key[1]}".encode()


def _client_of(view: ContractView) -> str:
    return view.in_force.client_uid if view.in_force is not None else ""


def _problem(entry: object) -> str | None:
    return entry.reason if isinstance(entry, Unreadable) else None
