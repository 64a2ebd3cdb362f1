"""What people see of an object's status: the words, and whether it is another one than before."""

from dataclasses import dataclass

from apiclients.lifecycle.credentials import current
from apiclients.plan.world import AnyObject, condition_reason, is_active
from apiclients.resources.apiclient import ObservedStatus
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is in force for one object. Two that are equal let the same traffic through, now and later."""

    #: In words.
    status: str
    reason: str | None
    #: The wish in force, the plan in force, the newest credential: what the words do not tell.
    detail: tuple[object, ...]


def outcome(obj: AnyObject | None) -> Outcome | None:
    """The outcome for an object; None where there is none."""
    match obj:
        case ApiClient():
            return _client(obj)
        case Contract():
            plan = obj.status.in_force.plan if active(obj) and obj.status.in_force is not None else None
            status = str(obj.status.observed_status or ContractStatusName.PENDING)
            return Outcome(status, condition_reason(obj, ConditionType.READY), (plan,))
        case Api():
            status = str(obj.status.observed_status or "Pending")
            return Outcome(status, condition_reason(obj, ConditionType.READY), (obj.status.desired_status,))
        case ContractApproval():
            reason = condition_reason(obj, ConditionType.READY)
            counted = reason in (Reason.COUNTED, Reason.OUTVOTED)
            return Outcome(str(obj.spec.decision) if counted else f"{obj.spec.decision}, not counted", reason, ())
        case ApiClientHold():
            holding = condition_reason(obj, ConditionType.ACTIVE) == Reason.HOLDING
            return Outcome("Holding" if holding else "Not holding", None, ())
        case _:
            return None


def active(obj: AnyObject | None) -> bool:
    """Whether an object is a contract in force."""
    return isinstance(obj, Contract) and is_active(obj)


def held(obj: AnyObject | None) -> bool:
    """Whether an object is a client that a hold stops."""
    return isinstance(obj, ApiClient) and bool(obj.status.holds)


def stalled(obj: AnyObject | None) -> Condition | None:
    """What only a person can mend, as the operator will put it."""
    if obj is None:
        return None
    return next((c for c in obj.status.conditions if c.type == ConditionType.STALLED), None)


def _client(client: ApiClient) -> Outcome:
    observed = client.status.observed_status or ObservedStatus.PENDING
    words = f"{observed} (held)" if client.status.holds and observed is ObservedStatus.SUSPENDED else str(observed)
    known = current(client.status.credentials)
    return Outcome(
        words,
        condition_reason(client, ConditionType.READY),
        (client.status.desired_status, known.id if known is not None else None),
    )
