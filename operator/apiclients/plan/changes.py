"""Names what happens to one object, from its state before and after. The states are the operator's; only words are
chosen here.
"""

from apiclients.lifecycle.credentials import current
from apiclients.plan.model import Change, Severity
from apiclients.plan.outcome import active, held
from apiclients.plan.world import AnyObject, condition_reason
from apiclients.resources.api import ApiStatusName
from apiclients.resources.apiclient import CredentialState, DesiredStatus
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import Api, ApiClient, Contract

_SEVERITIES = {
    Change.CREATE: Severity.REVERSIBLE,
    Change.UPDATE: Severity.NONE,
    Change.SUSPEND: Severity.REVERSIBLE,
    Change.RESUME: Severity.REVERSIBLE,
    Change.RETIRE: Severity.IRREVERSIBLE,
    Change.RENAME: Severity.IRREVERSIBLE,
    Change.CONTRACT_STARTED: Severity.REVERSIBLE,
    Change.CONTRACT_ENDED: Severity.DISRUPTIVE,
    Change.PLAN_CHANGED: Severity.REVERSIBLE,
    Change.APPROVAL_NEEDED: Severity.REVERSIBLE,
    Change.HELD: Severity.REVERSIBLE,
    Change.RELEASED: Severity.REVERSIBLE,
}
#: The order in which the gravest is chosen among changes of one severity.
_ORDER = list(Change)
_FINAL_KINDS = ("ApiClient", "Api")


def gravest(changes: tuple[Change, ...], before: AnyObject | None, after: AnyObject | None) -> Change:
    """The change that a one-word summary tells."""
    special = {Change.RENAME: 3, Change.DELETE: 2, Change.RETIRE: 1}
    return max(changes, key=lambda c: (severity(c, before, after).rank, special.get(c, 0), -_ORDER.index(c)))


def severity(change: Change, before: AnyObject | None, after: AnyObject | None) -> Severity:
    """How grave a change of an object is."""
    if change is Change.DELETE:
        if type(before).__name__ in _FINAL_KINDS:
            return Severity.IRREVERSIBLE
        return Severity.DISRUPTIVE if active(before) else Severity.REVERSIBLE
    if change is Change.ROTATE:
        return Severity.REVERSIBLE if _overlaps(after) else Severity.DISRUPTIVE
    if change is Change.RENAME and type(after or before).__name__ not in _FINAL_KINDS:
        return Severity.DISRUPTIVE if active(before) else Severity.REVERSIBLE
    return _SEVERITIES[change]


def _overlaps(after: AnyObject | None) -> bool:
    """Whether the previous secret stays valid for a while, under the same name."""
    if not isinstance(after, ApiClient):
        return False
    return any(c.state is CredentialState.PREVIOUS for c in after.status.credentials)


def changes_of(before: AnyObject | None, after: AnyObject | None) -> tuple[Change, ...]:
    """What happens to an object that is there before, after or both; nothing where only its text changes."""
    if before is None:
        found = [Change.CREATE]
        if isinstance(after, Contract) and _waits_for_approval(after):
            found.append(Change.APPROVAL_NEEDED)
        return tuple(found)
    if after is None:
        return (Change.DELETE, Change.CONTRACT_ENDED) if active(before) else (Change.DELETE,)
    match before, after:
        case ApiClient(), ApiClient():
            return tuple(_client(before, after))
        case Contract(), Contract():
            return tuple(_contract(before, after))
        case Api(), Api():
            return tuple(_api(before, after))
    return ()


def _client(before: ApiClient, after: ApiClient) -> list[Change]:
    found = []
    old, new = before.status.desired_status, after.status.desired_status
    asks = (before.spec.desired_status, after.spec.desired_status)
    retired = DesiredStatus.RETIRED
    if (new is retired) != (old is retired):
        found.append(Change.RETIRE if new is retired else Change.RESUME)
    elif asks[1] is retired and asks[0] is not retired and new is not retired:
        found.append(Change.RETIRE)  # asked for; whether it goes through is told beside it
    elif old is not new:
        found.append(Change.SUSPEND if new is DesiredStatus.SUSPENDED else Change.RESUME)
    if held(before) != held(after):
        found.append(Change.HELD if held(after) else Change.RELEASED)
    if _rotated(before, after):
        found.append(Change.ROTATE)
    return found


def _rotated(before: ApiClient, after: ApiClient) -> bool:
    old, new = current(before.status.credentials), current(after.status.credentials)
    return new is not None and (old is None or new.id != old.id) and before.status.last_credential_id is not None


def _contract(before: Contract, after: Contract) -> list[Change]:
    was, is_ = active(before), active(after)
    found = []
    if was and not is_:
        found.append(Change.CONTRACT_ENDED)
    if is_ and not was:
        found.append(Change.CONTRACT_STARTED)
    if was and is_ and before.status.in_force != after.status.in_force:
        found.append(Change.PLAN_CHANGED)
    if _waits_for_approval(after) and not _waits_for_approval(before):
        found.append(Change.APPROVAL_NEEDED)
    return found


def _waits_for_approval(contract: Contract) -> bool:
    return condition_reason(contract, ConditionType.READY) == Reason.PENDING_APPROVAL


def _api(before: Api, after: Api) -> list[Change]:
    retired = ApiStatusName.RETIRED
    old, new = before.status.desired_status, after.status.desired_status
    if (new is retired) != (old is retired):
        return [Change.RETIRE if new is retired else Change.RESUME]
    if after.spec.desired_status is retired and before.spec.desired_status is not retired and new is not retired:
        return [Change.RETIRE]
    return []
