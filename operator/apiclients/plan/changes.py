"""What people see of one object before and after a change: the words, what happens, and how grave that is.

The states are the operator's; only words are chosen here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apiclients.lifecycle.client_keys import usable_keys
from apiclients.lifecycle.credentials import current
from apiclients.plan.model import ChangeKind, Severity
from apiclients.plan.world import condition_reason, is_active
from apiclients.resources.api import ApiStatusName
from apiclients.resources.apiclient import CredentialState, DesiredStatus, ObservedStatus
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import (
    AnyObject,
    Api,
    ApiClient,
    ApiClientHold,
    Contract,
    ContractApproval,
    TokenIssuer,
)
from apiclients.resources.tokenissuer import PublicKey


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is in force for one object. Two that are equal let the same traffic through, now and later."""

    #: In words.
    status: str
    reason: str | None
    #: The desired status in force, the plan in force, the newest credential: what the words do not tell.
    detail: tuple[object, ...]


def outcome(obj: AnyObject | None) -> Outcome | None:
    """The outcome for an object; None where there is none."""
    match obj:
        case ApiClient():
            return _client_outcome(obj)
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
        case TokenIssuer():
            reason = condition_reason(obj, ConditionType.READY)
            return Outcome("Recognised" if obj.status.keys else "Not recognised", reason, (obj.status.issuer,))
        case _:
            return None


def active(obj: AnyObject | None) -> bool:
    """Whether an object is a contract in force."""
    return isinstance(obj, Contract) and is_active(obj)


def held(obj: AnyObject | None) -> bool:
    """Whether an object is a client that a hold stops."""
    return isinstance(obj, ApiClient) and bool(obj.status.holds)


def stalled(obj: AnyObject | None) -> Condition | None:
    """What only a person can fix, as the operator will put it."""
    if obj is None:
        return None
    return next((c for c in obj.status.conditions if c.type == ConditionType.STALLED), None)


def _client_outcome(client: ApiClient) -> Outcome:
    observed = client.status.observed_status or ObservedStatus.PENDING
    words = f"{observed} (held)" if client.status.holds and observed is ObservedStatus.SUSPENDED else str(observed)
    known = current(client.status.credentials)
    return Outcome(
        words,
        condition_reason(client, ConditionType.READY),
        (client.status.desired_status, known.id if known is not None else None, _identities(client), _keys(client)),
    )


_SEVERITIES = {
    ChangeKind.CREATE: Severity.REVERSIBLE,
    ChangeKind.UPDATE: Severity.NONE,
    ChangeKind.SUSPEND: Severity.REVERSIBLE,
    ChangeKind.RESUME: Severity.REVERSIBLE,
    ChangeKind.RETIRE: Severity.IRREVERSIBLE,
    ChangeKind.RENAME: Severity.IRREVERSIBLE,
    ChangeKind.CONTRACT_STARTED: Severity.REVERSIBLE,
    ChangeKind.CONTRACT_ENDED: Severity.DISRUPTIVE,
    ChangeKind.PLAN_CHANGED: Severity.REVERSIBLE,
    ChangeKind.APPROVAL_NEEDED: Severity.REVERSIBLE,
    ChangeKind.HELD: Severity.REVERSIBLE,
    ChangeKind.RELEASED: Severity.REVERSIBLE,
    ChangeKind.IDENTITY_GAINED: Severity.REVERSIBLE,
    ChangeKind.IDENTITY_LOST: Severity.DISRUPTIVE,
    ChangeKind.KEY_GAINED: Severity.REVERSIBLE,
    ChangeKind.KEY_LOST: Severity.DISRUPTIVE,
}
#: The order in which the gravest is chosen among changes of one severity.
_ORDER = list(ChangeKind)
_FINAL_KINDS = ("ApiClient", "Api")


def gravest(changes: tuple[ChangeKind, ...], before: AnyObject | None, after: AnyObject | None) -> ChangeKind:
    """The change that a one-word summary tells."""
    special = {ChangeKind.RENAME: 3, ChangeKind.DELETE: 2, ChangeKind.RETIRE: 1}
    return max(changes, key=lambda c: (severity(c, before, after).rank, special.get(c, 0), -_ORDER.index(c)))


def severity(change: ChangeKind, before: AnyObject | None, after: AnyObject | None) -> Severity:
    """How grave a change of an object is."""
    if change is ChangeKind.DELETE:
        if type(before).__name__ in _FINAL_KINDS:
            return Severity.IRREVERSIBLE
        return Severity.DISRUPTIVE if active(before) else Severity.REVERSIBLE
    if change is ChangeKind.ROTATE:
        return Severity.REVERSIBLE if _overlaps(after) else Severity.DISRUPTIVE
    if change is ChangeKind.RENAME and type(after or before).__name__ not in _FINAL_KINDS:
        return Severity.DISRUPTIVE if active(before) else Severity.REVERSIBLE
    return _SEVERITIES[change]


def _overlaps(after: AnyObject | None) -> bool:
    """Whether the previous secret stays valid for a while, under the same name."""
    if not isinstance(after, ApiClient):
        return False
    return any(c.state is CredentialState.PREVIOUS for c in after.status.credentials)


def changes_of(before: AnyObject | None, after: AnyObject | None) -> tuple[ChangeKind, ...]:
    """What happens to an object that is there before, after or both; nothing where only its text changes."""
    if before is None:
        found = [ChangeKind.CREATE]
        if isinstance(after, Contract) and _waits_for_approval(after):
            found.append(ChangeKind.APPROVAL_NEEDED)
        return tuple(found)
    if after is None:
        return (ChangeKind.DELETE, ChangeKind.CONTRACT_ENDED) if active(before) else (ChangeKind.DELETE,)
    match before, after:
        case ApiClient(), ApiClient():
            return tuple(_client(before, after))
        case Contract(), Contract():
            return tuple(_contract(before, after))
        case Api(), Api():
            return tuple(_api(before, after))
    return ()


def _client(before: ApiClient, after: ApiClient) -> list[ChangeKind]:
    found = []
    old, new = before.status.desired_status, after.status.desired_status
    asks = (before.spec.desired_status, after.spec.desired_status)
    retired = DesiredStatus.RETIRED
    if (new is retired) != (old is retired):
        found.append(ChangeKind.RETIRE if new is retired else ChangeKind.RESUME)
    elif asks[1] is retired and asks[0] is not retired and new is not retired:
        found.append(ChangeKind.RETIRE)  # asked for; whether it goes through is stated with it
    elif old is not new:
        found.append(ChangeKind.SUSPEND if new is DesiredStatus.SUSPENDED else ChangeKind.RESUME)
    if held(before) != held(after):
        found.append(ChangeKind.HELD if held(after) else ChangeKind.RELEASED)
    if _rotated(before, after):
        found.append(ChangeKind.ROTATE)
    for ways, gained, lost in _WAYS_IN:
        if ways(after) - ways(before):
            found.append(gained)
        if ways(before) - ways(after) and new is not retired:
            found.append(lost)
    return found


def _identities(client: ApiClient) -> frozenset[tuple[str, str]]:
    return frozenset((one.issuer, one.subject) for one in client.status.identities)


def _keys(client: ApiClient) -> frozenset[PublicKey]:
    return frozenset(usable_keys(client.spec.keys.jwks)) if client.spec.keys is not None else frozenset()


_WAYS_IN: tuple[tuple[Callable[[ApiClient], frozenset[Any]], ChangeKind, ChangeKind], ...] = (
    (_identities, ChangeKind.IDENTITY_GAINED, ChangeKind.IDENTITY_LOST),
    (_keys, ChangeKind.KEY_GAINED, ChangeKind.KEY_LOST),
)


def _rotated(before: ApiClient, after: ApiClient) -> bool:
    old, new = current(before.status.credentials), current(after.status.credentials)
    return new is not None and (old is None or new.id != old.id) and before.status.last_credential_id is not None


def _contract(before: Contract, after: Contract) -> list[ChangeKind]:
    was, is_ = active(before), active(after)
    found = []
    if was and not is_:
        found.append(ChangeKind.CONTRACT_ENDED)
    if is_ and not was:
        found.append(ChangeKind.CONTRACT_STARTED)
    if was and is_ and before.status.in_force != after.status.in_force:
        found.append(ChangeKind.PLAN_CHANGED)
    if _waits_for_approval(after) and not _waits_for_approval(before):
        found.append(ChangeKind.APPROVAL_NEEDED)
    return found


def _waits_for_approval(contract: Contract) -> bool:
    return condition_reason(contract, ConditionType.READY) == Reason.PENDING_APPROVAL


def _api(before: Api, after: Api) -> list[ChangeKind]:
    retired = ApiStatusName.RETIRED
    old, new = before.status.desired_status, after.status.desired_status
    if (new is retired) != (old is retired):
        return [ChangeKind.RETIRE if new is retired else ChangeKind.RESUME]
    if after.spec.desired_status is retired and before.spec.desired_status is not retired and new is not retired:
        return [ChangeKind.RETIRE]
    return []
