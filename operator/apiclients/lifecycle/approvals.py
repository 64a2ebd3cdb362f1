"""Approvals: which contract they speak of, and whether they count (DESIGN section 2, ContractApproval)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from sys import intern

from apiclients.lifecycle.condition_state import ConditionState, build_conditions
from apiclients.lifecycle.contract_view import Claim, ContractView, is_as_granted, plans_ruled_on
from apiclients.resources.approval import Binding, ContractApprovalStatus, Decision
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import ContractApproval
from apiclients.resources.reasons import REASONS
from apiclients.resources.refs import shared_key


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an approval says, and of whom."""

    name: str
    namespace: str
    contract: tuple[str, str]
    client: str
    api: str
    plan: str
    decision: Decision
    reason: str | None
    #: UID of the contract that it was bound to last.
    bound_uid: str | None
    #: Whether that was done since its latest edit.
    bound_anew: bool
    deleting: bool
    #: False for one that cannot be read: it may be a rejection (rule 32).
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Parties:
    """Between whom a contract is, by UID."""

    client_uid: str
    api_uid: str


def ruling(approval: ContractApproval) -> Ruling:
    """The ruling of an approval. There may be very many, so they share the texts that they have in common."""
    spec, bound = approval.spec, approval.status.bound
    return Ruling(
        name=approval.metadata.name,
        namespace=intern(approval.metadata.namespace),
        contract=shared_key(spec.contract.namespace, spec.contract.name),
        client=intern(spec.client),
        api=intern(spec.api),
        plan=intern(spec.plan),
        decision=spec.decision,
        reason=spec.reason,
        bound_uid=intern(bound.contract_uid) if bound is not None else None,
        bound_anew=bound is not None and bound.generation == approval.metadata.generation,
        deleting=approval.metadata.deleting,
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


def near_miss(ruling: Ruling, claim: Claim, plan: str) -> str | None:
    """What an approval says that is meant for a contract and differs from it in one thing only; None for any other."""
    pairs = (
        ("contract", "/".join(ruling.contract), f"{claim.namespace}/{claim.name}"),
        ("client", ruling.client, claim.client),
        ("api", f"{ruling.namespace}/{ruling.api}", "/".join(claim.api)),
        ("plan", ruling.plan, plan),
    )
    differing = [(what, said, wanted) for what, said, wanted in pairs if said != wanted]
    if len(differing) != 1 or ruling.deleting:
        return None
    ((what, said, wanted),) = differing
    name = f"ContractApproval {ruling.namespace}/{ruling.name}"
    return f"{name} does not count for it: it says {what} {said}, and not {wanted}."


def counts(ruling: Ruling, claim: Claim, plan: str) -> bool:
    """Whether a ruling counts: it speaks of the contract, and was bound to this very one, now or before its last edit.

    So an edited reason ends nothing until the approval is bound anew, which would be to the same contract.
    """
    return speaks_of(ruling, claim, plan) and (denies_already(ruling) or ruling.bound_uid == claim.uid)


def denies_already(ruling: Ruling) -> bool:
    """Whether it is a rejection that is not bound anew yet: it counts for any contract that it speaks of.

    So nothing passes until it is: spec denies at once (rule 16).
    """
    return ruling.decision is Decision.REJECTED and not ruling.bound_anew


def rank(ruling: Ruling) -> tuple[bool, str]:
    """Of the rulings that count the one of the lowest rank decides: a rejection wins."""
    return ruling.decision is not Decision.REJECTED, ruling.name


def decisive(claim: Claim, plan: str, rulings: Iterable[Ruling]) -> Ruling | None:
    """The ruling that decides about a plan of a contract; None while nobody has said anything."""
    return min((ruling for ruling in rulings if counts(ruling, claim, plan)), key=rank, default=None)


def contract_within_say(contract: ContractView | None, namespace: str) -> ContractView | None:
    """A contract as approvals of a namespace see it: one with an Api of another namespace reads as not there."""
    return contract if contract is not None and contract.claim.api[0] == namespace else None


def decide_approval(
    approval: ContractApproval,
    contract: ContractView | None,
    others: Iterable[Ruling],
    parties: Parties | None,
    now: datetime,
) -> ContractApprovalStatus:
    """The status of an approval; it is bound to the first contract that it matches, anew after each edit.

    It matches a contract that asks for its plan, or in which that plan is in force. Bound once, it stays so through
    edits, whatever the contract asks for meanwhile: an edited reason changes nothing. A contract that is deleted and
    made again between the same ``parties`` is let in again.

    ``others`` is what the approvals that may speak of the same contract say, or the one of them that decides. The terms
    of a contract with an Api of another namespace are none of this owner's business.
    """
    contract = contract_within_say(contract, approval.metadata.namespace)
    bound = _with_parties(_binding(approval, contract, parties), approval, contract)
    ready = _judge(approval, bound, contract, others)
    stalled = replace(ready, holds=True) if _only_a_person_can_go_on(ready, bound, contract) else None
    states = {ConditionType.READY: ready, ConditionType.STALLED: stalled}
    return ContractApprovalStatus(
        observed_generation=approval.metadata.generation,
        bound=bound,
        conditions=build_conditions(states, approval.status.conditions, approval.metadata.generation, now),
    )


def _binding(approval: ContractApproval, contract: ContractView | None, parties: Parties | None) -> Binding | None:
    bound, said = approval.status.bound, ruling(approval)
    matches = contract is not None and speaks_of(said, contract.claim, said.plan)
    if said.bound_anew and not (matches and _lets_in_again(said, bound, contract, parties)):
        return bound
    if contract is None or not matches:
        return None
    if said.bound_uid != contract.claim.uid and said.plan not in plans_ruled_on(contract):
        return None
    return Binding(contract_uid=contract.claim.uid, generation=approval.metadata.generation)


def _lets_in_again(said: Ruling, bound: Binding | None, contract: ContractView | None, parties: Parties | None) -> bool:
    """Whether an approval may speak of a contract that was made again: what it had let in was between the same two."""
    if bound is None or contract is None or parties is None or said.decision is not Decision.APPROVED:
        return False
    same_parties = (bound.client_uid, bound.api_uid) == (parties.client_uid, parties.api_uid)
    return same_parties and bound.contract_uid != contract.claim.uid and said.plan in plans_ruled_on(contract)


def _with_parties(bound: Binding | None, approval: ContractApproval, contract: ContractView | None) -> Binding | None:
    """The binding with whom the contract is in force between, as last seen."""
    if bound is None or contract is None or bound.contract_uid != contract.claim.uid:
        return bound
    known, granted = approval.status.bound, contract.in_force
    if granted is not None and is_as_granted(contract) and granted.plan == approval.spec.plan:
        return bound.model_copy(update={"client_uid": granted.client_uid, "api_uid": granted.api_uid})
    if known is not None and known.contract_uid == bound.contract_uid:
        return bound.model_copy(update={"client_uid": known.client_uid, "api_uid": known.api_uid})
    return bound


def _only_a_person_can_go_on(ready: ConditionState, bound: Binding | None, contract: ContractView | None) -> bool:
    """Whether nothing that is under way will make an approval count (rule 24).

    One that is there before its contract waits for it. One whose contract has gone, or says something else, does not.
    """
    if ready.holds:
        return False
    return bound is not None if contract is None else contract.settled


def _judge(
    approval: ContractApproval,
    bound: Binding | None,
    contract: ContractView | None,
    others: Iterable[Ruling],
) -> ConditionState:
    if contract is None:
        gone = "The contract that this approval was given to is not there any more: delete the approval, or restore it."
        message = REASONS[Reason.CONTRACT_NOT_FOUND].message if bound is None else gone
        return ConditionState(False, Reason.CONTRACT_NOT_FOUND, message)
    matches = speaks_of(ruling(approval), contract.claim, approval.spec.plan)
    if bound is None or bound.contract_uid != contract.claim.uid or not matches:
        return ConditionState(False, Reason.MISMATCH, _mismatch(approval, contract, bound if matches else None))
    decided = decisive(contract.claim, approval.spec.plan, others)
    if decided is not None and decided.decision is not approval.spec.decision:
        return ConditionState(True, Reason.OUTVOTED, f"{decided.name} rejects the same contract, and that wins.")
    return ConditionState(True, Reason.COUNTED, _counted(approval, contract))


def _counted(approval: ContractApproval, contract: ContractView) -> str:
    plan = approval.spec.plan
    now = "." if plan in plans_ruled_on(contract) else f", while the contract asks for plan {contract.plan}."
    return f"{approval.spec.decision}: counts for plan {plan}{now}"


def _mismatch(approval: ContractApproval, contract: ContractView, bound: Binding | None) -> str:
    if bound is not None:
        return (
            "This approval was given to an earlier contract of that name, of another client or Api: "
            "edit it, for example its reason, to approve the new one"
        )
    claimed = contract.claim
    return (
        f"The contract asks for client {claimed.client}, api {'/'.join(claimed.api)}, "
        f"plan {contract.plan}; the approval has client {approval.spec.client}, "
        f"api {approval.metadata.namespace}/{approval.spec.api}, plan {approval.spec.plan}: all must be the same"
    )
