"""Whose the tokens of another issuer are: claims of clients, grants of administrators (DESIGN rules 29 and 30).

A client claims (issuer, subject) in its spec. The claim is in force once the operator says so in status, which it does
while the TokenIssuer grants the subject to the namespace of the client and no other claim was there before. The gate
asks the same of spec, status and grants, so that a claim, a grant or a client that is taken back ends at once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from apiclients.lifecycle.condition_state import ConditionState
from apiclients.lifecycle.issuers import IssuerView
from apiclients.lifecycle.timing import next_second
from apiclients.resources.apiclient import DesiredStatus, Identity, IdentityStatus
from apiclients.resources.conditions import Reason
from apiclients.resources.objects import ApiClient
from apiclients.resources.refs import NamespacedName

#: Name of the TokenIssuer, and the subject of its tokens.
IdentityKey = tuple[str, str]

_SERVICE_ACCOUNT = "system:serviceaccount"
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class IdentityView:
    """One claim of one client. Times are seconds since the epoch."""

    namespace: str
    client: str
    issuer: str
    subject: str
    #: Claimed by the name of a ServiceAccount.
    service_account: bool
    #: Since when status says that it is in force; None while it does not.
    since: int | None
    #: When the client was created.
    created: float

    @property
    def key(self) -> IdentityKey:
        return self.issuer, self.subject


@dataclass(frozen=True, slots=True)
class Identities:
    """What becomes of the claims of one client."""

    in_force: tuple[IdentityStatus, ...] = ()
    #: What only a person can fix, or None.
    stalled: ConditionState | None = None
    #: What has to come into being, or None.
    waiting: ConditionState | None = None


NO_IDENTITIES = Identities()


@dataclass(frozen=True, slots=True)
class ObservedIdentities:
    """What decisions about the claims of one client look at."""

    #: The TokenIssuers that it names, those that are there.
    issuers: Mapping[str, IssuerView]
    #: The claims of other clients to what it claims.
    rivals: tuple[IdentityView, ...] = ()
    #: Namespaces with clients that cannot be read: these may claim anything that is granted there (rule 32).
    unreadable: frozenset[str] = frozenset()


NOTHING_OBSERVED = ObservedIdentities({})


def identity_views(client: ApiClient) -> tuple[IdentityView, ...]:
    """The claims of a client, each once. One that is being deleted, or was destroyed, claims nothing any more."""
    if client.metadata.deleting or not client.spec.identities:
        return ()
    created = client.metadata.creation_time
    known = {(one.issuer, one.subject): int(one.since.timestamp()) for one in client.status.identities}
    found: dict[IdentityKey, IdentityView] = {}
    for identity in client.spec.identities:
        subject = claimed_subject(identity, client.metadata.namespace)
        view = IdentityView(
            namespace=client.metadata.namespace,
            client=client.metadata.name,
            issuer=identity.issuer,
            subject=subject,
            service_account=identity.service_account_name is not None,
            since=known.get((identity.issuer, subject)),
            created=created.timestamp() if created is not None else _NEVER,
        )
        if subject and (view.since is not None or client.status.desired_status is not DesiredStatus.RETIRED):
            found.setdefault(view.key, view)
    return tuple(found.values())


def claimed_subject(identity: Identity, namespace: str) -> str:
    """The subject of the tokens; empty where spec names none."""
    if identity.service_account_name is not None:
        return f"{_SERVICE_ACCOUNT}:{namespace}:{identity.service_account_name}"
    return identity.subject or ""


def is_granted(issuer: IssuerView, claim: IdentityView) -> bool:
    """Whether clients of its namespace may claim this subject.

    Of this cluster's service accounts every namespace may claim its own and no other (rule 30).
    """
    if issuer.cluster:
        own = f"{_SERVICE_ACCOUNT}:{claim.namespace}:"
        name = claim.subject.removeprefix(own)
        return claim.subject.startswith(own) and bool(name) and ":" not in name
    if claim.service_account:
        return False
    grants = issuer.grants
    return any(namespace == claim.namespace and claim.subject.startswith(prefix) for namespace, prefix in grants)


def rank(claim: IdentityView) -> tuple[float, float, str, str]:
    """Of several claims the smallest counts: the one in force the longest, then that of the oldest client."""
    return (claim.since if claim.since is not None else _NEVER, claim.created, claim.namespace, claim.client)


def owner(claims: Iterable[IdentityView], issuer: IssuerView) -> NamespacedName | None:
    """The client that a token of an issuer stands for, of those that claim its subject; None if it is nobody's."""
    in_force = [claim for claim in claims if claim.since is not None and is_granted(issuer, claim)]
    if not in_force:
        return None
    first = min(in_force, key=rank)
    return first.namespace, first.client


def decide_identities(
    client: ApiClient, observed: ObservedIdentities, now: datetime, *, clock_trusted: bool
) -> Identities:
    """Which claims of a client are in force, and what is wrong with the others.

    Nothing comes into force by a clock that cannot be trusted: of several claims the oldest counts.
    """
    problems: list[ConditionState] = []
    in_force: list[IdentityStatus] = []
    for claim in identity_views(client):
        problem = _problem(claim, observed)
        if problem is not None:
            problems.append(problem)
        elif claim.since is not None or clock_trusted:
            known = next((one for one in client.status.identities if (one.issuer, one.subject) == claim.key), None)
            in_force.append(known or IdentityStatus(issuer=claim.issuer, subject=claim.subject, since=next_second(now)))
    stalled = [one for one in problems if one.reason not in _WAITING]
    waiting = [one for one in problems if one.reason in _WAITING]
    return Identities(tuple(in_force), _together(stalled), _together(waiting))


def _together(problems: list[ConditionState]) -> ConditionState | None:
    if not problems:
        return None
    message = "; ".join(problem.message for problem in problems if problem.reason is problems[0].reason)
    return replace(problems[0], message=message)


def _problem(claim: IdentityView, observed: ObservedIdentities) -> ConditionState | None:
    return next((found for check in _CHECKS if (found := check(claim, observed)) is not None), None)


def _no_issuer(claim: IdentityView, observed: ObservedIdentities) -> ConditionState | None:
    if claim.issuer in observed.issuers:
        return None
    return ConditionState(True, Reason.ISSUER_NOT_FOUND, f"There is no TokenIssuer {claim.issuer} (yet)")


def _not_granted(claim: IdentityView, observed: ObservedIdentities) -> ConditionState | None:
    issuer = observed.issuers[claim.issuer]
    if is_granted(issuer, claim):
        return None
    if claim.service_account:
        message = (
            f"TokenIssuer {claim.issuer} does not tell service accounts of this cluster (keys.cluster): "
            "use subject instead of serviceAccountName"
        )
    elif issuer.cluster:
        message = (
            f"Of TokenIssuer {claim.issuer} clients can claim the service accounts of their own namespace alone: "
            "use serviceAccountName"
        )
    else:
        message = (
            f"TokenIssuer {claim.issuer} does not grant the subject {claim.subject} to namespace {claim.namespace}: "
            "ask the administrators of the cluster for a grant in its spec.subjects"
        )
    return ConditionState(True, Reason.IDENTITY_NOT_GRANTED, message)


def _taken(claim: IdentityView, observed: ObservedIdentities) -> ConditionState | None:
    """Rivals without a grant claim nothing. Who the other one is, is told within a namespace alone (rule 15)."""
    issuer = observed.issuers[claim.issuer]
    rivals = [rival for rival in observed.rivals if rival.key == claim.key and is_granted(issuer, rival)]
    first = min(rivals, key=rank, default=None)
    if first is None or rank(claim) < rank(first):
        return None
    whose = f"ApiClient {first.client}" if first.namespace == claim.namespace else "a client of another namespace"
    message = f"The subject {claim.subject} of TokenIssuer {claim.issuer} belongs to {whose}, which claimed it before"
    return ConditionState(True, Reason.IDENTITY_TAKEN, message)


def _maybe_taken(claim: IdentityView, observed: ObservedIdentities) -> ConditionState | None:
    """A client that cannot be read may have claimed the same before; what is in force stays."""
    issuer = observed.issuers[claim.issuer]
    may_claim = (replace(claim, namespace=namespace) for namespace in observed.unreadable)
    if claim.since is not None or not any(is_granted(issuer, one) for one in may_claim):
        return None
    message = f"An ApiClient that may claim {claim.subject} of TokenIssuer {claim.issuer} cannot be read"
    return ConditionState(True, Reason.UNREADABLE, message)


#: Problems that may pass without anybody's doing about this client.
_WAITING = (Reason.ISSUER_NOT_FOUND, Reason.UNREADABLE)
_CHECKS: tuple[Callable[[IdentityView, ObservedIdentities], ConditionState | None], ...] = (
    _no_issuer,
    _not_granted,
    _taken,
    _maybe_taken,
)
