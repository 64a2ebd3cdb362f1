"""Whether a token is accepted or issued (DESIGN rules 1, 2, 10 and 16). The gate asks here on every request."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from sys import intern

from apiclients.lifecycle.acknowledgement import ClientDesiredStatus, client_desired_status, desired_status_in_force
from apiclients.lifecycle.digests import same_digest
from apiclients.lifecycle.effective import ACCEPTS_TOKENS, Effective, StatusInputs, effective_status
from apiclients.lifecycle.features import NO_FEATURES, Feature, features_used
from apiclients.lifecycle.holds import HoldView, in_force
from apiclients.lifecycle.identities import IdentityView, identity_views
from apiclients.lifecycle.timing import demanded_not_before
from apiclients.lifecycle.usage import hour_told
from apiclients.resources.apiclient import CredentialState, DesiredStatus, ObservedStatus
from apiclients.resources.fields import MAX_TOKEN_LIFETIME
from apiclients.resources.objects import ApiClient, default_secret_name

#: No token lives longer, whatever an object says (the bound of ``spec.tokens.lifetime``), in seconds.
MAX_TOKEN_SECONDS = int(MAX_TOKEN_LIFETIME.total_seconds())


class Denial(StrEnum):
    """Why a token or a secret is refused; the label ``reason`` of the gate's metrics."""

    UNKNOWN_CLIENT = "unknown_client"
    UNKNOWN_IDENTITY = "unknown_identity"
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"
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
    SECRET_REVOKED = "secret_revoked"
    OVER_BUDGET = "namespace_over_budget"
    REVOKED = "token_revoked"
    OTHER_CLIENT = "other_client"
    ASSERTION_USED = "assertion_used"
    TOO_MANY_ASSERTIONS = "too_many_assertions"
    REVIEW_DENIED = "token_review_denied"


@dataclass(frozen=True, slots=True)
class CredentialView:
    """One credential as the gate sees it. Times are seconds since the epoch."""

    id: int
    pepper: str
    digest: str
    issued: int
    expires: int
    #: The hour of its last use as status has it (``lifecycle.usage``); decides nothing.
    last_used: int = 0


@dataclass(frozen=True, slots=True)
class ClientView:
    """What decisions about others, and about tokens, need of one client. Times are seconds since the epoch."""

    namespace: str
    name: str
    uid: str
    client_id: str
    observed: ObservedStatus
    deleting: bool
    token_seconds: int
    #: From spec: obeyed at once, unless it lies in the future.
    spec_not_before: int | None
    #: The same of ``spec.secret``: what was issued before, secret or token, is refused.
    revoked_before: int | None
    #: From status; None until the operator has set it, and then nothing is accepted.
    not_before: int | None
    current_expires: int | None
    credentials: tuple[CredentialView, ...]
    desired_status: ClientDesiredStatus
    labels: Mapping[str, str]
    #: What spec calls its Secret; empty for the usual name.
    named_secret: str = ""
    #: Grows with each change of spec; not with those of labels or status.
    generation: int = 0
    #: What of its spec only newer gates obey.
    features: frozenset[Feature] = NO_FEATURES
    #: It is to have no secret: none is accepted, and none has to be there (``spec.secret.issue``).
    secretless: bool = False
    #: Tokens of other issuers that it claims.
    identities: tuple[IdentityView, ...] = ()
    #: Its own public keys (``lifecycle.client_keys``); empty where it has none.
    jwks: str = ""
    #: The hour of its last use as status has it (``lifecycle.usage``); decides nothing.
    last_used: int = 0

    @property
    def desired(self) -> DesiredStatus:
        """What spec asks for."""
        return self.desired_status.requested

    @property
    def secret_name(self) -> str:
        """Name of the Secret that the operator writes for it."""
        return self.named_secret or default_secret_name(self.name)


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims that a decision needs, from a token whose signature, issuer and type are already right."""

    uid: str
    issued_at: int
    expires: int
    #: Names the TokenRevocation that would refuse it (``lifecycle.revocations``).
    fingerprint: str = ""


def client_view(client: ApiClient) -> ClientView:
    """What the gate keeps of a client. There are very many views, so they share the texts that they have in common."""
    spec, status = client.spec, client.status
    current = next((c for c in status.credentials if c.state is CredentialState.CURRENT), None)
    return ClientView(
        namespace=intern(client.metadata.namespace),
        name=intern(client.metadata.name),
        uid=intern(client.metadata.uid),
        client_id=client.client_id,
        observed=status.observed_status or ObservedStatus.PENDING,
        deleting=client.metadata.deleting,
        token_seconds=min(int(spec.tokens.lifetime.total_seconds()), MAX_TOKEN_SECONDS),
        spec_not_before=ceil(spec.tokens.not_before.timestamp()) if spec.tokens.not_before else None,
        revoked_before=ceil(spec.secret.not_before.timestamp()) if spec.secret.not_before else None,
        not_before=ceil(status.tokens.not_before.timestamp()) if status.tokens else None,
        current_expires=int(current.expires_time.timestamp()) if current else None,
        credentials=tuple(
            CredentialView(
                c.id,
                intern(c.pepper),
                c.digest,
                int(c.issued_time.timestamp()),
                int(c.expires_time.timestamp()),
                hour_told(c.last_used_time),
            )
            for c in status.credentials
        ),
        desired_status=client_desired_status(client),
        labels=client.metadata.labels,
        named_secret=client.spec.secret.name or "",
        generation=client.metadata.generation,
        features=features_used(client),
        secretless=not spec.secret.issue,
        identities=identity_views(client),
        jwks=spec.keys.jwks if spec.keys is not None else "",
        last_used=hour_told(status.last_used_time),
    )


_BY_STATUS = {
    ObservedStatus.PENDING: Effective.PENDING,
    ObservedStatus.SUSPENDED: Effective.SUSPENDED,
    ObservedStatus.RETIRED: Effective.RETIRED,
}


@dataclass(frozen=True, slots=True)
class ClientContext:
    """What else has a say in a client's standing: holds that stop it, and contracts that hold its retirement back."""

    holds: tuple[HoldView, ...] = ()
    active_contracts: frozenset[str] = frozenset()
    #: All clients of its namespace are refused (``lifecycle.budget``).
    over_budget: bool = False

    def held(self, now: float) -> bool:
        """Whether any hold is in force."""
        return bool(self.holds) and any(in_force(hold, now) for hold in self.holds)


NO_CONTEXT = ClientContext()


def standing(client: ClientView, now: float, context: ClientContext = NO_CONTEXT) -> Effective:
    """The effective status as the gate knows it: it denies on spec, and allows on spec and status together (rule 16).

    So a suspension takes one watch hop and no operator, and a resumption waits until the operator agrees. A retirement
    that its own picture says is held leaves the desired status before it in force, as the operator will say too.
    """
    by_spec = effective_status(
        StatusInputs(
            desired=desired_status_in_force(client.desired_status, context.active_contracts),
            deleting=client.deleting,
            held=context.held(now),
            has_credential=(client.secretless or client.current_expires is not None) and client.not_before is not None,
            expired=client.observed is ObservedStatus.EXPIRED
            or (not client.secretless and now >= (client.current_expires or 0)),
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


def token_denial(
    client: ClientView | None,
    claims: TokenClaims,
    now: float,
    context: ClientContext = NO_CONTEXT,
    revoked: Container[str] = (),
) -> Denial | None:
    """Why a token with a good signature is refused, or None (rule 1). The secret's expiry plays no part.

    ``revoked`` holds the fingerprints of all tokens that were revoked one by one.
    """
    if client is None:
        return Denial.UNKNOWN_CLIENT
    if claims.uid != client.uid:
        return Denial.OTHER_UID
    if context.over_budget:
        return Denial.OVER_BUDGET
    status = standing(client, now, context)
    if status not in ACCEPTS_TOKENS:
        return _DENIALS[status]
    if now >= token_end(client, claims):
        return Denial.TOKEN_EXPIRED
    if claims.issued_at < effective_not_before(client, now):
        return Denial.TOKEN_TOO_OLD
    return Denial.REVOKED if claims.fingerprint in revoked else None


def token_end(client: ClientView, claims: TokenClaims) -> int:
    """When a token dies by the clock: at ``exp``, or earlier when today's ``tokens.lifetime`` is shorter (rule 1)."""
    return min(claims.expires, claims.issued_at + client.token_seconds)


def effective_not_before(client: ClientView, now: float) -> int:
    """Tokens issued before this second are dead: the later of status and of what spec may demand by now (rule 10)."""
    by_status = client.not_before if client.not_before is not None else ceil(now) + MAX_TOKEN_SECONDS
    by_tokens = demanded_not_before(client.spec_not_before, now)
    by_secret = demanded_not_before(client.revoked_before, now)
    return max(by_status, by_tokens or 0, by_secret or 0)


def secret_denial(
    client: ClientView | None, digests: dict[str, str], now: float, context: ClientContext = NO_CONTEXT
) -> Denial | None:
    """Why a presented secret is refused, or None (rule 2). ``digests`` maps pepper id to the digest of the secret."""
    if client is None:
        return Denial.UNKNOWN_CLIENT
    credential = presented_credential(client, digests)
    if credential is None:
        return Denial.WRONG_SECRET
    denial = issue_denial(client, now, context)
    if denial is not None:
        return denial
    if credential.issued < (demanded_not_before(client.revoked_before, now) or 0):
        return Denial.SECRET_REVOKED
    return Denial.SECRET_EXPIRED if now >= credential.expires else None


def assertion_denial(
    client: ClientView, claims: TokenClaims, now: float, context: ClientContext = NO_CONTEXT
) -> Denial | None:
    """Why a client assertion with a good signature is refused, or None (rule 2).

    What ends tokens from before ends assertions from before. ``tokens.lifetime`` is that of our own tokens.
    """
    denial = issue_denial(client, now, context)
    if denial is not None:
        return denial
    if now >= claims.expires:
        return Denial.TOKEN_EXPIRED
    return Denial.TOKEN_TOO_OLD if claims.issued_at < effective_not_before(client, now) else None


def issue_denial(client: ClientView, now: float, context: ClientContext = NO_CONTEXT) -> Denial | None:
    """Why a client gets no token however it authenticates, or None (rule 2)."""
    if context.over_budget:
        return Denial.OVER_BUDGET
    status = standing(client, now, context)
    return _DENIALS[status] if status is not Effective.AVAILABLE else None


def presented_credential(client: ClientView, digests: dict[str, str]) -> CredentialView | None:
    """The credential that a presented secret is, in the same time wherever it stands in the list."""
    if client.secretless:
        return None
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
