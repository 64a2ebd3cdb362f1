"""Conditions of a client, by the table of rule 24: Ready is converged, Active is usable now."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from apiclients.lifecycle import timing
from apiclients.lifecycle.acknowledgement import client_desired_status, client_retirement_message
from apiclients.lifecycle.condition_state import ConditionState, build_conditions
from apiclients.lifecycle.effective import ACCEPTS_TOKENS, Effective
from apiclients.lifecycle.features import features_used, gate_too_old
from apiclients.lifecycle.identities import NO_IDENTITIES, Identities
from apiclients.lifecycle.observation import SecretMetadata
from apiclients.lifecycle.secret_found import Found, secret_metadata, why_foreign
from apiclients.lifecycle.secrets import SecretSituation, cause_of_rotation
from apiclients.lifecycle.spec_problems import SpecProblem
from apiclients.lifecycle.template import key_problem, refusal
from apiclients.resources.apiclient import CredentialState, DesiredStatus, RetirementStatus, Rotation
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.reasons import REASONS


@dataclass(frozen=True)
class Judgement:
    """What the conditions are made of."""

    secret: SecretSituation
    problem: SpecProblem | None
    failure: str | None
    waits_for_clock: bool
    retirement: RetirementStatus | None
    identities: Identities = NO_IDENTITIES

    @cached_property
    def stalled(self) -> ConditionState | None:
        """What only a person can fix, or None. That a gate fails open comes before all else."""
        observed = self.secret.observed
        too_old = gate_too_old(features_used(observed.client), observed.gates_lacking)
        if too_old is not None:
            return too_old
        if self.problem is not None:
            return ConditionState(True, Reason.INVALID_SPEC, self.problem.message)
        if self.retirement_held:
            message = client_retirement_message(client_desired_status(observed.client), observed.contracts.active_names)
            return ConditionState(True, Reason.ACKNOWLEDGEMENT_REQUIRED, message)
        if self.secret.conflict:
            return ConditionState(True, Reason.SECRET_CONFLICT, _conflict_message(self.secret))
        if self.secret.crowded_until is not None:
            return ConditionState(True, Reason.TOO_MANY_SECRETS, _crowded_message(self.secret.crowded_until))
        if self._waits_for_new_revision:
            return ConditionState(
                True, Reason.EXPIRED, f"{_expired(self.secret)}: change spec.secret.revision to get a new one"
            )
        return self.identities.stalled or self._template_problem

    @cached_property
    def reconciling(self) -> ConditionState | None:
        """What the operator goes on trying, or None."""
        if self.stalled is not None:
            return None
        if self.failure is not None:
            return ConditionState(True, Reason.WRITE_FAILED, self.failure)
        if self.waits_for_clock:
            return ConditionState(True, Reason.CLOCK_SKEW, REASONS[Reason.CLOCK_SKEW].message)
        if self.secret.effective is Effective.PENDING:
            going = self.secret.going
            message = REASONS[Reason.PENDING].message if going is None else _going_message(going)
            return ConditionState(True, Reason.PENDING, message)
        if self.secret.effective is Effective.EXPIRED:
            return ConditionState(True, Reason.EXPIRED, f"{_expired(self.secret)}: a new one is being issued")
        return None

    @cached_property
    def ready(self) -> ConditionState:
        """Whether the operator has done all that it can."""
        hindrance = self.stalled or self.reconciling or self.identities.waiting
        if hindrance is not None:
            return ConditionState(False, hindrance.reason, hindrance.message)
        reason = _REASONS[self.secret.effective]
        return ConditionState(True, reason, self._settled_message(reason))

    @property
    def active(self) -> ConditionState:
        """Whether issued tokens are accepted right now."""
        effective = self.secret.effective
        reason = _REASONS[effective]
        return ConditionState(effective in ACCEPTS_TOKENS, reason, self._settled_message(reason))

    @property
    def retirement_held(self) -> bool:
        """Whether spec asks for a retirement that is not in force."""
        desired = self.secret.observed.client.spec.desired_status
        return desired is DesiredStatus.RETIRED and self.secret.desired is not DesiredStatus.RETIRED

    @property
    def _waits_for_new_revision(self) -> bool:
        manual = self.secret.observed.client.spec.secret.rotation is Rotation.MANUAL
        return self.secret.effective is Effective.EXPIRED and manual and cause_of_rotation(self.secret) is None

    @cached_property
    def _template_problem(self) -> ConditionState | None:
        """It hinders nothing, so it is told once all the rest is settled, and of a client that is to have a Secret."""
        observed = self.secret.observed
        template = observed.client.spec.secret.template
        busy = self.failure is not None or self.waits_for_clock or self.secret.effective in _UNDER_WAY
        if busy or self.secret.desired is DesiredStatus.RETIRED or self.secret.secretless:
            return None
        if (problem := key_problem(template)) is not None:
            return ConditionState(True, Reason.INVALID_SPEC, problem)
        refused = refusal(template, observed.template_keys)
        return ConditionState(True, Reason.TEMPLATE_REFUSED, refused) if refused is not None else None

    def _settled_message(self, reason: Reason) -> str:
        if reason is Reason.HELD:
            holds = "; ".join(f"{hold.name} ({hold.reason})" for hold in self.secret.observed.holds)
            return f"The client is stopped by: {holds}"
        if reason is Reason.RETIRED and self.retirement is not None:
            verb = "was destroyed" if self.secret.destroyed else "is destroyed"
            return f"The client is retired: it is refused, and {verb} at {format_time(self.retirement.final_time)}."
        return REASONS[reason].message


#: A secret is being issued.
_UNDER_WAY = frozenset({Effective.PENDING, Effective.EXPIRED})

_REASONS = {
    Effective.DELETING: Reason.DELETING,
    Effective.RETIRED: Reason.RETIRED,
    Effective.HELD: Reason.HELD,
    Effective.SUSPENDED: Reason.SUSPENDED,
    Effective.PENDING: Reason.PENDING,
    Effective.EXPIRED: Reason.EXPIRED,
    Effective.AVAILABLE: Reason.AVAILABLE,
}


def conditions(
    judgement: Judgement, enforced: ConditionState | None, known: list[Condition], generation: int, now: datetime
) -> list[Condition]:
    """All conditions; lastTransitionTime moves only when the status of one flips."""
    states = {
        ConditionType.READY: judgement.ready,
        ConditionType.ACTIVE: judgement.active,
        ConditionType.ENFORCED: enforced,
        ConditionType.SECRET_READY: _secret_ready(judgement.secret),
        ConditionType.EXPIRING_SOON: _expiring_soon(judgement.secret),
        ConditionType.RECONCILING: judgement.reconciling,
        ConditionType.STALLED: judgement.stalled,
    }
    return build_conditions(states, known, generation, now)


def _secret_ready(s: SecretSituation) -> ConditionState | None:
    known = s.current
    if s.going is not None:
        return ConditionState(False, Reason.SECRET_DELETING, _going_message(s.going))
    if known is None and s.secretless:
        return None
    if known is None:
        gone = s.desired is DesiredStatus.RETIRED
        reason = Reason.SECRET_REMOVED if gone else Reason.SECRET_CONFLICT if s.conflict else Reason.PENDING
        return ConditionState(False, reason, _conflict_message(s) if s.conflict else REASONS[reason].message)
    if s.found in (Found.FOREIGN, Found.EDITED):
        reason = Reason.SECRET_CONFLICT if s.found is Found.FOREIGN else Reason.SECRET_EDITED
        return ConditionState(False, reason, _conflict_message(s))
    if s.found is Found.ABSENT and not s.moved:
        return ConditionState(False, Reason.SECRET_MISSING, _missing_message(s))
    if s.now >= known.expires_time:
        return ConditionState(False, Reason.EXPIRED, f"{_expired(s)}.")
    secret = secret_metadata(s.observed)
    if secret is not None and secret.deleting:
        message = f"{_going_message(secret)} A new one is issued once it has gone."
        return ConditionState(False, Reason.SECRET_DELETING, message)
    previous = [c for c in s.credentials if c.state is CredentialState.PREVIOUS]
    until = f"The current secret is valid until {format_time(known.expires_time)}"
    if previous:
        end = format_time(max(c.expires_time for c in previous))
        return ConditionState(True, Reason.ROTATION_OVERLAP, f"{until}, the previous one until {end}.")
    return ConditionState(True, Reason.ISSUED, f"{until}.")


def _expiring_soon(s: SecretSituation) -> ConditionState | None:
    known = s.current
    if known is None and s.secretless:
        return None
    if known is None:
        gone = Reason.SECRET_REMOVED if s.going is None else Reason.SECRET_DELETING
        reason = gone if s.desired is DesiredStatus.RETIRED else Reason.PENDING
        return ConditionState(False, reason, REASONS[reason].message)
    if s.now >= known.expires_time:
        return ConditionState(True, Reason.EXPIRED, f"{_expired(s)}.")
    if s.now >= known.expires_time - timing.renew_before(s.observed.client.spec.secret):
        return ConditionState(True, Reason.ROTATION_DUE, f"The secret expires at {format_time(known.expires_time)}.")
    return ConditionState(False, Reason.FRESH, f"The secret expires at {format_time(known.expires_time)}.")


def _expired(s: SecretSituation) -> str:
    if s.revoked:
        return "The secret was revoked by spec.secret.notBefore, and with it the tokens that are older"
    when = f" at {format_time(s.current.expires_time)}" if s.current else ""
    return f"The secret expired{when}; issued tokens live on"


def _crowded_message(until: datetime) -> str:
    return (
        f"As many secrets are valid as status can hold, so the next one is issued at {format_time(until)}: "
        "wait, or lower spec.secret.overlap"
    )


def _missing_message(s: SecretSituation) -> str:
    missing = f"Secret {s.observed.client.secret_name} is not there. A new one is"
    if s.spec_problem:
        return f"{missing} issued once spec can be obeyed."
    if not s.acting:
        return f"{missing} issued once the client is available."
    return (
        f"{missing} issued once the clock can be trusted."
        if not s.observed.clock_trusted
        else f"{missing} being issued."
    )


def _going_message(secret: SecretMetadata) -> str:
    if not secret.deleting:
        return f"Secret {secret.name} has to be deleted, and is still there."
    waits = f", which waits for these finalizers: {', '.join(secret.finalizers)}" if secret.finalizers else ""
    return f"Secret {secret.name} is still there: it is being deleted{waits}."


def _conflict_message(s: SecretSituation) -> str:
    name = s.observed.client.secret_name
    if s.found is Found.FOREIGN:
        namespace = s.observed.client.metadata.namespace
        return (
            f"Secret {name} is in the way and is never taken over: it {why_foreign(s.observed.secret)}. Delete it once "
            f"nobody needs it (kubectl delete secret {name} --namespace {namespace}), or choose another "
            "spec.secret.name"
        )
    if s.conflict_until is not None:
        return (
            f"Secret {name} was changed again after a rotation had answered the change: find who writes it; "
            "the secret issued before stays valid, the next one is issued at "
            f"{format_time(s.conflict_until)}, or as soon as you ask for a rotation or delete the Secret"
        )
    return f"Secret {name} was changed by somebody else; the secret issued before stays valid"
