"""Contracts: whether one is in force, under which plan, and why not (rules 8, 12 to 15)."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apiclients.lifecycle.approvals import Ruling, claim, decisive, ruling
from apiclients.lifecycle.verdicts import Verdict, told
from apiclients.resources.api import ApiStatusName, Approval, Consumers, ConsumersFrom, ContractCounts, Plan
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


_ENDED_WITH_CLIENT, _ENDED_WITH_API = (
    _Outcome(ContractStatusName.INACTIVE, reason, REASONS[reason], ready=True)
    for reason in (Reason.CLIENT_RETIRED, Reason.API_RETIRED)
)


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
    def goes_on(self) -> bool:
        """Whether it is in force already, and what let it in still stands: so it does not become active now."""
        return self.contract.status.observed_status is ContractStatusName.ACTIVE and self.keeps is not None

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
    known = observed.contract.status.in_force
    plan = _plan(observed.api, known.plan) if known is not None else None
    if known is None or plan is None or not _same_parties(observed):
        return None
    return known if grant_stands(plan.approval, known.granted_by, _decided(observed, known.plan)) else None


def _same_parties(observed: ObservedContract) -> bool:
    """Whether the contract still asks for what status says is, or was, in force.

    Another client or Api is new, of the same name or not.
    """
    known, spec, client = observed.contract.status.in_force, observed.contract.spec, observed.client
    if known is None or client is None:
        return False
    same_client = (known.client_name, known.client_uid) == (spec.client_name, client.metadata.uid)
    return same_client and known.api == spec.api and _same_api(known, observed.api)


def _same_api(known: PlanInForce, api: Api | None) -> bool:
    return api is not None and known.api_uid == api.metadata.uid


def grant_stands(approval: Approval, granted_by: Grant, decided: Ruling | None) -> bool:
    """Whether what let a plan into force still does: its approval must stay, and nobody may have rejected it (rule 14).

    A plan that came into force by itself stays so when it turns Manual.
    """
    if decided is not None:
        return decided.decision is Say.APPROVED
    return approval is Approval.AUTOMATIC or granted_by is Grant.AUTOMATIC


def _decided(observed: ObservedContract, plan: str) -> Ruling | None:
    return decisive(claim(observed.contract), plan, map(ruling, observed.approvals), binding=True)


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
    mine = age_key(case.contract)
    older = [rival for rival in case.observed.rivals if age_key(rival) < mine and not rival.metadata.deleting]
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
    """A retirement that was accepted ends contracts (rule 8)."""
    client = case.observed.client
    if client is None or client.status.desired_status is not DesiredStatus.RETIRED:
        return None
    return _ENDED_WITH_CLIENT


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
    return _ENDED_WITH_API


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


def _retirement_asked_for(case: _Case) -> _Outcome | None:
    """One that is only asked for, because it is held, lets none become active (rule 8); the Api's neither.

    So it makes no difference whether a contract or a retirement came first.
    """
    client, api = case.observed.client, case.observed.api
    if case.goes_on:
        return None
    if client is not None and client.spec.desired_status is DesiredStatus.RETIRED:
        return _ENDED_WITH_CLIENT
    return _ENDED_WITH_API if api is not None and api.spec.desired_status is ApiStatusName.RETIRED else None


def has_room(active: int) -> bool:
    """Whether a client with so many active contracts may have another one (DESIGN section 2, Contract)."""
    return active < MAX_CONTRACTS


def _too_many(case: _Case) -> _Outcome | None:
    if has_room(case.observed.active_beside) or case.goes_on:
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
    _retirement_asked_for,
    _too_many,
)

#: Under these the earlier plan stays in force, if there is one: the new one is not there yet (make before break).
#: Under a retirement it is remembered, as long as it would stand, and comes back when that is reverted (rule 8).
_KEEPS_EARLIER_PLAN = frozenset(
    {
        Reason.PLAN_NOT_FOUND,
        Reason.REJECTED,
        Reason.PENDING_APPROVAL,
        Reason.CLIENT_RETIRED,
        Reason.API_RETIRED,
    }
)


def _granted(case: _Case) -> _Outcome:
    return _Outcome(
        ContractStatusName.ACTIVE, Reason.ACTIVE, f"Plan {case.contract.spec.plan} is in force.", ready=True
    )


def _in_force(case: _Case, outcome: _Outcome) -> PlanInForce | None:
    if outcome.status is ContractStatusName.ACTIVE:
        return _new_grant(case)
    return case.keeps if outcome.reason in _KEEPS_EARLIER_PLAN else None


def _new_grant(case: _Case) -> PlanInForce | None:
    client, api = case.observed.client, case.observed.api
    if client is None or api is None:
        return None
    automatic = case.plan is not None and case.plan.approval is Approval.AUTOMATIC
    kept = case.keeps if case.kept_plan else None
    granted_by = Grant.APPROVAL if case.decided is not None else kept.granted_by if kept else Grant.AUTOMATIC
    return PlanInForce(
        plan=case.contract.spec.plan,
        client_name=case.contract.spec.client_name,
        client_uid=client.metadata.uid,
        api=case.contract.spec.api,
        api_uid=api.metadata.uid,
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
    """The summary of a contract as JSON; it is made for every change of every contract, so nothing more is read.

    One that is being deleted has ended (rule 14), whatever its status said last.
    """
    spec, status, deleting = raw["spec"], raw.get("status") or {}, "deletionTimestamp" in raw["metadata"]
    reasons = {c["type"]: c["reason"] for c in status.get("conditions") or []}
    observed = ContractStatusName(status.get("observedStatus") or ContractStatusName.PENDING)
    return ContractSummary(
        status=ContractStatusName.INACTIVE if deleting else observed,
        client_name=spec["clientName"],
        api=(spec["api"]["namespace"], spec["api"]["name"]),
        plan=spec["plan"],
        waits_for_approval=not deleting and reasons.get(ConditionType.READY) == Reason.PENDING_APPROVAL,
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


def contracts_of_api(contracts: Iterable[ContractSummary]) -> ContractCounts:
    """Counts of an Api's contracts, of whatever namespaces."""
    return contract_counts(Counter(summary.status for summary in contracts))


def contract_counts(seen: Mapping[ContractStatusName, int]) -> ContractCounts:
    """The counts, of how many have which status."""
    return ContractCounts(
        active=seen.get(ContractStatusName.ACTIVE, 0),
        pending=sum(seen.get(status, 0) for status in PENDING),
        rejected=seen.get(ContractStatusName.REJECTED, 0),
    )
