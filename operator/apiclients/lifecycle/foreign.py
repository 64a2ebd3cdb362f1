"""Whether a token of another issuer counts now, before anything is asked about its client (DESIGN rule 29)."""

from dataclasses import dataclass

from apiclients.lifecycle.access import ClientView, Denial, TokenClaims
from apiclients.lifecycle.issuers import IssuerView

#: By how much the clock of an issuer may be ahead, in seconds.
CLOCK_LEEWAY = 30


@dataclass(frozen=True, slots=True)
class ForeignClaims:
    """What a token says whose signature, issuer, type and audience are right. Times are seconds since the epoch."""

    subject: str
    issued_at: int
    expires: int
    #: The claim nbf; 0 where there is none.
    not_before: int = 0
    #: Names the TokenRevocation that would refuse it.
    fingerprint: str = ""


def has_keys(issuer: IssuerView, now: float) -> bool:
    """Whether the keys of an issuer still count. Otherwise nothing can be said of its tokens (rule 31)."""
    return now < issuer.keys_end


def foreign_denial(claims: ForeignClaims, now: float) -> Denial | None:
    """Why a token is refused whoever it is for, or None. One from the future would outlive a notBefore."""
    if max(claims.issued_at, claims.not_before) > now + CLOCK_LEEWAY:
        return Denial.TOKEN_NOT_YET_VALID
    return None


def claims_for(client: ClientView, claims: ForeignClaims, issuer: IssuerView) -> TokenClaims:
    """The claims as a token of the client's own would have them: from here on every rule is the same."""
    expires = min(claims.expires, claims.issued_at + issuer.max_token_seconds)
    return TokenClaims(client.uid, claims.issued_at, expires, claims.fingerprint)
