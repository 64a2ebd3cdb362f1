"""What the gate does, without HTTP: accept a token or a call, authenticate a client, issue a token, introspect one.

Every decision is a call into ``lifecycle.access`` or ``lifecycle.calls``; here the pieces are fetched.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from apiclients.gate.forms import MAX_SECRET_BYTES, ClientCredentials
from apiclients.gate.keystore import KeyStore
from apiclients.gate.picture import Picture
from apiclients.gate.problems import Problem
from apiclients.gate.replies import Headers
from apiclients.gate.routes import ApiAccess, Routes
from apiclients.gate.signing import LoadedRing
from apiclients.gate.tally import Tally
from apiclients.gate.verifier import MAX_TOKEN_BYTES, Fault, InvalidTokenError, VerifiedToken
from apiclients.lifecycle.access import (
    ALONE,
    ClientView,
    CredentialView,
    Denial,
    issue_time,
    may_introspect,
    presented_credential,
    secret_denial,
    token_denial,
    token_end,
)
from apiclients.lifecycle.acknowledgement import ClientWish
from apiclients.lifecycle.calls import CallDenial, Route, call_scopes, issued_scopes
from apiclients.resources.apiclient import DesiredStatus, ObservedStatus

#: Entropy of ``jti`` in bytes; it has to be unique, not secret.
_TOKEN_ID_BYTES = 16

#: What a caller who presented a right secret is told. A stranger learns nothing of a client (rule 15 in spirit).
_HINTS = {
    Denial.SUSPENDED: "The client is suspended.",
    Denial.HELD: "The client is stopped by a hold.",
    Denial.RETIRED: "The client is retired.",
    Denial.DELETING: "The client is being deleted.",
    Denial.PENDING: "The client is not ready yet.",
    Denial.SECRET_EXPIRED: "The secret has expired; use the current one.",
}


#: Stands for every client that is not there, so that asking for one takes the same work. Nothing matches its digest.
_NOBODY = ClientView(
    namespace="",
    name="",
    uid="",
    client_id="",
    wish=ClientWish(DesiredStatus.RETIRED, frozenset(), None, 0),
    labels={},
    observed=ObservedStatus.RETIRED,
    deleting=True,
    token_seconds=0,
    spec_not_before=None,
    not_before=None,
    current_expires=None,
    credentials=(CredentialView(0, "", "", 0),),
)


class Evidence(Protocol):
    """Whether what the gate knows may be acted on; :class:`apiclients.gate.freshness.Freshness`."""

    def problem(self) -> Problem | None:
        """Why not, or None."""


class NotReadyError(Exception):
    """Nothing can be decided now."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class RefusedError(Exception):
    """A caller is refused."""

    def __init__(self, reason: Denial) -> None:
        super().__init__(reason.value)
        self.reason = reason

    @property
    def hint(self) -> str:
        """What the caller may be told beyond the refusal: something only after a right secret."""
        return _HINTS.get(self.reason, "")


class GrantError(Exception):
    """What an authenticated client asks for cannot be granted; an error of RFC 6749 or RFC 8707, and why."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


@dataclass(slots=True)
class Accepted:
    """A token that is good now, and until when by the clock. Not frozen: one is made on every request."""

    token: VerifiedToken
    client: ClientView
    expires: int


@dataclass(slots=True)
class Passed:
    """A call that may go to its Api, with the scopes of the token that the plan covers. Not frozen: as above."""

    accepted: Accepted
    headers: Headers
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issued:
    """A new access token."""

    token: str
    expires_in: int
    scope: str


class Gate:
    """What all endpoints share. ``wall`` is the clock, in seconds since the epoch."""

    def __init__(
        self,
        issuer: str,
        picture: Picture,
        routes: Routes,
        keys: KeyStore,
        evidence: Evidence,
        tally: Tally,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.picture = picture
        self.routes = routes
        self.keys = keys
        self.tally = tally
        self._evidence = evidence
        self._wall = wall
        self._by_uid = picture.by_uid
        self._besides = picture.besides

    def problem(self) -> Problem | None:
        """Why nothing can be decided now, or None (rules 17, 25 and 26)."""
        return self._evidence.problem() if self.keys.ring else Problem.NO_KEYS

    @property
    def _ring(self) -> LoadedRing:
        if self.keys.ring is None:
            raise NotReadyError(Problem.NO_KEYS)
        return self.keys.ring

    def require_ready(self) -> None:
        """Raise NotReadyError if nothing can be decided now."""
        problem = self.problem()
        if problem is not None:
            raise NotReadyError(problem)

    def check(self, token: bytes) -> Accepted | Fault | Denial | CallDenial:
        """Whether a token for this issuer is good now; an accepted one is noted as a use of its client."""
        now = self._wall()
        verdict = self._accept(token, now)
        if not isinstance(verdict, Accepted):
            return verdict
        if not verdict.token.is_for(self.issuer):
            return CallDenial.WRONG_AUDIENCE
        self.tally.used(verdict.client.uid, now)
        return verdict

    def call(self, token: bytes, api: ApiAccess, required: tuple[str, ...]) -> Passed | Fault | Denial | CallDenial:
        """Whether a token may call an Api now (rule 1); what passes is noted as a use of client and contract."""
        now = self._wall()
        verdict = self._accept(token, now)
        if not isinstance(verdict, Accepted):
            return verdict
        said, uid = verdict.token, verdict.client.uid
        if not said.is_for(api.audience):
            return CallDenial.WRONG_AUDIENCE
        way = api.way(uid)
        scopes = call_scopes(way.route, said.scopes, required)
        if isinstance(scopes, CallDenial):
            return scopes
        api.last_use[uid] = now
        self.tally.used(uid, now)
        return Passed(verdict, way.headers, scopes)

    def _accept(self, token: bytes, now: float) -> Accepted | Fault | Denial:
        """The token, or why it is refused, whatever it is for (rule 1)."""
        if self.keys.verifier is None:
            raise NotReadyError(Problem.NO_KEYS)
        try:
            verified = self.keys.verifier.verify(token)
        except InvalidTokenError as error:
            return error.fault
        uid = verified.claims.uid
        client = self._by_uid.get(uid)
        denial = token_denial(client, verified.claims, now, self._besides.get(uid, ALONE))
        if denial is not None or client is None:
            return denial or Denial.UNKNOWN_CLIENT
        return Accepted(verified, client, token_end(client, verified.claims))

    def authenticate(self, credentials: ClientCredentials) -> ClientView:
        """The client whose secret this is and which may use it now (rule 2). Raises RefusedError.

        Whether the id is unknown or the secret wrong can be told neither by the answer nor by the work that it takes.
        """
        self.require_ready()
        secret = credentials.secret if len(credentials.secret) <= MAX_SECRET_BYTES else b""
        digests = self._ring.digests(secret)
        client, now = self.picture.by_client_id.get(credentials.client_id, _NOBODY), self._wall()
        denial = secret_denial(client, digests, now, self._besides.get(client.uid, ALONE))
        credential = presented_credential(client, digests)
        if client is _NOBODY:
            raise RefusedError(Denial.UNKNOWN_CLIENT)
        if denial is not None or credential is None:
            raise RefusedError(denial or Denial.WRONG_SECRET)
        self.tally.used_credential(client.uid, credential.id, now)
        return client

    def issue(
        self, client: ClientView, resources: tuple[str, ...] = (), wanted: tuple[str, ...] | None = None
    ) -> Issued:
        """An access token for an authenticated client (RFC 9068 section 2.2). Raises GrantError.

        It is for these resources (RFC 8707), or for the issuer and all Apis that the client may call now; with these
        scopes, or all that the plans cover. ``scope`` is always in it: empty says that the token carries none, which no
        verifier can mistake.
        """
        targets = self._targets(client, resources)
        scopes = issued_scopes(targets.values(), wanted)
        if scopes is None:
            raise GrantError("invalid_scope", "A scope is not covered by the plans of these resources.")
        now = self._wall()
        issued, scope = issue_time(client, now), " ".join(scopes)
        claims = {
            "iss": self.issuer,
            "sub": client.client_id,
            "aud": _audience(targets if resources else (self.issuer, *targets)),
            "exp": issued + client.token_seconds,
            "iat": issued,
            "jti": secrets.token_urlsafe(_TOKEN_ID_BYTES),
            "client_id": client.client_id,
            "uid": client.uid,
            "scope": scope,
        }
        token = self._ring.sign(claims, now)
        if len(token) > MAX_TOKEN_BYTES:
            raise GrantError("invalid_target", "The token would be too large: ask for fewer APIs, by resource.")
        return Issued(token, client.token_seconds, scope)

    def _targets(self, client: ClientView, resources: tuple[str, ...]) -> dict[str, Route]:
        """Routes by audience. One that is not there, not contracted or retired reads the same (rule 15)."""
        if not resources:
            ways = ((api.audience, api.way(client.uid).route) for api in self.routes.of_client(client.uid))
            return {audience: found for audience, found in ways if isinstance(found, Route)}
        targets = {}
        for resource in resources:
            api = self.routes.by_audience(resource)
            found = api.way(client.uid).route if api is not None else None
            if not isinstance(found, Route):
                raise GrantError("invalid_target", "The client has no active contract for one of these resources.")
            targets[resource] = found
        return targets

    def introspect(self, caller: ClientView, token: bytes) -> dict[str, Any]:
        """What the caller may know of a token (RFC 7662 section 2.2; rule 20).

        Of another client's token it learns what concerns the Apis of its namespace: those that may be called with it
        now, and under which scopes. So who trusts an introspection trusts contracts, too.
        """
        verdict = self._accept(token, self._wall())
        if not isinstance(verdict, Accepted):
            return {"active": False}
        said, own = verdict.token, caller.uid == verdict.client.uid
        here = {} if own else self._callable(verdict, caller.namespace)
        if not may_introspect(caller, verdict.client, {api.namespace for api in here}):
            return {"active": False}
        scopes = [scope for scope in said.scopes if own or any(scope in covered for covered in here.values())]
        return {
            "active": True,
            "client_id": said.client_id,
            "sub": said.subject,
            "aud": said.audience if own else _audience([api.audience for api in here]),
            "iss": self.issuer,
            "iat": said.claims.issued_at,
            "exp": verdict.expires,
            "jti": said.token_id,
            "scope": " ".join(scopes),
            "token_type": "Bearer",
        }

    def _callable(self, verdict: Accepted, namespace: str) -> dict[ApiAccess, tuple[str, ...]]:
        """The Apis of a namespace that may be called with a token now, and under which scopes."""
        said = verdict.token
        audiences = (said.audience,) if isinstance(said.audience, str) else said.audience
        found = (self.routes.by_audience(one) for one in audiences)
        here = (api for api in found if api is not None and api.namespace == namespace)
        passes = ((api, call_scopes(api.way(verdict.client.uid).route, said.scopes)) for api in here)
        return {api: scopes for api, scopes in passes if not isinstance(scopes, CallDenial)}


def _audience(audiences: Iterable[str]) -> str | list[str]:
    """One is a string (RFC 7519 section 4.1.3)."""
    found = list(audiences)
    return found[0] if len(found) == 1 else found
