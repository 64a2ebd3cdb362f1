"""A gate without HTTP and watches: the same decisions on views of what the API server holds this moment."""

from __future__ import annotations

import base64
from typing import Any

from apiclients.lifecycle.access import (
    ClientContext,
    ClientView,
    TokenClaims,
    client_view,
    issue_time,
    secret_denial,
    token_denial,
)
from apiclients.lifecycle.api_view import api_view
from apiclients.lifecycle.approvals import ruling
from apiclients.lifecycle.calls import CallDenial, route
from apiclients.lifecycle.contract_view import ContractView, contract_view, counts_as_active
from apiclients.lifecycle.digests import digest
from apiclients.lifecycle.holds import hold_view, matches
from apiclients.resources.names import CLIENT_SECRET_KEY
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval
from apiclients.resources.refs import NamespacedName
from tests.model.api_server import ApiServer
from tests.model.control_plane import PEPPER

_ANSWERS = {CallDenial.NO_CONTRACT: "403", CallDenial.API_RETIRED: "410"}


class GateView:
    """What a gate makes of everything that is there now."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._now = server.now.timestamp()
        self._clients = {v.uid: v for v in (client_view(ApiClient.from_object(o)) for o in server.list("apiclients"))}
        self._contracts = [contract_view(Contract.from_object(o)) for o in server.list("contracts")]
        self._rulings = [ruling(ContractApproval.from_object(o)) for o in server.list("contractapprovals")]
        self._holds = [hold_view(ApiClientHold.from_object(o)) for o in server.list("apiclientholds")]
        self._apis = {(v.namespace, v.name): v for v in (api_view(Api.from_object(o)) for o in server.list("apis"))}

    def client(self, key: NamespacedName) -> ClientView:
        return next(view for view in self._clients.values() if (view.namespace, view.name) == key)

    def accepts(self, token: TokenClaims) -> bool:
        client = self._clients.get(token.uid)
        context = self._merged(client) if client is not None else ClientContext()
        return token_denial(client, token, self._now, context) is None

    def log_in(self, key: NamespacedName) -> TokenClaims | None:
        """A token for the secret that lies in the client's Secret, or None."""
        client, secret = self.client(key), self._server.objects.get(("secrets", (key[0], f"{key[1]}-credentials")))
        if secret is None:
            return None
        presented = base64.b64decode(secret["data"][CLIENT_SECRET_KEY])
        if secret_denial(client, {PEPPER.id: digest(PEPPER, presented)}, self._now, self._merged(client)) is not None:
            return None
        issued = issue_time(client, self._now)
        return TokenClaims(client.uid, issued, issued + client.token_seconds)

    def answer(self, key: NamespacedName, api: NamespacedName) -> str:
        """What a call with a good token gets: the plan, or 403 or 410."""
        uid = self.client(key).uid
        between = [c for c in self._contracts if _client_of(c) == uid and c.claim.api == api]
        names = {(c.claim.namespace, c.claim.name) for c in between}
        rulings = [ruling for ruling in self._rulings if ruling.contract in names]
        active = sum(counts_as_active(c) for c in self._contracts if c.claim.api == api)
        found: Any = route(uid, between, self._apis.get(api), rulings, active)
        return _ANSWERS[found] if isinstance(found, CallDenial) else str(found.plan)

    def _merged(self, client: ClientView) -> ClientContext:
        mine = [c for c in self._contracts if _client_of(c) == client.uid and counts_as_active(c)]
        return ClientContext(
            holds=tuple(h for h in self._holds if matches(h, client.namespace, client.name, client.labels)),
            active_contracts=frozenset(c.claim.name for c in mine),
        )


def _client_of(contract: ContractView) -> str | None:
    return contract.in_force.client_uid if contract.in_force is not None else None
