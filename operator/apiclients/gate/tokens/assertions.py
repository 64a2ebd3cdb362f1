"""Client assertions: authenticating a client by a signed token instead of a secret (RFC 7521, RFC 7523).

The decision is ``lifecycle.access.assertion_denial``'s, as that about a secret is ``secret_denial``'s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from apiclients.gate.state.picture import Picture
from apiclients.gate.state.tally import Tally
from apiclients.gate.tokens.errors import RefusedError
from apiclients.gate.tokens.replay import UsedAssertions
from apiclients.gate.tokens.trusted import Asserted, TrustedTokens
from apiclients.lifecycle.access import ClientView, Denial, assertion_denial
from apiclients.lifecycle.revocations import fingerprint

#: The value of client_assertion_type (RFC 7523 section 2.2).
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """What a caller presents. The token stays out of ``repr``, and so out of logs (rule 23)."""

    token: bytes
    #: What the caller says that its client id is; the assertion says so itself (RFC 7521 section 4.2).
    client_id: str | None = None

    def __repr__(self) -> str:
        return f"ClientAssertion({self.client_id!r})"


class TokenReviews(Protocol):
    """Knows whether pods still live; :class:`apiclients.gate.reviewing.TokenReviewer`."""

    async def is_live(self, token: bytes, subject: str, client_uid: str) -> bool:
        """Whether the API server accepts this token of a service account. Raises NotReadyError."""


class Assertions:
    """Authenticates clients. ``require_ready`` raises NotReadyError while nothing can be decided."""

    def __init__(
        self,
        picture: Picture,
        trusted: TrustedTokens,
        reviews: TokenReviews,
        require_ready: Callable[[], None],
        tally: Tally,
        wall: Callable[[], float],
    ) -> None:
        self._picture = picture
        self._trusted = trusted
        self._reviews = reviews
        self._require_ready = require_ready
        self._tally = tally
        self._wall = wall
        self._used = UsedAssertions()

    async def authenticate(self, assertion: ClientAssertion) -> ClientView:
        """The client whose assertion this is and which may use it now. Raises RefusedError and NotReadyError."""
        asserted = self._decide(assertion)
        if asserted.of_cluster:
            if not await self._reviews.is_live(assertion.token, asserted.subject, asserted.client.uid):
                raise RefusedError(Denial.REVIEW_DENIED, asserted.client)
            asserted = self._decide(assertion)  # the review took time, in which the client may have been stopped
        now = self._wall()
        if not asserted.bound:
            self._use_once(asserted, assertion.token, now)
        self._tally.used(asserted.client.uid, now)
        return asserted.client

    def _decide(self, assertion: ClientAssertion) -> Asserted:
        self._require_ready()
        now = self._wall()
        found = self._trusted.asserted(assertion.token, now)
        if not isinstance(found, Asserted):
            raise RefusedError(found)
        client = found.client
        denial = assertion_denial(client, found.claims, now, self._picture.context(client))
        if denial is None and assertion.client_id not in (None, client.client_id):
            denial = Denial.OTHER_CLIENT
        if denial is not None:
            raise RefusedError(denial, client)
        return found

    def _use_once(self, asserted: Asserted, token: bytes, now: float) -> None:
        """Last of all: an assertion that was refused is not used up."""
        client = asserted.client.namespace, asserted.client.name
        denial = self._used.use(_fingerprint(asserted, token), client, asserted.claims.expires, now)
        if denial is not None:
            raise RefusedError(denial, asserted.client)


def _fingerprint(asserted: Asserted, token: bytes) -> bytes:
    """What is the same whenever an assertion is shown again.

    Without a jti it is what was signed, not the signature: of an ECDSA signature there are two for the same.
    """
    kind, what = ("jti", asserted.token_id) if asserted.token_id else ("signed", fingerprint(token))
    return sha256("\0".join((kind, asserted.issuer, asserted.subject, what)).encode()).digest()
