"""Contracts as lists and screens show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiclients.cli.screens.text import Mark
from apiclients.lifecycle.approvals import near_miss, ruling, speaks_of
from apiclients.lifecycle.contract_view import claim
from apiclients.resources.approval import Decision
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.contract import ContractStatusName, Grant
from apiclients.resources.objects import Contract, ContractApproval

_MARKS = {
    ContractStatusName.ACTIVE: Mark.GOOD,
    ContractStatusName.PENDING: Mark.WAITS,
    ContractStatusName.PENDING_APPROVAL: Mark.WAITS,
    ContractStatusName.REJECTED: Mark.BAD,
    ContractStatusName.INACTIVE: Mark.BAD,
}


@dataclass(frozen=True, slots=True)
class ContractLine:
    """One contract."""

    namespace: str
    name: str
    client: str
    api: str
    plan: str
    plan_in_force: str | None
    status: str
    #: What let it in, or what it waits for.
    approval: str
    #: Why it is not (wholly) in force; None when it is.
    problem: str | None
    reason: str | None
    created: datetime | None
    #: By any gate, to the hour.
    last_used: datetime | None
    mark: Mark


def contract_line(contract: Contract, approvals: Iterable[ContractApproval] = ()) -> ContractLine:
    """One contract; ``approvals`` are those that may speak of it and could be read."""
    spec, status, approvals = contract.spec, contract.status, tuple(approvals)
    ready = condition(status.conditions, ConditionType.READY)
    observed = status.observed_status or ContractStatusName.PENDING
    settled = ready is not None and ready.reason == Reason.ACTIVE
    unseen = status.observed_generation != contract.metadata.generation
    problem = "The operator has not reconciled its latest change yet." if unseen else None
    if problem is None and ready is not None and not settled:
        problem = " ".join([ready.message, *_near_misses(contract, approvals, ready)])
    return ContractLine(
        namespace=contract.metadata.namespace,
        name=contract.metadata.name,
        client=spec.client_name,
        api=f"{spec.api.namespace}/{spec.api.name}",
        plan=spec.plan,
        plan_in_force=status.in_force.plan if status.in_force is not None and _active(observed) else None,
        status=observed,
        approval=_approval(contract, approvals, ready),
        problem=problem,
        reason=ready.reason if ready is not None else None,
        created=contract.metadata.creation_time,
        last_used=status.last_used_time,
        mark=Mark.WAITS if unseen or (_active(observed) and not settled) else _MARKS[observed],
    )


def is_unused(since: timedelta, last: datetime | None, created: datetime | None, now: datetime) -> bool:
    """Whether something was not used for so long; what is younger than that had no time to be."""
    began = last or created
    return began is not None and now - began >= since


def _near_misses(contract: Contract, approvals: Iterable[ContractApproval], ready: Condition) -> list[str]:
    if ready.reason != Reason.PENDING_APPROVAL:
        return []
    told = (near_miss(ruling(one), claim(contract), contract.spec.plan) for one in approvals)
    return sorted(text for text in told if text is not None)


def _active(status: ContractStatusName) -> bool:
    return status is ContractStatusName.ACTIVE


def _approval(contract: Contract, approvals: tuple[ContractApproval, ...], ready: Condition | None) -> str:
    if ready is not None and ready.reason == Reason.PENDING_APPROVAL:
        return "waits for approval"
    if ready is not None and ready.reason == Reason.REJECTED:
        return "rejected" + _by(contract, contract.spec.plan, approvals, Decision.REJECTED)
    in_force = contract.status.in_force
    if in_force is None:
        return "-"
    if in_force.granted_by is Grant.AUTOMATIC:
        return "automatic"
    return "approved" + _by(contract, in_force.plan, approvals, Decision.APPROVED)


def _by(contract: Contract, plan: str, approvals: tuple[ContractApproval, ...], decision: Decision) -> str:
    wanted = claim(contract)
    names = [
        approval.metadata.name
        for approval in approvals
        if approval.spec.decision is decision and speaks_of(ruling(approval), wanted, plan)
    ]
    return f" by {min(names)}" if names else ""


def condition(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of a type, if it is there."""
    return next((c for c in conditions if c.type == kind), None)
