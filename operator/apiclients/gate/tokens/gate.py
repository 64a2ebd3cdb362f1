"""What the gate does, without HTTP: whether it may decide at all, and its ways to decide."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from apiclients.gate.state.problems import Problem
from apiclients.gate.state.state import GateState
from apiclients.gate.state.tally import Tally
from apiclients.gate.tokens.acceptance import Acceptance
from apiclients.gate.tokens.assertions import Assertions, ClientAssertion, TokenReviews
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.gate.tokens.foreign import ForeignVerifier, UnknownKeys
from apiclients.gate.tokens.introspection import Introspection
from apiclients.gate.tokens.issuance import ClientCredentials, Issuance
from apiclients.gate.tokens.keystore import KeyStore
from apiclients.gate.tokens.revocation import Revocation, RevocationStore
from apiclients.gate.tokens.trusted import TrustedTokens
from apiclients.lifecycle.access import ClientView


class Evidence(Protocol):
    """Whether what the gate knows may be acted on; :class:`apiclients.gate.state.freshness.Freshness`."""

    def problem(self) -> Problem | None:
        """Why not, or None."""


class Gate:
    """What all endpoints share. ``wall`` is the clock, in seconds since the epoch."""

    def __init__(
        self,
        issuer: str,
        state: GateState,
        keys: KeyStore,
        evidence: Evidence,
        tally: Tally,
        store: RevocationStore,
        reviews: TokenReviews,
        wall: Callable[[], float] = time.time,
        on_unknown_key: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_unknown_key`` hears, not too often, that a token of a trusted issuer named a key that is not known."""
        self.issuer = issuer
        self.access = state.access
        self.keys = keys
        self.tally = tally
        self._evidence = evidence
        self.foreign = ForeignVerifier(issuer, UnknownKeys(on_unknown_key))
        state.on_issuers = self.foreign.use
        trusted = TrustedTokens(issuer, state.relations, state.picture, self.foreign)
        acceptance = Acceptance(issuer, state.picture, keys, trusted, tally, wall, state.revocations)
        self._assertions = Assertions(state.picture, trusted, reviews, self.require_ready, tally, wall)
        self._issuance = Issuance(issuer, state.picture, state.access, keys, tally, wall)
        #: Bound once: they are the hot path.
        self.check, self.call, self.bearer = acceptance.check, acceptance.call, acceptance.bearer
        self.issue = self._issuance.issue
        self._introspection = Introspection(issuer, state.access, acceptance, tally, wall)
        self.revoke = Revocation(acceptance, state.revocations, store, wall).revoke

    def problem(self) -> Problem | None:
        """Why nothing can be decided now, or None (rules 17, 25 and 26)."""
        return self._evidence.problem() if self.keys.ring else Problem.NO_KEYS

    def trouble(self) -> str | None:
        """What people have to know, as a sentence: why nothing can be decided, or what is wrong although it can be."""
        problem = self.problem()
        return problem.sentence if problem is not None else self.keys.warning

    def require_ready(self) -> None:
        """Raise NotReadyError if nothing can be decided now."""
        problem = self.problem()
        if problem is not None:
            raise NotReadyError(problem)

    def authenticate(self, credentials: ClientCredentials) -> ClientView:
        """The client whose secret this is and which may use it now (rule 2). Raises RefusedError and NotReadyError."""
        self.require_ready()
        return self._issuance.authenticate(credentials)

    async def authenticate_by_assertion(self, assertion: ClientAssertion) -> ClientView:
        """The same by a client assertion (RFC 7521). Raises RefusedError and NotReadyError."""
        return await self._assertions.authenticate(assertion)

    def introspect(self, caller: ClientView, token: bytes) -> dict[str, Any]:
        """What the caller may know of a token (RFC 7662 section 2.2; rule 20). Raises NotReadyError."""
        return self._introspection.introspect(caller, token)
