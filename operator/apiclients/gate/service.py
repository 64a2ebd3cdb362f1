"""What the gate does, without HTTP: accept a token, authenticate a client, issue a token, introspect one.

Every decision is a call into ``lifecycle.access``; here the pieces are fetched and the outcome is counted.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from apiclients.gate.forms import MAX_SECRET_BYTES, ClientCredentials
from apiclients.gate.keystore import KeyStore
from apiclients.gate.picture import Picture
from apiclients.gate.problems import Problem
from apiclients.gate.signing import LoadedRing
from apiclients.gate.tally import Tally
from apiclients.gate.verifier import Fault, InvalidTokenError, VerifiedToken
from apiclients.lifecycle.access import (
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


@dataclass(frozen=True, slots=True)
class Accepted:
    """A token that is good now, and until when by the clock."""

    token: VerifiedToken
    client: ClientView
    expires: int


@dataclass(frozen=True, slots=True)
class Issued:
    """A new access token."""

    token: str
    expires_in: int


class Gate:
    """What all endpoints share. ``wall`` is the clock, in seconds since the epoch."""

    def __init__(
        self,
        issuer: str,
        picture: Picture,
        keys: KeyStore,
        evidence: Evidence,
        tally: Tally,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.picture = picture
        self.keys = keys
        self.tally = tally
        self._evidence = evidence
        self._wall = wall
        self._by_uid = picture.by_uid

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

    def check(self, token: bytes) -> Accepted | Fault | Denial:
        """Whether a token is good now; an accepted one is noted as a use of its client."""
        now = self._wall()
        verdict = self._accept(token, now)
        if isinstance(verdict, Accepted):
            self.tally.used(verdict.client.uid, now)
        return verdict

    def _accept(self, token: bytes, now: float) -> Accepted | Fault | Denial:
        """The token, or why it is refused (rule 1)."""
        if self.keys.verifier is None:
            raise NotReadyError(Problem.NO_KEYS)
        try:
            verified = self.keys.verifier.verify(token)
        except InvalidTokenError as error:
            return error.fault
        client = self._by_uid.get(verified.claims.uid)
        denial = token_denial(client, verified.claims, now)
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
        denial = secret_denial(client, digests, now)
        credential = presented_credential(client, digests)
        if client is _NOBODY:
            raise RefusedError(Denial.UNKNOWN_CLIENT)
        if denial is not None or credential is None:
            raise RefusedError(denial or Denial.WRONG_SECRET)
        self.tally.used_credential(client.uid, credential.id, now)
        return client

    def issue(self, client: ClientView) -> Issued:
        """An access token for an authenticated client (RFC 9068 section 2.2).

        ``scope`` is always there: empty says that the token carries none, which no verifier can mistake.
        """
        now = self._wall()
        issued = issue_time(client, now)
        claims = {
            "iss": self.issuer,
            "sub": client.client_id,
            "aud": self.issuer,
            "exp": issued + client.token_seconds,
            "iat": issued,
            "jti": secrets.token_urlsafe(_TOKEN_ID_BYTES),
            "client_id": client.client_id,
            "uid": client.uid,
            "scope": "",
        }
        return Issued(self._ring.sign(claims, now), client.token_seconds)

    def introspect(self, caller: ClientView, token: bytes) -> dict[str, Any]:
        """What the caller may know of a token (RFC 7662 section 2.2; rule 20)."""
        verdict = self._accept(token, self._wall())
        if not isinstance(verdict, Accepted) or not may_introspect(caller, verdict.client):
            return {"active": False}
        said = verdict.token
        return {
            "active": True,
            "client_id": said.client_id,
            "sub": said.subject,
            "aud": said.audience,
            "iss": self.issuer,
            "iat": said.claims.issued_at,
            "exp": verdict.expires,
            "jti": said.token_id,
            "scope": said.scope,
            "token_type": "Bearer",
        }
