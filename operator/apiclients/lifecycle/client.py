"""The decision about one client: what was observed and the time in, the next step and the status out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from apiclients.lifecycle import timing
from apiclients.lifecycle.acknowledgement import client_desired_status, desired_status_in_force
from apiclients.lifecycle.conditions import Judgement, conditions
from apiclients.lifecycle.credentials import adopted, aged, current, redigested, revoked
from apiclients.lifecycle.digests import Stamp
from apiclients.lifecycle.effective import ACCEPTS_TOKENS, StatusInputs, effective_status, observed_status
from apiclients.lifecycle.enforcement import REFUSED, DesiredState, Enforcement, enforcement
from apiclients.lifecycle.features import features_used
from apiclients.lifecycle.history import history
from apiclients.lifecycle.holds import HoldView
from apiclients.lifecycle.identities import NO_IDENTITIES, decide_identities
from apiclients.lifecycle.observation import Observed, SecretRead
from apiclients.lifecycle.overlaps import Overlap, unneeded
from apiclients.lifecycle.retirement import Retirement, not_before_after_retirement, retirement
from apiclients.lifecycle.secret_found import Found, found, secret_metadata
from apiclients.lifecycle.secrets import SecretSituation, cause_of_rotation, next_step
from apiclients.lifecycle.spec_problems import spec_problem
from apiclients.lifecycle.steps import ProveContracts, Step
from apiclients.lifecycle.usage import last_used_time, with_last_use
from apiclients.resources.apiclient import (
    MAX_HOLDS,
    ApiClientStatus,
    Credential,
    CredentialState,
    DesiredStatus,
    HoldStatus,
    ObservedStatus,
    SecretStatus,
    TokensStatus,
)
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import ApiClient

#: How soon to look again at a Secret that is not ours, at the least and at the most: nothing tells when it goes.
_FOREIGN_RETRY = (timedelta(seconds=2), timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a client."""

    #: The next step; after it is observed and decided again. None: only the status is left to be written.
    step: Step | None
    #: The status as it is to be once no step is left, or when the step failed.
    status: ApiClientStatus
    #: When something comes due that no event will tell.
    due: datetime | None
    #: When to look again at what nothing tells of: a Secret that is in the way, a clock.
    look_again: datetime | None = None
    #: The overlaps that end with this status, and that nobody needed.
    unneeded: tuple[Overlap, ...] = ()


@dataclass(frozen=True, slots=True)
class _Credentials:
    """The credentials that count, and what taking over from the Secret changed."""

    known: list[Credential]
    last_id: int
    found: Found
    answered_request: str | None


def decide(observed: Observed, now: datetime, *, failure: str | None = None) -> Decision:
    """Decide. ``failure`` is the sentence about a step that was tried and failed, for the status.

    Deciding again on the same changes nothing (rule 21); so does deciding after any step was or was not done.
    """
    client = observed.client
    problem = spec_problem(client.spec, now, observed.min_lifetime)
    desired = desired_status_in_force(client_desired_status(client), observed.contracts.active_names)
    end = retirement(client.status, client.spec, desired, now, clock_trusted=observed.clock_trusted)
    credentials = _credentials(observed, end, now)
    known, tokens = current(credentials.known), _tokens(observed, end, now)
    secretless = not client.spec.secret.issue and problem is None
    effective = effective_status(
        StatusInputs(
            desired=DesiredStatus.RETIRED if end.undecided else desired,
            deleting=client.metadata.deleting,
            held=bool(observed.holds),
            has_credential=(known is not None or secretless) and tokens is not None,
            expired=known is not None and now >= known.expires_time and not secretless,
        )
    )
    withdrawn = secretless and effective in ACCEPTS_TOKENS
    if withdrawn:
        credentials = replace(credentials, known=[])
    identities = NO_IDENTITIES
    if not (end.final and desired is DesiredStatus.RETIRED):
        identities = decide_identities(client, observed.identities, now, clock_trusted=observed.clock_trusted)
    situation = SecretSituation(
        observed=observed,
        now=now,
        desired=desired,
        effective=effective,
        found=credentials.found,
        credentials=credentials.known,
        last_id=credentials.last_id,
        answered_request=credentials.answered_request,
        destroyed=end.final,
        secretless=secretless,
        withdrawn=withdrawn,
        spec_problem=problem is not None,
    )
    judgement = Judgement(
        secret=situation,
        problem=problem,
        failure=failure,
        waits_for_clock=not observed.clock_trusted and _waits_for_clock(situation, end),
        retirement=end.status,
        identities=identities,
    )
    enforced = _enforced(judgement, tokens, now)
    observed_now = _observed_status(client.status, client.metadata.deleting, observed_status(effective))
    status = ApiClientStatus(
        observed_generation=_observed_generation(client, judgement),
        observed_status=observed_now,
        desired_status=desired,
        desired_generation=client.metadata.generation,
        client_id=client.client_id,
        credentials=with_last_use(credentials.known, observed.last_use, now),
        last_credential_id=credentials.last_id or None,
        last_used_time=last_used_time(
            client.status.last_used_time, observed.last_use.client if observed.last_use is not None else None, now
        ),
        secret=_secret_status(situation),
        tokens=tokens,
        identities=list(identities.in_force),
        retirement=end.status,
        enforcement=enforced.status,
        conditions=conditions(judgement, enforced.condition, client.status.conditions, client.metadata.generation, now),
        contracts=observed.contracts,
        holds=[_hold_status(hold) for hold in observed.holds[:MAX_HOLDS]],
        history=history(client, observed_now, desired, judgement.active.reason, now),
        last_handled_rotate_request=credentials.answered_request,
    )
    step = _proof(observed, desired) or next_step(situation)
    return Decision(
        step, status, _due(situation, end), _look_again(situation, enforced), _unneeded(observed, status, now)
    )


def _unneeded(observed: Observed, status: ApiClientStatus, now: datetime) -> tuple[Overlap, ...]:
    before = with_last_use(observed.client.status.credentials, observed.last_use, now)
    return unneeded(before, status.credentials, observed.reports, now)


def _proof(observed: Observed, desired: DesiredStatus) -> ProveContracts | None:
    """At the moment of accepting a retirement its contracts are counted once more, from a fresh list (rule 9)."""
    accepting = desired is DesiredStatus.RETIRED and observed.client.status.desired_status is not DesiredStatus.RETIRED
    return ProveContracts() if accepting and not observed.contracts_proved else None


def _enforced(judgement: Judgement, tokens: TokensStatus | None, now: datetime) -> Enforcement:
    """How far the gates obey what is in force now."""
    observed, desired = judgement.secret.observed, judgement.secret.desired
    names = frozenset(hold.name for hold in observed.holds[:MAX_HOLDS])
    return enforcement(
        observed.client,
        DesiredState(desired, names, tokens.not_before if tokens is not None else None),
        observed.sight,
        now,
        refuses=observed_status(judgement.secret.effective) in REFUSED,
        accepted=not judgement.retirement_held,
        features=features_used(observed.client).union(*(hold.features for hold in observed.holds)),
    )


def _hold_status(hold: HoldView) -> HoldStatus:
    """In whole seconds, as status is stored; the hold ends no later than it says."""
    ends = timing.next_second(hold.expires_time) if hold.expires_time is not None else None
    return HoldStatus(name=hold.name, reason=hold.reason, expires_time=ends)


def _credentials(observed: Observed, end: Retirement, now: datetime) -> _Credentials:
    """Age what status knows, then take over what the Secret holds (rule 7)."""
    status, spec = observed.client.status, observed.client.spec.secret
    overlap = timing.overlap(spec)
    last_id = max([status.last_credential_id or 0, *(c.id for c in status.credentials)])
    request = status.last_handled_rotate_request
    before = timing.revoked_before(spec, now) if observed.clock_trusted else None
    known = [] if end.final else revoked(aged(status.credentials, overlap, now, drop=observed.clock_trusted), before)
    state = found(observed, known, last_id)
    read = observed.secret
    if not isinstance(read, SecretRead):
        return _Credentials(known, last_id, state, request)
    if state is Found.NEWER and read.stamp is not None and not _ended(read.stamp, end, status):
        known = revoked(adopted(known, read.stamp, read, observed.peppers[-1], overlap), before)
        last_id, request = read.stamp.id, read.stamp.rotate_request or request
        state = found(observed, known, last_id)
    elif state is Found.REKEYED:
        known = redigested(known, read.digests[observed.peppers[-1]], observed.peppers[-1])
        state = found(observed, known, last_id)
    return _Credentials(known, last_id, state, request)


def _ended(stamp: Stamp, end: Retirement, status: ApiClientStatus) -> bool:
    """Whether a credential has ended with a retirement: nothing from before its end ever comes back (rule 8)."""
    if not end.final or end.status is not None:
        return end.final
    return status.retirement is not None and stamp.issued_time < status.retirement.final_time


def _observed_generation(client: ApiClient, judgement: Judgement) -> int:
    """A generation counts as observed once all is done or only a person can go on, not while Reconciling (rule 24)."""
    generation = client.metadata.generation
    return generation if judgement.reconciling is None else min(client.status.observed_generation, generation - 1)


def _observed_status(status: ApiClientStatus, deleting: bool, now: ObservedStatus) -> ObservedStatus:
    """An object on its way out keeps its last status; conditions tell that it is being deleted."""
    return status.observed_status or now if deleting else now


def _tokens(observed: Observed, end: Retirement, now: datetime) -> TokensStatus | None:
    """notBefore never goes back; the first status of a UID and the end of a retirement set it to now (rule 10)."""
    client = observed.client
    known, wanted = client.status.tokens, client.spec.tokens.not_before
    if known is None:
        return TokensStatus(not_before=timing.next_second(now)) if observed.clock_trusted else None
    if not observed.clock_trusted:
        return known
    candidates = [known.not_before]
    if wanted is not None and timing.demanded_not_before(ceil(wanted.timestamp()), now.timestamp()) is not None:
        candidates.append(timing.next_second(wanted))
    revoked_before = timing.revoked_before(client.spec.secret, now)
    if revoked_before is not None:
        candidates.append(revoked_before)
    ended = not_before_after_retirement(client.status, end, now)
    if ended is not None:
        candidates.append(ended)
    return TokensStatus(not_before=max(candidates))


def _secret_status(s: SecretSituation) -> SecretStatus | None:
    """Which version of the Secret was last found right; any other version has to be read."""
    if s.emptied:
        return None
    metadata = secret_metadata(s.observed)
    if s.found is not Found.RIGHT or metadata is None:
        return s.observed.client.status.secret
    return SecretStatus(name=metadata.name, resource_version=metadata.resource_version)


def _waits_for_clock(s: SecretSituation, end: Retirement) -> bool:
    return end.undecided or s.observed.client.status.tokens is None or cause_of_rotation(s) is not None


def _due(s: SecretSituation, end: Retirement) -> datetime | None:
    """The next time at which this decision would be another one."""
    client, known = s.observed.client, s.current
    times = [c.expires_time for c in s.credentials if c.state is CredentialState.PREVIOUS]
    if known is not None:
        times += [known.expires_time, known.expires_time - timing.renew_before(client.spec.secret)]
    if end.status is not None:
        times.append(end.status.final_time)
    if s.conflict_until is not None:
        times.append(s.conflict_until)
    times += [time for time in (client.spec.tokens.not_before, client.spec.secret.not_before) if time is not None]
    times += [hold.expires_time for hold in s.observed.holds if hold.expires_time is not None]
    return min((time for time in times if time > s.now), default=None)


def _look_again(s: SecretSituation, enforced: Enforcement) -> datetime | None:
    times = [enforced.look_again]
    if s.found is Found.FOREIGN:
        times.append(s.now + _foreign_retry(s))
    elif not s.observed.clock_trusted:
        times.append(s.now + timing.CLOCK_RETRY)
    return min((time for time in times if time is not None), default=None)


def _foreign_retry(s: SecretSituation) -> timedelta:
    """As long again as it has been in the way: who is at work on it need not wait, and what lasts costs little."""
    ready = next((c for c in s.observed.client.status.conditions if c.type == ConditionType.SECRET_READY), None)
    told = ready is not None and ready.reason == Reason.SECRET_CONFLICT
    since = ready.last_transition_time if ready is not None and told else s.now
    least, most = _FOREIGN_RETRY
    return min(max(s.now - since, least), most)
