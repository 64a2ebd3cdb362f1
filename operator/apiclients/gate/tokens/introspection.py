"""Introspection (RFC 7662): what a caller may know of a token."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from apiclients.gate.state.access import AccessTable, ApiAccess
from apiclients.gate.state.tally import Tally
from apiclients.gate.tokens.acceptance import Acceptance, Accepted
from apiclients.gate.tokens.claims import audience_claim
from apiclients.gate.tokens.verifier import VerifiedToken
from apiclients.lifecycle.access import ClientView, may_introspect
from apiclients.lifecycle.calls import CallDenial, call_scopes


class Introspection:
    """Answers authenticated clients."""

    def __init__(
        self, issuer: str, access: AccessTable, acceptance: Acceptance, tally: Tally, wall: Callable[[], float]
    ) -> None:
        self._issuer = issuer
        self._access = access
        self._acceptance = acceptance
        self._tally = tally
        self._wall = wall

    def introspect(self, caller: ClientView, token: bytes) -> dict[str, Any]:
        """What the caller may know of a token (RFC 7662 section 2.2; rule 20).

        Of another client's token it learns what concerns the Apis of its namespace: those that may be called with it
        now, and under which scopes. So who trusts an introspection trusts contracts, too. Raises NotReadyError.
        """
        now = self._wall()
        accepted = self._acceptance.accept(token, now)
        if not isinstance(accepted, Accepted):
            return {"active": False}
        verified, own = accepted.token, caller.uid == accepted.client.uid
        here = {} if own else self._callable(accepted, caller.namespace, now)
        if not may_introspect(caller, accepted.client, {api.namespace for api in here}):
            return {"active": False}
        self._note_relied_on(accepted, here)
        foreign = verified.foreign
        own_audience = verified.audience if foreign is None else audience_claim(foreign.audiences)
        answer: dict[str, Any] = {
            "active": True,
            "client_id": verified.client_id,
            "sub": verified.subject,
            "aud": own_audience if own else audience_claim(_audiences(verified, here)),
            "iss": self._issuer if foreign is None else foreign.issuer,
            "iat": verified.claims.issued_at,
            "exp": accepted.expires,
            "jti": verified.token_id,
            "scope": " ".join(_scopes(verified, None if own else here.values())),
            "token_type": "Bearer",
        }
        return answer if verified.token_id else {name: value for name, value in answer.items() if name != "jti"}

    def _note_relied_on(self, accepted: Accepted, apis: Iterable[ApiAccess]) -> None:
        client_uid = accepted.client.uid
        self._tally.relied_on(client_uid)
        self._tally.relied_on_token(client_uid, accepted.token.claims.fingerprint)
        for api in apis:
            api.use.relied_on(client_uid)

    def _callable(self, accepted: Accepted, namespace: str, now: float) -> dict[ApiAccess, tuple[str, ...]]:
        """The Apis of a namespace that may be called with a token now, and under which scopes."""
        verified = accepted.token
        if verified.foreign is not None and verified.foreign.everywhere:
            found = iter(self._access.of_client(accepted.client))
        else:
            audiences = (verified.audience,) if isinstance(verified.audience, str) else verified.audience
            found = (api for one in audiences if (api := self._access.by_audience(one)) is not None)
        here = (api for api in found if api.namespace == namespace)
        issued = verified.claims.issued_at
        covered = ((api, call_scopes(api.route(accepted.client, now), issued, verified.scopes)) for api in here)
        return {api: scopes for api, scopes in covered if not isinstance(scopes, CallDenial)}


def _audiences(verified: VerifiedToken, apis: Iterable[ApiAccess]) -> list[str]:
    """What a token names of these Apis: the audience, and the public URL of one that has it."""
    return [audience for api in apis for audience in api.audiences if verified.is_for(audience)]


def _scopes(verified: VerifiedToken, covered: Collection[tuple[str, ...]] | None) -> list[str]:
    """The scopes of a token that these Apis cover; None for its own client, who is told all that the token has."""
    if verified.scopes is None:
        return sorted({scope for scopes in covered or () for scope in scopes})
    return [one for one in verified.scopes if covered is None or any(one in scopes for scopes in covered)]
