"""Contracts: whether one is in force, under which plan, and why not (rules 8, 12 to 15)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apiclients.lifecycle.approvals import Ruling, claim, decisive, ruling
from apiclients.lifecycle.verdicts import Verdict, told
from apiclients.resources.api import ApiStatusName, Approval, Consumers, ConsumersFrom, Plan
from apiclients.resources.apiclient import MAX_CONTRACTS, ClientContracts, DesiredStatus
from apiclients.resources.approval import Verdict as Say
from apiclients.resources.conditions import REASONS, ConditionType, Reason
from apiclients.resources.contract import ContractStatus, ContractStatusName, Grant, PlanInForce
from apiclients.resources.objects import Api, ApiClient, Contract, ContractApproval

#: Waiting for something or somebody.
PENDING = frozenset({ContractStatusName.PENDING, ContractStatusName.PENDING_APPROVAL})


@dataclass(frozen=True, slots=True)
class ObservedContract:
    """Everything that a decision about one contract depends on."""

    contract: Contract
    client: ApiClient | None
    #: The Api, if it is there and this namespace may contract it: the two read the same (rule 15).
    api: Api | None
    #: Approvals in the Api's namespace that may speak of this contract.
    approvals: tuple[ContractApproval, ...] = ()
    #: Other contracts of the same client for the same Api.
    rivals: tuple[Contract, ...] = ()
    #: How many other contracts of the client are active.
    active_beside: int = 0


def may_contract(consumers: Consumers, api_namespace: str, namespace: str, labels: dict[str, str] | None) -> bool:
    """Whether a namespace, with these labels, may contract an Api. Unknown labels are no permission."""
    if namespace == api_namespace or consumers.from_ is ConsumersFrom.ALL:
        return True
    selector = consumers.selector
    return (
        consumers.from_ is ConsumersFrom.SELECTOR
        and selector is not None
        and labels is not None
        and selector.matches(labels)
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one rule says about a contract."""

    status: ContractStatusName
    reason: Reason
    message: str
    stalled: bool = False
    #: Whether the operator has done all that it can (rule 24).
    ready: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """One contract under judgement. ``keeps`` is the earlier plan that stays in force meanwhile, if any."""

    observed: ObservedContract
    keeps: PlanInForce | None

    @property
    def contract(self) -> Contract:
        return self.observed.contract

    @property
    def plan(self) -> Plan | None:
        return _plan(self.observed.api, self.contract.spec.plan)

    @property
    def decided(self) -> Ruling | None:
        return _decided(self.observed, self.contract.spec.plan)

    @property
    def kept_plan(self) -> bool:
        """Whether the wanted plan is the one in force: it stays so even when the plan turned Manual (rule 14)."""
        return self.keeps is not None and self.keeps.plan == self.contract.spec.plan


def decide_contract(observed: ObservedContract, now: datetime) -> ContractStatus:
    """The status of a contract. Nothing here changes the client or another contract (rule 12)."""
    contract = observed.contract
    case = _Case(observed, _still_granted(observed))
    outcome = next((found for rule in _RULES if (found := rule(case)) is not None), _granted(case))
    in_force = _in_force(case, outcome)
    active = in_force is not None and outcome.status is not ContractStatusName.INACTIVE
    verdicts = {
        ConditionType.READY: Verdict(outcome.ready, outcome.reason, outcome.message),
        ConditionType.ACTIVE: _active(in_force, outcome) if active else Verdict(False, outcome.reason, outcome.message),
        ConditionType.STALLED: Verdict(True, outcome.reason, outcome.message) if outcome.stalled else None,
    }
    return ContractStatus(
        observed_generation=contract.metadata.generation,
        observed_status=ContractStatusName.ACTIVE if active else outcome.status,
        in_force=in_force,
        conditions=told(verdicts, contract.status.conditions, contract.metadata.generation, now),
    )


def _still_granted(observed: ObservedContract) -> PlanInForce | None:
    """The plan in force, if what let it in still stands: same client and Api, the plan there, its approval there."""
    known, contract = observed.contract.status.in_force, observed.contract
    if known is None or observed.client is None or observed.api is None:
        return None
    same = (known.client_name, known.client_uid, known.api) == (
        contract.spec.client_name,
        observed.client.metadata.uid,
        contract.spec.api,
    )
    plan = _plan(observed.api, known.plan)
    if not same or plan is None:
        return None
    return known if grant_stands(plan.approval, known.granted_by, _decided(observed, known.plan)) else None


def grant_stands(approval: Approval, granted_by: Grant, decided: Ruling | None) -> bool:
    """Whether what let a plan into force still does: its approval must stay, and nobody may have rejected it (rule 14).

    A plan that came into force by itself stays so when it turns Manual.
    """
    if decided is not None:
        return decided.decision is Say.APPROVED
    return approval is Approval.AUTOMATIC or granted_by is Grant.AUTOMATIC


def _decided(observed: ObservedContract, plan: str) -> Ruling | None:
    return decisive(claim(observed.contract), plan, map(ruling, observed.approvals))


def _client_missing(case: _Case) -> _Outcome | None:
    client = case.observed.client
    if client is not None and not client.metadata.deleting:
        return None
    return _Outcome(
        ContractStatusName.PENDING,
        Reason.CLIENT_NOT_FOUND,
        f"There is no ApiClient {case.contract.spec.client_name} in this namespace (yet).",
    )


def _younger_rival(case: _Case) -> _Outcome | None:
    """At most one contract counts per client and Api: the oldest."""
    older = [rival for rival in case.observed.rivals if age_key(rival) < age_key(case.contract)]
    if not older:
        return None
    name = min(older, key=age_key).metadata.name
    return _Outcome(
        ContractStatusName.INACTIVE,
        Reason.CONFLICT,
        f"Contract {name} of the same client for the same Api is older and counts: delete one of the two.",
        stalled=True,
    )


def age_key(contract: Contract) -> tuple[str, str]:
    """Sorts contracts by age; the UID decides between those of the same second."""
    created = contract.metadata.creation_time
    return (created.isoformat() if created else "9999", contract.metadata.uid)


def _client_retired(case: _Case) -> _Outcome | None:
    """A retirement that was accepted ends contracts; one that is only asked for lets none become active (rule 8)."""
    client = case.observed.client
    if client is None:
        return None
    accepted = client.status.desired_status is DesiredStatus.RETIRED
    asked = client.spec.desired_status is DesiredStatus.RETIRED
    was_active = case.contract.status.observed_status is ContractStatusName.ACTIVE
    if not accepted and not (asked and not was_active):
        return None
    return _Outcome(ContractStatusName.INACTIVE, Reason.CLIENT_RETIRED, REASONS[Reason.CLIENT_RETIRED], ready=True)


def _api_missing(case: _Case) -> _Outcome | None:
    if case.observed.api is not None:
        return None
    api = case.contract.spec.api
    return _Outcome(
        ContractStatusName.PENDING,
        Reason.API_NOT_FOUND,
        f"There is no Api {api.namespace}/{api.name} that this namespace may contract (yet).",
    )


def _api_retired(case: _Case) -> _Outcome | None:
    api = case.observed.api
    if api is None or api.status.desired_status is not ApiStatusName.RETIRED:
        return None
    return _Outcome(ContractStatusName.INACTIVE, Reason.API_RETIRED, REASONS[Reason.API_RETIRED], ready=True)


def _plan_missing(case: _Case) -> _Outcome | None:
    if case.plan is not None or case.observed.api is None:
        return None
    plans = ", ".join(plan.name for plan in case.observed.api.spec.plans)
    return _Outcome(
        ContractStatusName.PENDING,
        Reason.PLAN_NOT_FOUND,
        f"The Api has no plan {case.contract.spec.plan}; it has: {plans}.",
    )


def _rejected(case: _Case) -> _Outcome | None:
    decided = case.decided
    if decided is None or decided.decision is not Say.REJECTED:
        return None
    why = f": {decided.reason}" if decided.reason else "."
    return _Outcome(
        ContractStatusName.REJECTED,
        Reason.REJECTED,
        f"Plan {case.contract.spec.plan} was rejected by the Api's owner{why}",
        stalled=True,
    )


def _waits_for_approval(case: _Case) -> _Outcome | None:
    plan = case.plan
    if plan is None or plan.approval is Approval.AUTOMATIC or case.decided is not None or case.kept_plan:
        return None
    return _Outcome(
        ContractStatusName.PENDING_APPROVAL,
        Reason.PENDING_APPROVAL,
        f"Plan {plan.name} waits for a ContractApproval in namespace {case.contract.spec.api.namespace}.",
        ready=True,
    )


def _too_many(case: _Case) -> _Outcome | None:
    if case.observed.active_beside < MAX_CONTRACTS or case.keeps is not None:
        return None
    return _Outcome(
        ContractStatusName.INACTIVE,
        Reason.TOO_MANY_CONTRACTS,
        f"The client has {MAX_CONTRACTS} active contracts, as many as there can be: delete one.",
        stalled=True,
    )


_RULES: tuple[Callable[[_Case], _Outcome | None], ...] = (
    _client_missing,
    _younger_rival,
    _client_retired,
    _api_missing,
    _api_retired,
    _plan_missing,
    _rejected,
    _waits_for_approval,
    _too_many,
)

#: Under these the earlier plan stays in force, if there is one: the new one is not there yet (make before break).
_KEEPS_EARLIER_PLAN = frozenset({Reason.PLAN_NOT_FOUND, Reason.REJECTED, Reason.PENDING_APPROVAL})
#: Under these what was in force is remembered: it comes back as it was when the retirement is reverted (rule 8).
_REMEMBERS_PLAN = frozenset({Reason.CLIENT_RETIRED, Reason.API_RETIRED})


def _granted(case: _Case) -> _Outcome:
    return _Outcome(
        ContractStatusName.ACTIVE, Reason.ACTIVE, f"Plan {case.contract.spec.plan} is in force.", ready=True
    )


def _in_force(case: _Case, outcome: _Outcome) -> PlanInForce | None:
    if outcome.status is ContractStatusName.ACTIVE:
        return _new_grant(case)
    if outcome.reason in _KEEPS_EARLIER_PLAN:
        return case.keeps
    if outcome.reason in _REMEMBERS_PLAN:
        return case.contract.status.in_force
    return None


def _new_grant(case: _Case) -> PlanInForce | None:
    client = case.observed.client
    if client is None:
        return None
    automatic = case.plan is not None and case.plan.approval is Approval.AUTOMATIC
    kept = case.keeps if case.kept_plan else None
    granted_by = Grant.APPROVAL if case.decided is not None else kept.granted_by if kept else Grant.AUTOMATIC
    return PlanInForce(
        plan=case.contract.spec.plan,
        client_name=case.contract.spec.client_name,
        client_uid=client.metadata.uid,
        api=case.contract.spec.api,
        granted_by=Grant.AUTOMATIC if automatic else granted_by,
    )


def _active(in_force: PlanInForce | None, outcome: _Outcome) -> Verdict:
    plan = in_force.plan if in_force is not None else ""
    message = f"Plan {plan} is in force" + ("." if outcome.reason is Reason.ACTIVE else "; the new one is not yet.")
    return Verdict(True, Reason.ACTIVE, message)


def _plan(api: Api | None, name: str) -> Plan | None:
    return next((plan for plan in api.spec.plans if plan.name == name), None) if api is not None else None


@dataclass(frozen=True, slots=True)
class ContractSummary:
    """What its client and its Api need to know of a contract."""

    status: ContractStatusName
    client_name: str
    api: tuple[str, str]
    plan: str
    #: Also where an earlier plan is in force meanwhile.
    waits_for_approval: bool


def summarize(raw: Mapping[str, Any]) -> ContractSummary:
    """The summary of a contract as JSON; it is made for every change of every contract, so nothing more is read."""
    spec, status = raw["spec"], raw.get("status") or {}
    reasons = {c["type"]: c["reason"] for c in status.get("conditions") or []}
    return ContractSummary(
        status=ContractStatusName(status.get("observedStatus") or ContractStatusName.PENDING),
        client_name=spec["clientName"],
        api=(spec["api"]["namespace"], spec["api"]["name"]),
        plan=spec["plan"],
        waits_for_approval=reasons.get(ConditionType.READY) == Reason.PENDING_APPROVAL,
    )


def contracts_of_client(contracts: Mapping[str, ContractSummary]) -> ClientContracts:
    """Counts of a client's contracts by name, and the names of those in force."""
    seen = [summary.status for summary in contracts.values()]
    active = sorted(name for name, summary in contracts.items() if summary.status is ContractStatusName.ACTIVE)
    return ClientContracts(
        active=len(active),
        pending=sum(status in PENDING for status in seen),
        rejected=seen.count(ContractStatusName.REJECTED),
        active_names=active[:MAX_CONTRACTS],
    )
