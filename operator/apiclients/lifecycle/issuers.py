"""TokenIssuers: whose tokens are recognised, by which keys, and until when (DESIGN rules 29 and 31)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiclients.lifecycle.condition_state import ConditionState, build_conditions
from apiclients.lifecycle.timing import whole_second
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.objects import TokenIssuer
from apiclients.resources.reasons import REASONS
from apiclients.resources.tokenissuer import (
    JwsAlgorithm,
    PublicKey,
    ScopesFrom,
    TokenIssuerSpec,
    TokenIssuerStatus,
    TokenUse,
    fetch_time_moves_after,
)

#: Tokens of service accounts that pods use for the API server itself carry its issuer or one of these.
_API_SERVER = "https://kubernetes.default.svc"


@dataclass(frozen=True, slots=True)
class IssuerView:
    """What decisions about tokens and identities need of one TokenIssuer. Times are seconds since the epoch."""

    name: str
    #: The issuer that it stands for, by spec or, where that leaves it out, by status; None while it is not known.
    claimed: str | None
    created: float
    deleting: bool
    #: Whether status agrees with spec on the issuer and on where its keys come from.
    settled: bool
    keys: tuple[PublicKey, ...]
    #: Until when they count.
    keys_end: int
    audiences: frozenset[str]
    algorithms: frozenset[JwsAlgorithm]
    #: In lower case: media types know none other (RFC 7515 section 4.1.9).
    types: frozenset[str]
    subject_claim: str
    scopes_from: ScopesFrom
    uses: frozenset[TokenUse]
    max_token_seconds: int
    #: Its tokens are of service accounts of this cluster.
    cluster: bool
    #: Namespaces, and how subjects begin that their clients may claim.
    grants: tuple[tuple[str, str], ...]
    #: No TokenIssuer: a client with keys of its own (``lifecycle.client_keys``).
    of_client: bool = False

    @property
    def recognised(self) -> bool:
        """Whether its tokens are looked at."""
        return self.settled and not self.deleting and bool(self.keys)


def issuer_view(issuer: TokenIssuer) -> IssuerView:
    """What others keep of a TokenIssuer."""
    spec, status, created = issuer.spec, issuer.status, issuer.metadata.creation_time
    fetched = status.last_fetch_time
    return IssuerView(
        name=issuer.metadata.name,
        claimed=spec.issuer or status.issuer,
        created=created.timestamp() if created is not None else 0.0,
        deleting=issuer.metadata.deleting,
        settled=status.issuer is not None
        and spec.issuer in (None, status.issuer)
        and status.keys_from == keys_source(spec),
        keys=tuple(status.keys),
        keys_end=int((fetched + spec.stale_keys_for).timestamp()) if fetched is not None else 0,
        audiences=frozenset(one for one in spec.audiences if not _opens_to_pods(spec, one, status.issuer)),
        algorithms=frozenset(spec.algorithms),
        types=frozenset(one.lower() for one in spec.types),
        subject_claim="sub" if spec.keys.cluster is not None else spec.subject_claim,
        scopes_from=spec.scopes_from,
        uses=frozenset(spec.uses),
        max_token_seconds=int(spec.max_token_lifetime.total_seconds()),
        cluster=spec.keys.cluster is not None,
        grants=tuple((grant.namespace, grant.prefix) for grant in spec.subjects),
    )


def keys_source(spec: TokenIssuerSpec) -> str:
    """Where keys come from, as status tells it; empty where spec names no place, or several."""
    keys = spec.keys
    found = [
        f"discovery {keys.discovery_url}" if keys.discovery_url is not None else "",
        f"JWKS {keys.jwks_url}" if keys.jwks_url is not None else "",
        f"ConfigMap {keys.config_map.name}/{keys.config_map.key}" if keys.config_map is not None else "",
        "cluster" if keys.cluster is not None else "",
    ]
    named = [one for one in found if one]
    return named[0] if len(named) == 1 else ""


def age_rank(issuer: IssuerView) -> tuple[float, str]:
    """Of several TokenIssuers for one issuer the smallest counts: the oldest."""
    return issuer.created, issuer.name


def first_of(issuers: Iterable[IssuerView], claimed: str) -> IssuerView | None:
    """The TokenIssuer that stands for an issuer."""
    return min((one for one in issuers if one.claimed == claimed and not one.deleting), key=age_rank, default=None)


# The decision about one TokenIssuer


@dataclass(frozen=True, slots=True)
class FetchedKeys:
    """Keys that were found at a source."""

    source: str
    #: Which issuer the source says that it is of, where it says so.
    issuer: str | None
    keys: tuple[PublicKey, ...]
    time: datetime


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Why keys could not be found. The message quotes nothing that was fetched, and stays from try to try."""

    source: str
    message: str


Fetched = FetchedKeys | FetchFailed


@dataclass(frozen=True, slots=True)
class IssuerDecision:
    """The status of a TokenIssuer, and when its keys end."""

    status: TokenIssuerStatus
    due: datetime | None


def decide_issuer(
    issuer: TokenIssuer, fetched: Fetched | None, others: Iterable[IssuerView], own: str, now: datetime
) -> IssuerDecision | None:
    """Decide; None while nothing is known that could change what status says. ``own`` is the URL of our own issuer.

    ``fetched`` is what the last try came to, None before there was one. The last good keys stay (rule 31).
    """
    source, status = keys_source(issuer.spec), issuer.status
    fetched = _usable(issuer, source, fetched)
    stalled = _stalled(issuer, source, others, fetched, own)
    if stalled is None and fetched is None and status.observed_generation == issuer.metadata.generation:
        return None
    found = _found(issuer, source, fetched) if stalled is None else _Found()
    end = found.time + issuer.spec.stale_keys_for if found.time is not None else None
    states = _conditions(found, stalled, fetched, end, now)
    decided = TokenIssuerStatus(
        observed_generation=issuer.metadata.generation,
        issuer=status.issuer or (found.issuer if found.keys else None),
        keys_from=source if found.keys else None,
        keys=list(found.keys),
        last_fetch_time=found.time,
        conditions=build_conditions(states, status.conditions, issuer.metadata.generation, now),
    )
    return IssuerDecision(decided, end if end is not None and end > now else None)


def _usable(issuer: TokenIssuer, source: str, fetched: Fetched | None) -> Fetched | None:
    """What was fetched, if it is from where spec says now; keys that say they are another issuer's are none."""
    if fetched is None or fetched.source != source:
        return None
    name = issuer.spec.issuer or issuer.status.issuer
    if isinstance(fetched, FetchedKeys) and fetched.issuer is not None and name not in (None, fetched.issuer):
        return FetchFailed(source, f"The keys cannot be used: their source says that they are not of {name}")
    return fetched


@dataclass(frozen=True, slots=True)
class _Found:
    """The keys that count."""

    issuer: str | None = None
    keys: tuple[PublicKey, ...] = ()
    time: datetime | None = None


def _found(issuer: TokenIssuer, source: str, fetched: Fetched | None) -> _Found:
    spec, status = issuer.spec, issuer.status
    known = (
        _Found(status.issuer, tuple(status.keys), status.last_fetch_time) if status.keys_from == source else _Found()
    )
    if not isinstance(fetched, FetchedKeys):
        return known
    name = spec.issuer or fetched.issuer
    moved = known.time is None or fetched.time >= known.time + fetch_time_moves_after(spec)
    if known.keys == fetched.keys and not moved:
        return known
    return _Found(name, fetched.keys, whole_second(fetched.time))


def _stalled(
    issuer: TokenIssuer, source: str, others: Iterable[IssuerView], fetched: Fetched | None, own: str
) -> ConditionState | None:
    spec, status = issuer.spec, issuer.status
    if not source:
        return _invalid("spec.keys must name exactly one of discoveryURL, jwksURL, configMap and cluster")
    if spec.issuer is None and spec.keys.cluster is None:
        return _invalid("spec.issuer is missing")
    if spec.issuer == own:
        return _invalid("spec.issuer is that of the gate, which signs its tokens itself: nobody else may sign for it")
    if own in spec.audiences:
        return _invalid(
            "spec.audiences must not hold the issuer of the gate: a token for it is a client assertion, which needs no "
            "audience here but ClientAssertion in spec.uses"
        )
    if status.issuer is not None and spec.issuer not in (None, status.issuer):
        return _invalid(
            f"spec.issuer cannot change from {status.issuer}, for identities of clients would mean others: "
            "put it back, or make another TokenIssuer"
        )
    name = spec.issuer or status.issuer or (fetched.issuer if isinstance(fetched, FetchedKeys) else None)
    if any(_opens_to_pods(spec, audience, name) for audience in spec.audiences):
        return _invalid(
            "spec.audiences must not hold an audience of the API server, for then every pod's own token would be one "
            "for APIs: take another, and have pods ask for it in a projected volume"
        )
    first = first_of((other for other in others if other.name != issuer.metadata.name), name) if name else None
    if first is not None and age_rank(first) < age_rank(issuer_view(issuer)):
        return ConditionState(
            True, Reason.DUPLICATE_ISSUER, f"TokenIssuer {first.name} is older, and of the same issuer"
        )
    return None


def _invalid(message: str) -> ConditionState:
    return ConditionState(True, Reason.INVALID_SPEC, message)


def _opens_to_pods(spec: TokenIssuerSpec, audience: str, issuer: str | None) -> bool:
    """Whether the token that every pod has for the API server itself would be for this audience."""
    if spec.keys.cluster is None:
        return False
    return audience in (issuer, _API_SERVER) or audience.startswith(f"{_API_SERVER}.")


def _conditions(
    found: _Found, stalled: ConditionState | None, fetched: Fetched | None, end: datetime | None, now: datetime
) -> dict[ConditionType, ConditionState | None]:
    if stalled is not None:
        refused = ConditionState(False, stalled.reason, stalled.message)
        return {ConditionType.READY: refused, ConditionType.ACTIVE: refused, ConditionType.STALLED: stalled}
    active, reconciling = _active(found, end, now), _reconciling(found, fetched)
    hindrance = reconciling or active
    return {
        ConditionType.READY: ConditionState(hindrance is active and active.holds, hindrance.reason, hindrance.message),
        ConditionType.ACTIVE: active,
        ConditionType.RECONCILING: reconciling,
    }


def _active(found: _Found, end: datetime | None, now: datetime) -> ConditionState:
    if not found.keys or end is None:
        return ConditionState(False, Reason.FETCHING_KEYS, REASONS[Reason.FETCHING_KEYS].message)
    if now >= end:
        message = f"The keys count no longer since {format_time(end)}: tokens of this issuer get 503"
        return ConditionState(False, Reason.KEYS_STALE, message)
    return ConditionState(True, Reason.TRUSTED, f"Tokens of {found.issuer} are recognised, by {len(found.keys)} keys.")


def _reconciling(found: _Found, fetched: Fetched | None) -> ConditionState | None:
    if isinstance(fetched, FetchFailed):
        kept = "; the last good keys stay in use" if found.keys else ""
        return ConditionState(True, Reason.FETCH_FAILED, f"{fetched.message}{kept}")
    if fetched is None and not found.keys:
        return ConditionState(True, Reason.FETCHING_KEYS, REASONS[Reason.FETCHING_KEYS].message)
    return None


#: Between two fetches from one issuer, whatever anybody asks.
LEAST_PAUSE = timedelta(seconds=10)


def pause(spec: TokenIssuerSpec, *, asked: bool) -> timedelta:
    """How long after a fetch the next one comes: sooner for a gate that has seen a key which nobody knows."""
    return min(spec.refresh_interval, LEAST_PAUSE) if asked else spec.refresh_interval
