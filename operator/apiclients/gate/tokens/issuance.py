"""Issuing tokens: the client credentials grant (RFC 6749 section 4.4) with resource indicators (RFC 8707)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from apiclients.gate.state.access import AccessTable
from apiclients.gate.state.picture import Picture
from apiclients.gate.state.tally import Tally
from apiclients.gate.tokens.claims import audience_claim
from apiclients.gate.tokens.errors import GrantError, RefusedError
from apiclients.gate.tokens.keystore import KeyStore
from apiclients.gate.tokens.verifier import MAX_TOKEN_BYTES
from apiclients.lifecycle.access import (
    ClientView,
    CredentialView,
    Denial,
    issue_time,
    presented_credential,
    secret_denial,
)
from apiclients.lifecycle.acknowledgement import ClientDesiredStatus
from apiclients.lifecycle.api_view import Route
from apiclients.lifecycle.calls import issued_for, issued_scopes
from apiclients.resources.apiclient import DesiredStatus, ObservedStatus

#: No secret of ours is longer; a longer one costs no digest.
MAX_SECRET_BYTES = 512
#: Entropy of ``jti`` in bytes; it has to be unique, not secret.
_TOKEN_ID_BYTES = 16

#: Stands for every client that is not there, so that asking for one takes the same work. Nothing matches its digest.
_NOBODY = ClientView(
    namespace="",
    name="",
    uid="",
    client_id="",
    desired_status=ClientDesiredStatus(DesiredStatus.RETIRED, frozenset(), None, 0),
    labels={},
    observed=ObservedStatus.RETIRED,
    deleting=True,
    token_seconds=0,
    spec_not_before=None,
    revoked_before=None,
    not_before=None,
    current_expires=None,
    credentials=(CredentialView(0, "", "", 0, 0),),
)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a caller presents. The secret stays out of ``repr``, and so out of logs (rule 23)."""

    client_id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"ClientCredentials({self.client_id!r})"


@dataclass(frozen=True, slots=True)
class Issued:
    """A new access token."""

    token: str
    expires_in: int
    scope: str


class Issuance:
    """Authenticates clients and issues their tokens."""

    def __init__(
        self,
        issuer: str,
        picture: Picture,
        access: AccessTable,
        keys: KeyStore,
        tally: Tally,
        wall: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._picture = picture
        self._access = access
        self._keys = keys
        self._tally = tally
        self._wall = wall

    def authenticate(self, credentials: ClientCredentials) -> ClientView:
        """The client whose secret this is and which may use it now (rule 2). Raises RefusedError and NotReadyError.

        Whether the id is unknown or the secret wrong can be told neither by the answer nor by the work that it takes.
        """
        secret = credentials.secret if len(credentials.secret) <= MAX_SECRET_BYTES else b""
        digests = self._keys.loaded.digests(secret)
        client, now = self._picture.by_client_id.get(credentials.client_id, _NOBODY), self._wall()
        denial = secret_denial(client, digests, now, self._picture.context(client))
        credential = presented_credential(client, digests)
        if client is _NOBODY:
            raise RefusedError(Denial.UNKNOWN_CLIENT)
        if denial is not None or credential is None:
            raise RefusedError(denial or Denial.WRONG_SECRET, client)
        self._tally.used_credential(client.uid, credential.id, now)
        return client

    def issue(
        self, client: ClientView, resources: tuple[str, ...] = (), wanted: tuple[str, ...] | None = None
    ) -> Issued:
        """An access token for an authenticated client (RFC 9068 section 2.2). Raises GrantError and NotReadyError.

        It is for these resources (RFC 8707), of which the issuer is one, or for the issuer and all Apis that the client
        may call now; with these scopes, or all that the plans cover. ``scope`` is always in it: empty says that the
        token carries none, which no verifier can mistake.
        """
        now = self._wall()
        targets = self._targets(client, resources, now)
        routes = [route for route in targets.values() if route is not None]
        scopes = issued_scopes(routes, wanted)
        if scopes is None:
            raise GrantError("invalid_scope", "A scope is not covered by the plans of these resources.")
        issued, scope = issued_for(routes, issue_time(client, now)), " ".join(scopes)
        claims = {
            "iss": self._issuer,
            "sub": client.client_id,
            "aud": audience_claim(targets),
            "exp": issued + client.token_seconds,
            "iat": issued,
            "jti": secrets.token_urlsafe(_TOKEN_ID_BYTES),
            "client_id": client.client_id,
            "uid": client.uid,
            "scope": scope,
        }
        token = self._keys.loaded.sign(claims, now)
        if len(token) > MAX_TOKEN_BYTES:
            raise GrantError("invalid_target", "The token would be too large: ask for fewer APIs, by resource.")
        return Issued(token, client.token_seconds, scope)

    def _targets(self, client: ClientView, resources: tuple[str, ...], now: float) -> dict[str, Route | None]:
        """Routes by audience; there is none to the issuer. Raises GrantError.

        An Api that is not there, not contracted or retired reads the same (rule 15).
        """
        if not resources:
            found: dict[str, Route | None] = {self._issuer: None}
            for api in self._access.of_client(client):
                route = api.route(client, now)
                if isinstance(route, Route):
                    api.use.relied_on(client.uid)
                    found |= dict.fromkeys(api.audiences, route)
            return found
        targets: dict[str, Route | None] = {}
        for resource in resources:
            targets |= self._target(client, resource, now)
        return targets

    def _target(self, client: ClientView, resource: str, now: float) -> dict[str, Route | None]:
        if resource == self._issuer:
            return {self._issuer: None}
        api = self._access.by_resource(resource)
        route = api.route(client, now) if api is not None else None
        if api is None or not isinstance(route, Route):
            raise GrantError("invalid_target", "The client has no active contract for one of these resources.")
        api.use.relied_on(client.uid)
        return dict.fromkeys(api.audiences, route)
