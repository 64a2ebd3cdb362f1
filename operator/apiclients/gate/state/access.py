"""Who gets to which Api: the routes that follow from contracts, Apis and approvals alone.

A route is resolved when it is first asked for after something changed, and is then one look-up by Api and one by
client. Who belongs to whom is known by ``engine.relations``.
"""

from collections.abc import Iterable, Iterator, Mapping

from apiclients.engine.contract_index import client_of, contract_key
from apiclients.engine.relations import Relations
from apiclients.gate.state.public_urls import PublicUrls
from apiclients.gate.state.tally import ApiUse
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.api_view import Route
from apiclients.lifecycle.apis import audience
from apiclients.lifecycle.calls import CallDenial, api_is_retired, route, route_at
from apiclients.lifecycle.contract_view import ContractView, counts_as_active
from apiclients.resources.refs import NamespacedName, ObjectRef


class ApiAccess:
    """One Api and the routes of clients to it. It also stands for an Api that is not there, to which nobody gets."""

    def __init__(self, issuer: str, key: NamespacedName, relations: Relations, urls: PublicUrls) -> None:
        self.namespace, self.name = key
        self.audience = audience(issuer, *key)
        self.use = ApiUse()
        self._key = key
        self._relations = relations
        self._urls = urls
        self._retired = False
        self._routes: dict[str, Route | CallDenial] = {}

    @property
    def there(self) -> bool:
        """Whether the Api is there."""
        return self._relations.api(self._key) is not None

    @property
    def public_url(self) -> str | None:
        """Where clients call it, if it is told and belongs to it."""
        return self._urls.of(self._key)

    @property
    def audiences(self) -> tuple[str, ...]:
        """What tokens for it name: the first is what the gate asks for."""
        url = self.public_url
        return (self.audience,) if url is None else (self.audience, url)

    def route(self, client: ClientView, now: float) -> Route | CallDenial:
        """How a client gets here now, in seconds since the epoch, or why not."""
        found = self._routes.get(client.uid)
        return route_at(found if found is not None else self._resolve(client), now)

    def api_changed(self) -> None:
        """The Api has changed, and with it what all routes follow from."""
        self._routes.clear()
        self.contracts_changed()
        if not self.there:
            self.use.reset()

    def contracts_changed(self) -> None:
        """Whether a retirement is held depends on how many contracts there are, for all of them at once."""
        view = self._relations.api(self._key)
        retired = view is not None and api_is_retired(view, self._in_force)
        if retired is not self._retired:
            self._retired = retired
            self._routes.clear()

    def forget(self, client_uid: str) -> None:
        """Something that the route of this client follows from has changed."""
        self._routes.pop(client_uid, None)

    def last_used_contract(self, client: ClientView) -> ContractView | None:
        """The contract under which the last call of a client was allowed, while it is there."""
        uid = self.use.contracts.get(client.uid)
        return next((contract for contract in self._contracts(client) if contract.claim.uid == uid), None)

    def rests_on(self, client: ClientView) -> Iterator[ObjectRef]:
        """The objects that the route of a client follows from, besides the client."""
        yield ObjectRef("Api", *self._key)
        contract = _in_force(self._contracts(client))
        if contract is not None:
            yield ObjectRef("Contract", *contract_key(contract))
            for ruling in self._relations.rulings.deciding(contract):
                yield ObjectRef("ContractApproval", ruling.namespace, ruling.name)

    def has_contract(self, client: ClientView) -> bool:
        """Whether any contract of a client names this Api."""
        return bool(self._contracts(client))

    @property
    def _in_force(self) -> int:
        return self._relations.contracts.in_force_count(self._key)

    def _contracts(self, client: ClientView) -> tuple[ContractView, ...]:
        return self._relations.contracts.between((client.namespace, client.name), self._key)

    def _resolve(self, client: ClientView) -> Route | CallDenial:
        contracts = self._contracts(client)
        if not contracts:
            return CallDenial.NO_CONTRACT
        rulings = [ruling for contract in contracts for ruling in self._relations.rulings.deciding(contract)]
        found = route(client.uid, contracts, self._relations.api(self._key), rulings, self._in_force)
        self._routes[client.uid] = found
        contract = _in_force(contracts)
        if contract is not None and isinstance(found, Route):
            self.use.through(client.uid, contract.claim.uid)
        return found


class AccessTable:
    """All Apis of which something is known, by ``<namespace>/<name>`` in bytes as it stands in a path."""

    def __init__(self, issuer: str, relations: Relations) -> None:
        self._issuer = issuer
        self._relations = relations
        self._urls = PublicUrls(issuer)
        self._by_path: dict[bytes, ApiAccess] = {}

    # What requests ask

    def find(self, path: bytes) -> ApiAccess | None:
        """What is known of an Api, by ``<namespace>/<name>``; None if nothing is."""
        return self._by_path.get(path)

    def stranger(self, namespace: str, name: str) -> ApiAccess:
        """An Api of which nothing is known: nobody gets to it."""
        return ApiAccess(self._issuer, (namespace, name), self._relations, self._urls)

    def by_audience(self, text: str) -> ApiAccess | None:
        """What is known of an Api, by its audience."""
        prefix = f"{self._issuer}/apis/"
        return self._by_path.get(text[len(prefix) :].encode()) if text.startswith(prefix) else None

    def by_resource(self, text: str) -> ApiAccess | None:
        """What is known of an Api, by what a client may call it: its audience, or its public URL."""
        owner = self._urls.owner(text)
        return self._by_path.get(_path(owner)) if owner is not None else self.by_audience(text)

    def of_client(self, client: ClientView) -> list[ApiAccess]:
        """The Apis to which a client has contracts, in the order of their names."""
        return [self._by_path[_path(api)] for api in self._relations.contracts.apis_of((client.namespace, client.name))]

    def known(self) -> list[ApiAccess]:
        """All Apis of which something is known; a copy."""
        return list(self._by_path.values())

    def contract_uses(self, clients: Mapping[str, ClientView]) -> Iterator[tuple[ContractView, float]]:
        """Each contract that was used, and when last, in seconds since the epoch; ``clients`` by UID."""
        for access in self.known():
            for uid, used in list(access.use.last_use.items()):
                client = clients.get(uid)
                contract = access.last_used_contract(client) if client is not None else None
                if contract is not None:
                    yield contract, used

    def take_relied_on(self, clients: Mapping[str, ClientView]) -> Iterator[ObjectRef]:
        """What answers about Apis have rested on since the last call, besides clients; ``clients`` by UID."""
        for access in self.known():
            for uid in access.use.take_relied_on():
                client = clients.get(uid)
                if client is not None:
                    yield from access.rests_on(client)

    # What changes

    def api_changed(self, api: NamespacedName) -> None:
        """An Api has come, gone or changed."""
        self._urls.put(api, self._relations.api(api))
        if self._relations.api(api) is not None or _path(api) in self._by_path:
            self._access(api).api_changed()
            self._tidy(api)

    def contract_changed(self, old: ContractView | None, new: ContractView | None) -> None:
        """A contract has come, gone or changed."""
        for view in (old, new):
            if view is not None:
                access = self._access(view.claim.api)
                self._forget(access, view)
                access.contracts_changed()
        for view in (old, new):
            if view is not None:
                self._tidy(view.claim.api)

    def approvals_changed(self, contract: NamespacedName) -> None:
        """What is said about a contract has changed."""
        view = self._relations.contracts.get(contract)
        if view is not None:
            self._forget(self._access(view.claim.api), view)

    def client_gone(self, client: ClientView) -> None:
        """A client has gone, or was made again under another UID."""
        for access in self.of_client(client):
            access.forget(client.uid)
            access.use.forget(client.uid)

    def _forget(self, access: ApiAccess, view: ContractView) -> None:
        client = self._relations.client(client_of(view))
        if client is None:
            return
        access.forget(client.uid)
        if not access.has_contract(client):
            access.use.forget(client.uid)

    def _access(self, api: NamespacedName) -> ApiAccess:
        path = _path(api)
        found = self._by_path.get(path)
        if found is None:
            found = self._by_path[path] = ApiAccess(self._issuer, api, self._relations, self._urls)
        return found

    def _tidy(self, api: NamespacedName) -> None:
        """Forget an Api of which nothing is known any more."""
        if self._relations.api(api) is None and not self._relations.contracts.has_api(api):
            self._by_path.pop(_path(api), None)


def _in_force(contracts: Iterable[ContractView]) -> ContractView | None:
    """Of the contracts of one client for one Api the one that is in force."""
    return next(filter(counts_as_active, contracts), None)


def _path(key: NamespacedName) -> bytes:
    return f"{key[0]}/{key[1]}".encode()
