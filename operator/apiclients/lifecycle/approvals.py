"""Approvals: which contract they speak of, and whether they count (DESIGN section 2, ContractApproval)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apiclients.lifecycle.verdicts import Verdict, told
from apiclients.resources.approval import Binding, ContractApprovalStatus
from apiclients.resources.approval import Verdict as Say
from apiclients.resources.conditions import REASONS, ConditionType, Reason
from apiclients.resources.objects import Contract, ContractApproval


@dataclass(frozen=True, slots=True)
class Claim:
    """What a contract claims, so far as an approval has to match it."""

    namespace: str
    name: str
    uid: str
    client: str
    api: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an approval says, and of whom."""

    name: str
    namespace: str
    contract: tuple[str, str]
    client: str
    api: str
    plan: str
    decision: Say
    reason: str | None
    #: UID of the contract that this generation of the approval was bound to.
    bound_uid: str | None
    deleting: bool
    #: UID of the contract that it was bound to before its latest edit, until it is bound anew.
    bound_before: str | None = None


def claim(contract: Contract) -> Claim:
    """The claim of a contract."""
    meta, spec = contract.metadata, contract.spec
    return Claim(meta.namespace, meta.name, meta.uid, spec.client_name, (spec.api.namespace, spec.api.name))


def ruling(approval: ContractApproval) -> Ruling:
    """The ruling of an approval."""
    spec, bound = approval.spec, approval.status.bound
    uid = bound.contract_uid if bound is not None else None
    in_this_generation = bound is not None and bound.generation == approval.metadata.generation
    return Ruling(
        name=approval.metadata.name,
        namespace=approval.metadata.namespace,
        contract=(spec.contract.namespace, spec.contract.name),
        client=spec.client,
        api=spec.api,
        plan=spec.plan,
        decision=spec.decision,
        reason=spec.reason,
        bound_uid=uid if in_this_generation else None,
        deleting=approval.metadata.deleting,
        bound_before=None if in_this_generation else uid,
    )


def speaks_of(ruling: Ruling, claim: Claim, plan: str) -> bool:
    """Whether a ruling names a contract, its client, its Api, in the Api's own namespace, and this plan."""
    return (
        ruling.contract == (claim.namespace, claim.name)
        and ruling.client == claim.client
        and (ruling.namespace, ruling.api) == claim.api
        and ruling.plan == plan
        and not ruling.deleting
    )


def counts(ruling: Ruling, claim: Claim, plan: str) -> bool:
    """Whether a ruling counts: it speaks of the contract, and was bound to this very one in this generation.

    A rejection that is not bound yet counts too, so that nothing passes until it is: spec denies at once (rule 16).
    """
    bound_here = ruling.bound_uid == claim.uid
    denies_already = ruling.bound_uid is None and ruling.decision is Say.REJECTED
    return speaks_of(ruling, claim, plan) and (bound_here or denies_already)


def goes_on_counting(ruling: Ruling, claim: Claim, plan: str) -> bool:
    """Whether a ruling counted before it was edited, and will when it is bound anew."""
    return speaks_of(ruling, claim, plan) and ruling.bound_before == claim.uid


def decisive(claim: Claim, plan: str, rulings: Iterable[Ruling], *, binding: bool = False) -> Ruling | None:
    """The ruling that decides about a plan of a contract: a rejection wins; None while nobody has said anything.

    ``binding`` is for the operator, which binds edited approvals anew: to it they go on counting meanwhile. Otherwise
    an edited reason would end a contract for a moment, in which a retirement that is held for it would be accepted.
    """
    counting = [
        ruling
        for ruling in rulings
        if counts(ruling, claim, plan) or (binding and goes_on_counting(ruling, claim, plan))
    ]
    rejections = [ruling for ruling in counting if ruling.decision is Say.REJECTED]
    return min(rejections or counting, key=lambda ruling: ruling.name, default=None)


def decide_approval(
    approval: ContractApproval,
    contract: Contract | None,
    others: Iterable[ContractApproval],
    now: datetime,
) -> ContractApprovalStatus:
    """The status of an approval; it is bound to the first contract that it matches, anew after each edit.

    ``others`` are the approvals that may speak of the same contract. A contract with an Api of another namespace reads
    like one that is not there: its terms are none of this owner's business.
    """
    if contract is not None and contract.spec.api.namespace != approval.metadata.namespace:
        contract = None
    bound = _binding(approval, contract)
    verdict = _judge(approval, bound, contract, others)
    return ContractApprovalStatus(
        observed_generation=approval.metadata.generation,
        bound=bound,
        conditions=told({ConditionType.READY: verdict}, approval.status.conditions, approval.metadata.generation, now),
    )


def _binding(approval: ContractApproval, contract: Contract | None) -> Binding | None:
    bound = approval.status.bound
    if bound is not None and bound.generation == approval.metadata.generation:
        return bound
    if contract is None or not speaks_of(ruling(approval), claim(contract), contract.spec.plan):
        return None
    return Binding(contract_uid=contract.metadata.uid, generation=approval.metadata.generation)


def _judge(
    approval: ContractApproval,
    bound: Binding | None,
    contract: Contract | None,
    others: Iterable[ContractApproval],
) -> Verdict:
    if contract is None:
        return Verdict(False, Reason.CONTRACT_NOT_FOUND, REASONS[Reason.CONTRACT_NOT_FOUND])
    matches = speaks_of(ruling(approval), claim(contract), approval.spec.plan)
    if bound is None or bound.contract_uid != contract.metadata.uid or not matches:
        return Verdict(False, Reason.MISMATCH, _mismatch(approval, contract, bound if matches else None))
    decided = decisive(claim(contract), approval.spec.plan, map(ruling, others), binding=True)
    if decided is not None and decided.decision is not approval.spec.decision:
        return Verdict(True, Reason.OUTVOTED, f"{decided.name} rejects the same contract, and that wins.")
    return Verdict(True, Reason.COUNTED, f"{approval.spec.decision}: counts for plan {approval.spec.plan}.")


def _mismatch(approval: ContractApproval, contract: Contract, bound: Binding | None) -> str:
    if bound is not None:
        return (
            "This approval was given to an earlier contract of that name: "
            "edit it, for example its reason, to approve the new one"
        )
    wanted = contract.spec
    return (
        f"The contract asks for client {wanted.client_name}, api {wanted.api.namespace}/{wanted.api.name}, "
        f"plan {wanted.plan}; the approval has client {approval.spec.client}, "
        f"api {approval.metadata.namespace}/{approval.spec.api}, plan {approval.spec.plan}: all must be the same"
    )
