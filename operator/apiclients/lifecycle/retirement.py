"""Retiring and registering again (rules 8 to 10)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apiclients.lifecycle.timing import next_second, whole_second
from apiclients.resources.apiclient import ApiClientSpec, ApiClientStatus, DesiredStatus, RetirementStatus


@dataclass(frozen=True, slots=True)
class Retirement:
    """Where a client stands between retired and destroyed."""

    status: RetirementStatus | None
    #: The grace period is over: tokens are dead for good, credentials and Secret go.
    final: bool
    #: A grace period begins or seems over, but the clock cannot be trusted: nothing is destroyed or restored.
    undecided: bool = False


def retirement(
    status: ApiClientStatus, spec: ApiClientSpec, desired: DesiredStatus, now: datetime, *, clock_trusted: bool
) -> Retirement:
    """The retirement now. A client that comes back in time is as it was; later it starts anew (rule 8).

    Who reverts while the operator is down, and after the end, comes too late: the promise that no token revives
    after a finished retirement is the stronger one.
    """
    known = status.retirement
    if known is None:
        if desired is not DesiredStatus.RETIRED:
            return Retirement(None, final=False)
        if not clock_trusted:
            return Retirement(None, final=False, undecided=True)
        begun = whole_second(now)
        known = RetirementStatus(retired_time=begun, final_time=begun + spec.retirement.grace_period)
    elif desired is DesiredStatus.RETIRED and not _finished(status, known):
        known = known.model_copy(update={"final_time": known.retired_time + spec.retirement.grace_period})
    over = now >= known.final_time
    settled = desired is DesiredStatus.RETIRED and _finished(status, known)
    if over and not clock_trusted and not settled:
        return Retirement(known, final=False, undecided=True)
    return Retirement(known if desired is DesiredStatus.RETIRED else None, final=over)


def not_before_after_retirement(status: ApiClientStatus, end: Retirement, now: datetime) -> datetime | None:
    """The end of a grace period kills every token issued so far (rule 10), and so does registering again after it:
    a gate that had not seen the retirement yet may have issued one since, or one of the very same second.
    """
    if not end.final:
        return None
    if end.status is None:
        stamped = max(now, status.tokens.not_before) if status.tokens is not None else now
        return whole_second(stamped) + timedelta(seconds=1)
    return None if _finished(status, end.status) else next_second(now)


def _finished(status: ApiClientStatus, known: RetirementStatus) -> bool:
    return status.tokens is not None and status.tokens.not_before >= known.final_time
