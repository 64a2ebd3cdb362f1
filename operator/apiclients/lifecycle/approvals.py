"""Approvals: which contract they speak of, and whether they count (DESIGN section 2, ContractApproval)."""

from collections.abc import Iterable
from datetime import datetime

from apiclients.lifecycle.verdicts import Verdict, told
from apiclients.resources.approval import Binding, ContractApprovalStatus
from apiclients.resources.approval import Verdict as Say
from apiclients.resources.conditions import REASONS, ConditionType, Reason
from apiclients.resources.objects import Contract, ContractApproval


def speaks_of(approval: ContractApproval, contract: Contract, plan: str) -> bool:
    """Whether an approval names a contract, its client, its Api, in the Api's own namespace, and this plan."""
    spec, wanted = approval.spec, contract.spec
    return (
        (spec.contract.namespace, spec.contract.name) == (contract.metadata.namespace, contract.metadata.name)
        and spec.client == wanted.client_name
        and (approval.metadata.namespace, spec.api) == (wanted.api.namespace, wanted.api.name)
        and spec.plan == plan
        and not approval.metadata.deleting
    )


def counts(approval: ContractApproval, contract: Contract, plan: str) -> bool:
    """Whether an approval counts: it speaks of the contract, and was bound to this very one in this generation."""
    bound = approval.status.bound
    return (
        speaks_of(approval, contract, plan)
        and bound is not None
        and (bound.contract_uid, bound.generation) == (contract.metadata.uid, approval.metadata.generation)
    )


def verdict_on(contract: Contract, plan: str, approvals: Iterable[ContractApproval]) -> ContractApproval | None:
    """The approval that decides about a plan of a contract: a rejection wins; None while nobody has said anything."""
    counting = [approval for approval in approvals if counts(approval, contract, plan)]
    rejections = [approval for approval in counting if approval.spec.decision is Say.REJECTED]
    return min(rejections or counting, key=lambda approval: approval.metadata.name, default=None)


def decide_approval(
    approval: ContractApproval,
    contract: Contract | None,
    others: Iterable[ContractApproval],
    now: datetime,
) -> ContractApprovalStatus:
    """The status of an approval; it is bound to the first contract that it matches, anew after each edit.

    ``others`` are the approvals that may speak of the same contract.
    """
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
    if contract is None or not speaks_of(approval, contract, contract.spec.plan):
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
    if bound is None or bound.contract_uid != contract.metadata.uid:
        return Verdict(False, Reason.MISMATCH, _mismatch(approval, contract, bound))
    decided = verdict_on(contract, approval.spec.plan, others)
    outvoted = decided is not None and decided.spec.decision is not approval.spec.decision
    if outvoted and decided is not None:
        return Verdict(True, Reason.OUTVOTED, f"{decided.metadata.name} rejects the same contract, and that wins.")
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
