"""Apis: publishing and retiring, and what their contracts look like from the provider's side (rules 9 and 13)."""

from dataclasses import dataclass
from datetime import datetime

from apiclients.lifecycle.acknowledgement import (
    api_retirement_is_held,
    api_retirement_message,
    api_wish,
    api_wish_in_force,
)
from apiclients.lifecycle.timing import whole_second
from apiclients.lifecycle.verdicts import Verdict, told
from apiclients.resources.api import (
    ApiRetirementStatus,
    ApiStatus,
    ApiStatusName,
    ContractCounts,
    PendingContract,
)
from apiclients.resources.conditions import REASONS, ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.objects import Api


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


def decide_api(
    api: Api, contracts: ApiContracts, issuer: str, now: datetime, *, clock_trusted: bool, proved: bool = False
) -> ApiDecision:
    """Decide about an Api. ``proved`` says that the active contracts were counted from a fresh list."""
    active = contracts.counts.active
    over = _final(api, now, clock_trusted=clock_trusted)
    wish = _wish(api, active, over=over)
    retiring_now = wish is ApiStatusName.RETIRED and api.status.desired_status is not ApiStatusName.RETIRED
    retirement = _retirement(api, wish, now, over=over)
    ready, stalled = _judge(api, active, retirement, over=over)
    verdicts = {ConditionType.READY: ready, ConditionType.ACTIVE: _active(wish), ConditionType.STALLED: stalled}
    status = ApiStatus(
        observed_generation=api.metadata.generation,
        observed_status=wish,
        desired_status=wish,
        audience=audience(issuer, api.metadata.namespace, api.metadata.name),
        contracts=contracts.counts,
        pending_contracts=list(contracts.waiting),
        retirement=retirement,
        conditions=told(verdicts, api.status.conditions, api.metadata.generation, now),
    )
    due = retirement.final_time if retirement is not None and not over else None
    return ApiDecision(status, due, needs_proof=retiring_now and not proved)


def _final(api: Api, now: datetime, *, clock_trusted: bool) -> bool:
    known = api.status.retirement
    return known is not None and (known.final or (clock_trusted and now >= known.final_time))


def _wish(api: Api, active: int, *, over: bool) -> ApiStatusName:
    return ApiStatusName.RETIRED if over else api_wish_in_force(api_wish(api), active)


def _retirement(api: Api, wish: ApiStatusName, now: datetime, *, over: bool) -> ApiRetirementStatus | None:
    if wish is ApiStatusName.PUBLISHED:
        return None
    known = api.status.retirement
    if known is not None and over:
        return known.model_copy(update={"final": True})
    begun = known.retired_time if known is not None else whole_second(now)
    end = begun + api.spec.retirement.grace_period
    return ApiRetirementStatus(retired_time=begun, final_time=end, final=False)


def _judge(
    api: Api, active: int, retirement: ApiRetirementStatus | None, *, over: bool
) -> tuple[Verdict, Verdict | None]:
    """Ready and Stalled."""
    if over and api.spec.desired_status is ApiStatusName.PUBLISHED:
        stalled = Verdict(True, Reason.RETIREMENT_IS_FINAL, REASONS[Reason.RETIREMENT_IS_FINAL])
    elif api_retirement_is_held(api_wish(api), active):
        stalled = Verdict(True, Reason.ACKNOWLEDGEMENT_REQUIRED, api_retirement_message(active))
    elif retirement is not None:
        verb = "is final since" if over else "is final at"
        return Verdict(True, Reason.RETIRED, f"The retirement {verb} {format_time(retirement.final_time)}."), None
    else:
        return Verdict(True, Reason.PUBLISHED, REASONS[Reason.PUBLISHED]), None
    return Verdict(False, stalled.reason, stalled.message), stalled


def _active(wish: ApiStatusName) -> Verdict:
    published = wish is ApiStatusName.PUBLISHED
    reason = Reason.PUBLISHED if published else Reason.RETIRED
    message = REASONS[Reason.PUBLISHED] if published else "The API is retired: calls are refused."
    return Verdict(published, reason, message)
