"""Whether a token is accepted or issued (DESIGN rules 1, 2, 10 and 16). The gate asks here on every request."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from apiclients.lifecycle.acknowledgement import ClientWish, client_wish, wish_in_force
from apiclients.lifecycle.digests import same_digest
from apiclients.lifecycle.effective import ACCEPTS_TOKENS, Effective, Say, effective_status
from apiclients.lifecycle.holds import HoldView, in_force
from apiclients.lifecycle.timing import demanded_not_before
from apiclients.resources.apiclient import CredentialState, DesiredStatus, ObservedStatus
from apiclients.resources.objects import ApiClient

#: No token lives longer, whatever an object says (the bound of ``spec.tokens.lifetime``), in seconds.
MAX_TOKEN_SECONDS = 72 * 3600


class Denial(StrEnum):
    """Why a token or a secret is refused; the label ``reason`` of the gate's metrics."""

    UNKNOWN_CLIENT = "unknown_client"
    OTHER_UID = "other_uid"
    DELETING = "deleting"
    RETIRED = "retired"
    HELD = "held"
    SUSPENDED = "suspended"
    PENDING = "pending"
    SECRET_EXPIRED = "secret_expired"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_TOO_OLD = "token_before_not_before"
    WRONG_SECRET = "wrong_secret"


@dataclass(frozen=True, slots=True)
class CredentialView:
    """One credential as the gate sees it. Times are seconds since the epoch."""

    id: int
    pepper: str
    digest: str
    expires: int


@dataclass(frozen=True, slots=True)
class ClientView:
    """What decisions about tokens need of one client. Times are seconds since the epoch."""

    namespace: str
    name: str
    uid: str
    client_id: str
    observed: ObservedStatus
    deleting: bool
    token_seconds: int
    #: From spec: obeyed at once, unless it lies in the future.
    spec_not_before: int | None
    #: From status; None until the operator has set it, and then nothing is accepted.
    not_before: int | None
    current_expires: int | None
    credentials: tuple[CredentialView, ...]
    wish: ClientWish
    labels: Mapping[str, str]
    #: Grows with each change of spec; not with those of labels or status.
    generation: int = 0

    @property
    def desired(self) -> DesiredStatus:
        """What spec asks for."""
        return self.wish.desired


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims that a decision needs, from a token whose signature, issuer and type are already right."""

    uid: str
    issued_at: int
    expires: int


def client_view(client: ApiClient) -> ClientView:
    """What the gate keeps of a client."""
    spec, status = client.spec, client.status
    current = next((c for c in status.credentials if c.state is CredentialState.CURRENT), None)
    return ClientView(
        namespace=client.metadata.namespace,
        name=client.metadata.name,
        uid=client.metadata.uid,
        client_id=client.client_id,
        observed=status.observed_status or ObservedStatus.PENDING,
        deleting=client.metadata.deleting,
        token_seconds=min(int(spec.tokens.lifetime.total_seconds()), MAX_TOKEN_SECONDS),
        spec_not_before=ceil(spec.tokens.not_before.timestamp()) if spec.tokens.not_before else None,
        not_before=ceil(status.tokens.not_before.timestamp()) if status.tokens else None,
        current_expires=int(current.expires_time.timestamp()) if current else None,
        credentials=tuple(
            CredentialView(c.id, c.pepper, c.digest, int(c.expires_time.timestamp())) for c in status.credentials
        ),
        wish=client_wish(client),
        labels=client.metadata.labels,
        generation=client.metadata.generation,
    )


_BY_STATUS = {
    ObservedStatus.PENDING: Effective.PENDING,
    ObservedStatus.SUSPENDED: Effective.SUSPENDED,
    ObservedStatus.RETIRED: Effective.RETIRED,
}


@dataclass(frozen=True, slots=True)
class Beside:
    """What else has a say in a client's standing: holds that stop it, and contracts that hold its retirement back."""

    holds: tuple[HoldView, ...] = ()
    active_contracts: frozenset[str] = frozenset()

    def held(self, now: float) -> bool:
        """Whether any hold is in force."""
        return bool(self.holds) and any(in_force(hold, now) for hold in self.holds)


ALONE = Beside()


def standing(client: ClientView, now: float, beside: Beside = ALONE) -> Effective:
    """The effective status as the gate knows it: it denies on spec, and allows on spec and status together (rule 16).

    So a suspension takes one watch hop and no operator, and a resumption waits until the operator agrees. A retirement
    that its own picture says is held leaves the wish before it in force, as the operator will say too.
    """
    by_spec = effective_status(
        Say(
            desired=wish_in_force(client.wish, beside.active_contracts),
            deleting=client.deleting,
            held=beside.held(now),
            has_credential=client.current_expires is not None and client.not_before is not None,
            expired=client.observed is ObservedStatus.EXPIRED or now >= (client.current_expires or 0),
        )
    )
    return _BY_STATUS.get(client.observed, by_spec) if by_spec in ACCEPTS_TOKENS else by_spec


_DENIALS = {
    Effective.DELETING: Denial.DELETING,
    Effective.RETIRED: Denial.RETIRED,
    Effective.HELD: Denial.HELD,
    Effective.SUSPENDED: Denial.SUSPENDED,
    Effective.PENDING: Denial.PENDING,
    Effective.EXPIRED: Denial.SECRET_EXPIRED,
}


def token_denial(client: ClientView | None, claims: TokenClaims, now: float, beside: Beside = ALONE) -> Denial | None:
    """Why a token with a good signature is refused, or None (rule 1). The secret's expiry plays no part."""
    if client is None:
        return Denial.UNKNOWN_CLIENT
    if claims.uid != client.uid:
        return Denial.OTHER_UID
    status = standing(client, now, beside)
    if status not in ACCEPTS_TOKENS:
        return _DENIALS[status]
    if now >= token_end(client, claims):
        return Denial.TOKEN_EXPIRED
    if claims.issued_at < effective_not_before(client, now):
        return Denial.TOKEN_TOO_OLD
    return None


def token_end(client: ClientView, claims: TokenClaims) -> int:
    """When a token dies by the clock: at ``exp``, or earlier when today's ``tokens.lifetime`` is shorter (rule 1)."""
    return min(claims.expires, claims.issued_at + client.token_seconds)


def effective_not_before(client: ClientView, now: float) -> int:
    """Tokens issued before this second are dead: the later of status and of what spec may demand by now (rule 10)."""
    by_status = client.not_before if client.not_before is not None else ceil(now) + MAX_TOKEN_SECONDS
    demanded = demanded_not_before(client.spec_not_before, now)
    return by_status if demanded is None else max(by_status, demanded)


def secret_denial(
    client: ClientView | None, digests: dict[str, str], now: float, beside: Beside = ALONE
) -> Denial | None:
    """Why a presented secret is refused, or None (rule 2). ``digests`` maps pepper id to the digest of the secret."""
    if client is None:
        return Denial.UNKNOWN_CLIENT
    credential = presented_credential(client, digests)
    if credential is None:
        return Denial.WRONG_SECRET
    status = standing(client, now, beside)
    if status is not Effective.AVAILABLE:
        return _DENIALS[status]
    return Denial.SECRET_EXPIRED if now >= credential.expires else None


def presented_credential(client: ClientView, digests: dict[str, str]) -> CredentialView | None:
    """The credential that a presented secret is, in the same time wherever it stands in the list."""
    matches = [c for c in client.credentials if c.pepper in digests and same_digest(digests[c.pepper], c.digest)]
    return matches[0] if matches else None


def issue_time(client: ClientView, now: float) -> int:
    """The ``iat`` of a token issued now: never before notBefore, so that it lives (rule 10)."""
    return max(int(now), effective_not_before(client, now))


def may_introspect(caller: ClientView, subject: ClientView, api_namespaces: Container[str]) -> bool:
    """Whether the caller may learn of a token of the subject: its own, or one for an Api of its namespace (rule 20).

    ``api_namespaces`` are those of the Apis that the token is for and may call now.
    """
    return caller.uid == subject.uid or caller.namespace in api_namespaces
