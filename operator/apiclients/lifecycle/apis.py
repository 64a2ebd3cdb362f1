"""Apis: publishing and retiring, and what their contracts look like from the provider's side (rules 9 and 13)."""

from dataclasses import dataclass, replace
from datetime import datetime

from apiclients.lifecycle.acknowledgement import (
    api_desired_status,
    api_desired_status_in_force,
    api_retirement_is_held,
    api_retirement_message,
)
from apiclients.lifecycle.condition_state import ConditionState, build_conditions
from apiclients.lifecycle.history import Announcement, condition_announcements
from apiclients.lifecycle.timing import CLOCK_RETRY, whole_second
from apiclients.resources.api import (
    ApiRetirementStatus,
    ApiStatus,
    ApiStatusName,
    ContractCounts,
    PendingContract,
)
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.objects import Api
from apiclients.resources.reasons import REASONS


def audience(issuer: str, namespace: str, name: str) -> str:
    """The audience of tokens for an Api: ``<issuer>/apis/<namespace>/<name>``, always."""
    return f"{issuer}/apis/{namespace}/{name}"


@dataclass(frozen=True, slots=True)
class ApiContracts:
    """The contracts that name an Api: how many, and the first of those that wait for approval."""

    counts: ContractCounts
    waiting: tuple[PendingContract, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiDecision:
    """What the status of an Api is to be. ``needs_proof``: first count the active contracts anew, from a fresh list."""

    status: ApiStatus
    due: datetime | None
    needs_proof: bool


@dataclass(frozen=True, slots=True)
class _Retirement:
    """Where an Api stands between retired and never again."""

    status: ApiRetirementStatus | None = None
    #: The grace period is over: it cannot be undone.
    final: bool = False
    #: A grace period begins or seems over, but the clock cannot be trusted: neither is done (rule 26).
    undecided: bool = False


def decide_api(
    api: Api, contracts: ApiContracts, issuer: str, now: datetime, *, clock_trusted: bool, proved: bool = False
) -> ApiDecision:
    """Decide about an Api. ``proved`` says that the active contracts were counted from a fresh list."""
    active = contracts.counts.active
    accepted = api_desired_status_in_force(api_desired_status(api), active)
    end = _retirement(api, accepted, now, clock_trusted=clock_trusted)
    desired = ApiStatusName.RETIRED if end.final or end.undecided else accepted
    retiring_now = desired is ApiStatusName.RETIRED and api.status.desired_status is not ApiStatusName.RETIRED
    stalled = _stalled(api, active, end)
    waits = ConditionState(True, Reason.CLOCK_SKEW, REASONS[Reason.CLOCK_SKEW].message) if end.undecided else None
    reconciling = waits if stalled is None else None
    generation = api.metadata.generation
    states = {
        ConditionType.READY: _ready(end, stalled or reconciling),
        ConditionType.ACTIVE: _active(desired),
        ConditionType.STALLED: stalled,
        ConditionType.RECONCILING: reconciling,
    }
    status = ApiStatus(
        observed_generation=generation if reconciling is None else min(api.status.observed_generation, generation - 1),
        observed_status=desired,
        desired_status=desired,
        audience=audience(issuer, api.metadata.namespace, api.metadata.name),
        contracts=contracts.counts,
        pending_contracts=list(contracts.waiting),
        retirement=end.status,
        conditions=build_conditions(states, api.status.conditions, generation, now),
    )
    return ApiDecision(status, _due(end, now), needs_proof=retiring_now and not proved)


def _retirement(api: Api, desired: ApiStatusName, now: datetime, *, clock_trusted: bool) -> _Retirement:
    known, retired = api.status.retirement, desired is ApiStatusName.RETIRED
    if known is not None and known.final:
        return _Retirement(known, final=True)
    if known is None and not retired:
        return _Retirement()
    if known is None and not clock_trusted:
        return _Retirement(undecided=True)
    begun = known.retired_time if known is not None else whole_second(now)
    end = begun + api.spec.retirement.grace_period if known is None or retired else known.final_time
    over = now >= end
    if over and not clock_trusted:
        return _Retirement(known, undecided=True)
    if not over and not retired:
        return _Retirement()
    return _Retirement(ApiRetirementStatus(retired_time=begun, final_time=end, final=over), final=over)


def _due(end: _Retirement, now: datetime) -> datetime | None:
    if end.undecided:
        return now + CLOCK_RETRY
    return end.status.final_time if end.status is not None and not end.final else None


def _stalled(api: Api, active: int, end: _Retirement) -> ConditionState | None:
    if end.final and api.spec.desired_status is ApiStatusName.PUBLISHED:
        return ConditionState(True, Reason.RETIREMENT_IS_FINAL, REASONS[Reason.RETIREMENT_IS_FINAL].message)
    if not end.final and api_retirement_is_held(api_desired_status(api), active):
        return ConditionState(True, Reason.ACKNOWLEDGEMENT_REQUIRED, api_retirement_message(active))
    return None


def _ready(end: _Retirement, hindrance: ConditionState | None) -> ConditionState:
    if hindrance is not None:
        return replace(hindrance, holds=False)
    if end.status is not None:
        verb = "is final since" if end.final else "is final at"
        message = f"The retirement {verb} {format_time(end.status.final_time)}."
        return ConditionState(True, Reason.RETIRED, message)
    return ConditionState(True, Reason.PUBLISHED, REASONS[Reason.PUBLISHED].message)


def _active(desired: ApiStatusName) -> ConditionState:
    published = desired is ApiStatusName.PUBLISHED
    reason = Reason.PUBLISHED if published else Reason.RETIRED
    message = REASONS[Reason.PUBLISHED].message if published else "The API is retired: calls are refused."
    return ConditionState(published, reason, message)


#: An Event has room for 1024 characters.
_NAMED_IN_EVENT = 3


def api_announcements(before: ApiStatus, after: ApiStatus) -> list[Announcement]:
    """The Events of one transition, and one for contracts that have begun to wait for approval: the owner's work."""
    told = condition_announcements(before.conditions, after.conditions)
    known = {(contract.namespace, contract.name, contract.plan) for contract in before.pending_contracts}
    new = [c for c in after.pending_contracts if (c.namespace, c.name, c.plan) not in known]
    if new:
        more = f"; and {len(new) - _NAMED_IN_EVENT} more" if len(new) > _NAMED_IN_EVENT else ""
        note = "; ".join(map(_waits, new[:_NAMED_IN_EVENT])) + more
        told.append(Announcement(False, Reason.PENDING_APPROVAL, "AskForApproval", note))
    return told


def _waits(contract: PendingContract) -> str:
    return (
        f"Contract {contract.namespace}/{contract.name} of client {contract.client} "
        f"waits for approval of plan {contract.plan}"
    )
