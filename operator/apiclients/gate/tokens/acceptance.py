"""Accepting tokens and calls: the hot path. Every decision is ``lifecycle.access``'s or ``lifecycle.calls``'s."""

from collections.abc import Callable, Container
from dataclasses import dataclass

from apiclients.gate.state.access import ApiAccess
from apiclients.gate.state.picture import Picture
from apiclients.gate.state.problems import Problem
from apiclients.gate.state.tally import Tally
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.gate.tokens.keystore import KeyStore
from apiclients.gate.tokens.trusted import TrustedTokens, Whose
from apiclients.gate.tokens.verifier import Fault, InvalidTokenError, VerifiedToken
from apiclients.lifecycle.access import NO_CONTEXT, ClientView, Denial, token_denial, token_end
from apiclients.lifecycle.api_view import Route
from apiclients.lifecycle.calls import CallDenial, call_scopes, without_audience


@dataclass(slots=True)
class Accepted:
    """A token that is good now, and until when by the clock. Not frozen: one is made on every request."""

    token: VerifiedToken
    client: ClientView
    expires: int


@dataclass(slots=True)
class Passed:
    """A call that may go to its Api: under which plan, with the scopes that it covers. Not frozen: as above."""

    accepted: Accepted
    route: Route
    scopes: tuple[str, ...]


class Acceptance:
    """Decides about presented tokens."""

    def __init__(
        self,
        issuer: str,
        picture: Picture,
        keys: KeyStore,
        trusted: TrustedTokens,
        tally: Tally,
        wall: Callable[[], float],
        revoked: Container[str],
    ) -> None:
        """``revoked`` holds the fingerprints of the tokens that were revoked one by one."""
        self._issuer = issuer
        self._trusted = trusted
        self._keys = keys
        self._tally = tally
        self._wall = wall
        self._by_uid = picture.by_uid
        self._context = picture.context
        self._revoked = revoked

    def check(self, token: bytes) -> Accepted | Fault | Denial | CallDenial:
        """Whether a token for this issuer is good now; an accepted one is noted as a use of its client.

        Raises NotReadyError.
        """
        now = self._wall()
        accepted = self.accept(token, now)
        if not isinstance(accepted, Accepted):
            return accepted
        if not accepted.token.is_for(self._issuer):
            return CallDenial.WRONG_AUDIENCE
        self._tally.used(accepted.client.uid, now)
        self._tally.relied_on_token(accepted.client.uid, accepted.token.claims.fingerprint)
        return accepted

    def call(self, token: bytes, api: ApiAccess, required: tuple[str, ...]) -> Passed | Fault | Denial | CallDenial:
        """Whether a token may call an Api now (rule 1); what passes is noted as a use of client and contract.

        Raises NotReadyError.
        """
        now = self._wall()
        accepted = self.accept(token, now)
        if not isinstance(accepted, Accepted):
            return accepted
        verified, client = accepted.token, accepted.client
        route = api.route(client, now)
        if not verified.is_for(api.audience):
            return without_audience(route)
        if isinstance(route, CallDenial):
            return route
        scopes = call_scopes(route, verified.claims.issued_at, verified.scopes, required)
        if isinstance(scopes, CallDenial):
            return scopes
        api.use.used(client.uid, now)
        self._tally.used(client.uid, now)
        self._tally.relied_on_token(client.uid, verified.claims.fingerprint)
        return Passed(accepted, route, scopes)

    def bearer(self, token: bytes) -> VerifiedToken | None:
        """Whose token was refused, if its signature is good: what nobody has signed says nothing."""
        found = self.signed(token)
        return found if isinstance(found, VerifiedToken) else None

    def signed(self, token: bytes) -> VerifiedToken | Fault | None:
        """What a token says, good now or not; else what is wrong with it, None if it is nobody's."""
        if self._keys.verifier is None:
            return None
        try:
            return self._keys.verifier.verify(token)
        except InvalidTokenError as error:
            return self._trusted.signed(token) if error.fault is Fault.UNKNOWN_HEADER else error.fault

    def accept(self, token: bytes, now: float) -> Accepted | Fault | Denial:
        """The token, or why it is refused, whatever it is for (rule 1). Raises NotReadyError."""
        if self._keys.verifier is None:
            raise NotReadyError(Problem.NO_KEYS)
        try:
            verified = self._keys.verifier.verify(token)
        except InvalidTokenError as error:
            if error.fault is not Fault.UNKNOWN_HEADER or not self._trusted:
                return error.fault
            return self._accept_trusted(token, now)
        uid = verified.claims.uid
        client = self._by_uid.get(uid)
        context = self._context(client) if client is not None else NO_CONTEXT
        denial = token_denial(client, verified.claims, now, context, self._revoked)
        if denial is not None or client is None:
            return denial or Denial.UNKNOWN_CLIENT
        return Accepted(verified, client, token_end(client, verified.claims))

    def _accept_trusted(self, token: bytes, now: float) -> Accepted | Fault | Denial:
        """The same of a token that may be a trusted issuer's: once it has a client, every rule is the same."""
        found = self._trusted.read(token, now)
        if not isinstance(found, Whose):
            return found
        client, verified = found.client, found.token
        denial = token_denial(client, verified.claims, now, self._context(client), self._revoked)
        return denial or Accepted(verified, client, token_end(client, verified.claims))
