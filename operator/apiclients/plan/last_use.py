"""When that which a change stops was last used, so far as status says it: to the hour, over all gates."""

from datetime import datetime

from apiclients.plan.changes import active, outcome
from apiclients.plan.model import Severity
from apiclients.resources.apiclient import ObservedStatus
from apiclients.resources.objects import AnyObject, ApiClient, Contract


def last_used(before: AnyObject | None, after: AnyObject | None, grade: Severity) -> datetime | None:
    """Of a client that stops, or whose programs have to be changed, or of a contract that ends or is another one."""
    match before:
        case ApiClient():
            stops = _stops(before, after) or grade.rank >= Severity.DISRUPTIVE.rank
            return before.status.last_used_time if stops else None
        case Contract():
            return before.status.last_used_time if _ends_or_changes(before, after) else None
        case _:
            return None


def _stops(before: ApiClient, after: AnyObject | None) -> bool:
    was, left = outcome(before), outcome(after)
    return was is not None and was.status == ObservedStatus.AVAILABLE and (left is None or left.status != was.status)


def _ends_or_changes(before: Contract, after: AnyObject | None) -> bool:
    """Whether what is in force now is so no more, or another plan is asked for."""
    if not active(before):
        return False
    if not isinstance(after, Contract) or not active(after) or after.metadata.uid != before.metadata.uid:
        return True
    return (before.status.in_force, before.spec.plan) != (after.status.in_force, after.spec.plan)
