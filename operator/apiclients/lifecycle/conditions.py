"""Conditions of a client, by the table of rule 24: Ready is converged, Active is usable now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from pydantic import ValidationError

from apiclients.lifecycle import timing
from apiclients.lifecycle.acknowledgement import client_retirement_message, client_wish
from apiclients.lifecycle.effective import ACCEPTS_TOKENS, Effective
from apiclients.lifecycle.secrets import Found, SecretSituation, cause_of_rotation
from apiclients.lifecycle.verdicts import Verdict, told
from apiclients.resources.apiclient import ApiClientStatus, CredentialState, DesiredStatus, RetirementStatus, Rotation
from apiclients.resources.conditions import REASONS, Condition, ConditionType, Reason
from apiclients.resources.fields import format_time


@dataclass(frozen=True)
class Judgement:
    """What the conditions are made of."""

    secret: SecretSituation
    problem: str | None
    failure: str | None
    waits_for_clock: bool
    retirement: RetirementStatus | None

    @cached_property
    def stalled(self) -> Verdict | None:
        """What only a person can mend, or None."""
        if self.problem is not None:
            return Verdict(True, Reason.INVALID_SPEC, self.problem)
        if self._retirement_held:
            observed = self.secret.observed
            message = client_retirement_message(client_wish(observed.client), observed.contracts.active_names)
            return Verdict(True, Reason.ACKNOWLEDGEMENT_REQUIRED, message)
        if self.secret.conflict:
            return Verdict(True, Reason.SECRET_CONFLICT, _conflict_message(self.secret))
        if self.secret.crowded_until is not None:
            return Verdict(True, Reason.TOO_MANY_SECRETS, _crowded_message(self.secret.crowded_until))
        if self._waits_for_new_revision:
            return Verdict(
                True, Reason.EXPIRED, f"{_expired(self.secret)}: change spec.secret.revision to get a new one"
            )
        return None

    @cached_property
    def reconciling(self) -> Verdict | None:
        """What the operator goes on trying, or None."""
        if self.stalled is not None:
            return None
        if self.failure is not None:
            return Verdict(True, Reason.WRITE_FAILED, self.failure)
        if self.waits_for_clock:
            return Verdict(True, Reason.CLOCK_SKEW, REASONS[Reason.CLOCK_SKEW])
        if self.secret.effective is Effective.PENDING:
            return Verdict(True, Reason.PENDING, REASONS[Reason.PENDING])
        if self.secret.effective is Effective.EXPIRED:
            return Verdict(True, Reason.EXPIRED, f"{_expired(self.secret)}: a new one is being issued")
        return None

    @cached_property
    def ready(self) -> Verdict:
        """Whether the operator has done all that it can."""
        hindrance = self.stalled or self.reconciling
        if hindrance is not None:
            return Verdict(False, hindrance.reason, hindrance.message)
        reason = _REASONS[self.secret.effective]
        return Verdict(True, reason, self._settled_message(reason))

    @property
    def active(self) -> Verdict:
        """Whether issued tokens are accepted right now."""
        effective = self.secret.effective
        reason = _REASONS[effective]
        return Verdict(effective in ACCEPTS_TOKENS, reason, self._settled_message(reason))

    @property
    def _retirement_held(self) -> bool:
        desired = self.secret.observed.client.spec.desired_status
        return desired is DesiredStatus.RETIRED and self.secret.wish is not DesiredStatus.RETIRED

    @property
    def _waits_for_new_revision(self) -> bool:
        manual = self.secret.observed.client.spec.secret.rotation is Rotation.MANUAL
        return self.secret.effective is Effective.EXPIRED and manual and cause_of_rotation(self.secret) is None

    def _settled_message(self, reason: Reason) -> str:
        if reason is Reason.HELD:
            holds = "; ".join(f"{hold.metadata.name} ({hold.spec.reason})" for hold in self.secret.observed.holds)
            return f"The client is stopped by: {holds}"
        if reason is Reason.RETIRED and self.retirement is not None:
            verb = "was destroyed" if self.secret.destroyed else "is destroyed"
            return f"The client is retired: it is refused, and {verb} at {format_time(self.retirement.final_time)}."
        return REASONS[reason]


_REASONS = {
    Effective.DELETING: Reason.DELETING,
    Effective.RETIRED: Reason.RETIRED,
    Effective.HELD: Reason.HELD,
    Effective.SUSPENDED: Reason.SUSPENDED,
    Effective.PENDING: Reason.PENDING,
    Effective.EXPIRED: Reason.EXPIRED,
    Effective.AVAILABLE: Reason.AVAILABLE,
}


def conditions(judgement: Judgement, known: list[Condition], generation: int, now: datetime) -> list[Condition]:
    """All conditions; lastTransitionTime moves only when the status of one flips."""
    verdicts = {
        ConditionType.READY: judgement.ready,
        ConditionType.ACTIVE: judgement.active,
        ConditionType.SECRET_READY: _secret_ready(judgement.secret),
        ConditionType.EXPIRING_SOON: _expiring_soon(judgement.secret),
        ConditionType.RECONCILING: judgement.reconciling,
        ConditionType.STALLED: judgement.stalled,
    }
    return told(verdicts, known, generation, now)


def unreadable_status(known: ApiClientStatus, generation: int, problem: str, now: datetime) -> ApiClientStatus:
    """The status of an object that does not fit the models: the client keeps its last good state."""
    verdict = Verdict(False, Reason.INVALID_SPEC, f"The object cannot be read: {problem}")
    replaced = (ConditionType.READY, ConditionType.STALLED, ConditionType.RECONCILING)
    verdicts = {ConditionType.READY: verdict, ConditionType.STALLED: replace(verdict, holds=True)}
    kept = [c for c in known.conditions if c.type not in replaced]
    return known.model_copy(
        update={
            "observed_generation": generation,
            "conditions": [*told(verdicts, known.conditions, generation, now), *kept],
        }
    )


def readable_status(raw: Mapping[str, object]) -> ApiClientStatus:
    """A status as JSON, read; an empty one when it cannot be."""
    try:
        return ApiClientStatus.model_validate(raw)
    except ValidationError:
        return ApiClientStatus()


def _secret_ready(s: SecretSituation) -> Verdict:
    known = s.current
    if known is None:
        gone = s.wish is DesiredStatus.RETIRED
        reason = Reason.SECRET_REMOVED if gone else Reason.SECRET_CONFLICT if s.conflict else Reason.PENDING
        return Verdict(False, reason, _conflict_message(s) if s.conflict else REASONS[reason])
    if s.conflict or s.found in (Found.FOREIGN, Found.EDITED):
        return Verdict(False, Reason.SECRET_CONFLICT, _conflict_message(s))
    if s.found is Found.ABSENT and not s.moved:
        return Verdict(False, Reason.SECRET_MISSING, REASONS[Reason.SECRET_MISSING])
    if s.now >= known.expires_time:
        return Verdict(False, Reason.EXPIRED, f"{_expired(s)}.")
    previous = [c for c in s.credentials if c.state is CredentialState.PREVIOUS]
    until = f"The current secret is valid until {format_time(known.expires_time)}"
    if previous:
        end = format_time(max(c.expires_time for c in previous))
        return Verdict(True, Reason.ROTATION_OVERLAP, f"{until}, the previous one until {end}.")
    return Verdict(True, Reason.ISSUED, f"{until}.")


def _expiring_soon(s: SecretSituation) -> Verdict:
    known = s.current
    if known is None:
        reason = Reason.SECRET_REMOVED if s.wish is DesiredStatus.RETIRED else Reason.PENDING
        return Verdict(False, reason, REASONS[reason])
    if s.now >= known.expires_time:
        return Verdict(True, Reason.EXPIRED, f"{_expired(s)}.")
    if s.now >= known.expires_time - timing.renew_before(s.observed.client.spec.secret):
        return Verdict(True, Reason.ROTATION_DUE, f"The secret expires at {format_time(known.expires_time)}.")
    return Verdict(False, Reason.FRESH, f"The secret expires at {format_time(known.expires_time)}.")


def _expired(s: SecretSituation) -> str:
    when = f" at {format_time(s.current.expires_time)}" if s.current else ""
    return f"The secret expired{when}; issued tokens live on"


def _crowded_message(until: datetime) -> str:
    return (
        f"As many secrets are valid as status can hold, so the next one is issued at {format_time(until)}: "
        "wait, or lower spec.secret.overlap"
    )


def _conflict_message(s: SecretSituation) -> str:
    name = s.observed.client.secret_name
    if s.found is Found.FOREIGN:
        return (
            f"Secret {name} is not this client's, or is immutable or of another type, and is never taken over: "
            "delete it, or choose another spec.secret.name"
        )
    if s.conflict_until is not None:
        return (
            f"Secret {name} was changed again after a rotation had answered the change: find who writes it; "
            "the secret issued before stays valid, the next one is issued at "
            f"{format_time(s.conflict_until)}, or as soon as you ask for a rotation or delete the Secret"
        )
    return f"Secret {name} was changed by somebody else; the secret issued before stays valid"
