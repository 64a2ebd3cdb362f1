"""What an object that this version cannot read counts as: the most restrictive that it could be (DESIGN rule 32).

The API server stores what a newer version wrote, or times that no clock knows. Such an object is never overwritten and
never ignored. The operator writes :func:`unreadable_conditions` on it and nothing else; operator and gate take

* a hold for one that stops whom it names, and everybody in its namespace if it names nobody: :func:`unreadable_hold`;
* an approval for a possible rejection of the contract that it names: :func:`unreadable_ruling`. The gate refuses
  calls under that contract; the operator leaves the contract as it is;
* a contract for one that lets no call through and holds every retirement back: :func:`unreadable_contract`. Nothing
  ends because of it;
* a client or an Api for one to which nobody gets. The operator leaves its contracts as they are.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apiclients.lifecycle.approvals import Ruling
from apiclients.lifecycle.contract_view import Claim, ContractView, Granted
from apiclients.lifecycle.holds import HoldView
from apiclients.lifecycle.timing import whole_second
from apiclients.resources.approval import Decision
from apiclients.resources.conditions import MAX_MESSAGE, ConditionType, Reason
from apiclients.resources.contract import ContractStatusName, Grant
from apiclients.resources.fields import format_time
from apiclients.resources.objects import Metadata, text_at
from apiclients.resources.selectors import LabelSelector

_ADVICE = (
    "Nothing of the object is changed until it can be read, and it counts as the most restrictive that it could be: "
    "run a version that knows it, or correct the field"
)


def unreadable_hold(raw: Mapping[str, Any]) -> HoldView:
    """The hold that stands for one that cannot be read: it never expires, and stops everybody unless it names one."""
    named = text_at(raw, "spec", "clientName") or None
    return HoldView(
        namespace=text_at(raw, "metadata", "namespace") or "",
        name=text_at(raw, "metadata", "name") or "",
        client_name=named,
        selector=LabelSelector() if named is None else None,
        expires=None,
        reason="the hold cannot be read",
    )


def unreadable_ruling(raw: Mapping[str, Any]) -> Ruling | None:
    """The ruling that stands for an approval that cannot be read; None for one that is going or names no contract."""
    contract = tuple(text_at(raw, "spec", "contract", part) or "" for part in ("namespace", "name"))
    if _going(raw) or "" in contract:
        return None
    return Ruling(
        name=text_at(raw, "metadata", "name") or "",
        namespace=text_at(raw, "metadata", "namespace") or "",
        contract=(contract[0], contract[1]),
        client=text_at(raw, "spec", "client") or "",
        api=text_at(raw, "spec", "api") or "",
        plan=text_at(raw, "spec", "plan") or "",
        decision=Decision.REJECTED,
        reason="the approval cannot be read",
        bound_uid=None,
        bound_anew=False,
        deleting=False,
        readable=False,
    )


def unreadable_contract(raw: Mapping[str, Any]) -> ContractView:
    """The contract that stands for one that cannot be read: never a way to its Api, and in force for a retirement.

    What can be read of it counts; a status that cannot is Active.
    """
    metadata = Metadata.from_object(raw)
    api = (text_at(raw, "spec", "api", "namespace") or "", text_at(raw, "spec", "api", "name") or "")
    client, plan = text_at(raw, "spec", "clientName") or "", text_at(raw, "spec", "plan") or ""
    claim = Claim(metadata.namespace, metadata.name, metadata.uid, client, api)
    return ContractView(
        claim=claim,
        plan=plan,
        status=ContractStatusName.INACTIVE if metadata.deleting else _observed(raw),
        in_force=_granted(raw, claim, plan),
        deleting=metadata.deleting,
        waits_for_approval=False,
        in_conflict=False,
        waits_for_room=False,
        created=metadata.creation_time.timestamp() if metadata.creation_time is not None else 0.0,
        readable=False,
    )


def _observed(raw: Mapping[str, Any]) -> ContractStatusName:
    status = raw.get("status") or {}
    observed = status.get("observedStatus") if isinstance(status, Mapping) else status
    try:
        return ContractStatusName(observed) if observed is not None else ContractStatusName.PENDING
    except ValueError:
        return ContractStatusName.ACTIVE


def _granted(raw: Mapping[str, Any], claim: Claim, plan: str) -> Granted | None:
    """What it may have been granted, by the client's UID; None when no client can be told."""
    client_uid = text_at(raw, "status", "inForce", "clientUid")
    if client_uid is None:
        return None
    return Granted(plan, claim.client, client_uid, claim.api, api_uid="", by=Grant.APPROVAL)


def _going(raw: Mapping[str, Any]) -> bool:
    return text_at(raw, "metadata", "deletionTimestamp") is not None


def unreadable_conditions(raw: Mapping[str, Any], problem: str, now: datetime) -> list[Any] | None:
    """The conditions of an object that cannot be read, as JSON: Ready and Stalled say so, the others are as they were.

    None when they say so already, or when the conditions are no list and nothing can be said without overwriting it.
    """
    status = raw.get("status") or {}
    known = (status.get("conditions") or []) if isinstance(status, Mapping) else None
    if not isinstance(known, list):
        return None
    conditions = list(known)
    for kind, state in ((ConditionType.READY, "False"), (ConditionType.STALLED, "True")):
        place = next((at for at, one in enumerate(known) if text_at(one, "type") == kind), None)
        condition = _condition(kind, state, known[place] if place is not None else None, raw, problem, now)
        if place is None:
            conditions.append(condition)  # behind the others: a problem may be told by its place in the list
        else:
            conditions[place] = condition
    return conditions if conditions != known else None


def _condition(
    kind: ConditionType, status: str, before: object, raw: Mapping[str, Any], problem: str, now: datetime
) -> dict[str, Any]:
    since = text_at(before, "lastTransitionTime") if text_at(before, "status") == status else None
    return {
        "type": kind.value,
        "status": status,
        "reason": Reason.UNREADABLE.value,
        "message": f"{problem}. {_ADVICE}"[:MAX_MESSAGE],
        "observedGeneration": Metadata.from_object(raw).generation,
        "lastTransitionTime": since or format_time(whole_second(now)),
    }
