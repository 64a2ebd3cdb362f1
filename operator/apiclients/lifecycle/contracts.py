"""Contracts: whether one is in force, under which plan, and why not (rules 8, 12 to 15)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.api_view import ApiView, PlanView
from apiclients.lifecycle.approvals import Ruling, decisive
from apiclients.lifecycle.condition_state import ConditionState, build_conditions
from apiclients.lifecycle.contract_view import ContractView, claim, contract_view, has_ended, has_room, stands_first
from apiclients.lifecycle.features import Lacking, features_used, gate_too_old
from apiclients.lifecycle.timing import CLOCK_RETRY
from apiclients.lifecycle.usage import last_used_time
from apiclients.resources.api import ApiStatusName, Approval, Consumers, ConsumersFrom
from apiclients.resources.apiclient import MAX_CONTRACTS, DesiredStatus
from apiclients.resources.approval import Decision
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.contract import ContractStatus, ContractStatusName, Grant, PlanInForce
from apiclients.resources.fields import format_time
from apiclients.resources.objects import Contract
from apiclients.resources.reasons import REASONS

#: How long before its end a contract says so.
END_REMINDER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ObservedContract:
    """Everything that a decision about one contract depends on."""

    contract: Contract
    client: ClientView | None
    #: The Api, if it is there and this namespace may contract it: the two read the same (rule 15).
    api: ApiView | None
    #: What the approvals in the Api's namespace that name this contract say.
    rulings: tuple[Ruling, ...] = ()
    #: Another contract of the same client for the same Api, behind which younger ones wait.
    rival: ContractView | None = None
    #: How many other contracts of the client are active.
    other_active: int = 0
    #: False while this clock disagrees with the API server's: then no contract ends by it (rule 26).
    clock_trusted: bool = True
    #: Which living gates do not obey which features (rule 33).
    gates_lacking: Lacking = field(default_factory=dict)
    #: The hour in which it was last used, as gates have reported it; None while there is nothing new.
    last_use: int | None = None


def may_contract(consumers: Consumers, api_namespace: str, namespace: str, labels: Mapping[str, str] | None) -> bool:
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
    _Outcome(ContractStatusName.INACTIVE, reason, REASONS[reason].message, ready=True)
    for reason in (Reason.CLIENT_RETIRED, Reason.API_RETIRED)
)


@dataclass(frozen=True, slots=True)
class _Case:
    """One contract under judgement. ``keeps`` is the earlier plan that stays in force meanwhile, if any."""

    observed: ObservedContract
    keeps: PlanInForce | None
    now: datetime

    @property
    def contract(self) -> Contract:
        return self.observed.contract

    @property
    def plan(self) -> PlanView | None:
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
    case = _Case(observed, _still_granted(observed), now)
    outcome = next((found for rule in _RULES if (found := rule(case)) is not None), _granted(case))
    in_force = _in_force(case, outcome)
    active = in_force is not None and outcome.status is not ContractStatusName.INACTIVE
    too_old = gate_too_old(features_used(contract), observed.gates_lacking) if active else None
    stalled = too_old or (ConditionState(True, outcome.reason, outcome.message) if outcome.stalled else None)
    states = {
        ConditionType.READY: replace(too_old, holds=False)
        if too_old
        else ConditionState(outcome.ready, outcome.reason, outcome.message),
        ConditionType.ACTIVE: _active(in_force, outcome)
        if active
        else ConditionState(False, outcome.reason, outcome.message),
        ConditionType.EXPIRING_SOON: _ends_soon(case) if active else None,
        ConditionType.STALLED: stalled,
    }
    return ContractStatus(
        observed_generation=contract.metadata.generation,
        observed_status=ContractStatusName.ACTIVE if active else outcome.status,
        in_force=in_force,
        last_used_time=last_used_time(contract.status.last_used_time, observed.last_use, now),
        conditions=build_conditions(states, contract.status.conditions, contract.metadata.generation, now),
    )


def contract_due(contract: Contract, now: datetime, *, clock_trusted: bool) -> datetime | None:
    """When the decision of ``now`` would be another one if nothing else changes: the reminder, or the end.

    Past an end that the clock could not be trusted with: when to ask the clock again.
    """
    ends = contract.spec.end_time
    if ends is None:
        return None
    if has_ended(ends.timestamp(), now.timestamp()):
        return None if clock_trusted else now + CLOCK_RETRY
    return ends - END_REMINDER if ends - now > END_REMINDER else ends


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
    same_client = (known.client_name, known.client_uid) == (spec.client_name, client.uid)
    return same_client and known.api == spec.api and _same_api(known, observed.api)


def _same_api(known: PlanInForce, api: ApiView | None) -> bool:
    return api is not None and known.api_uid == api.uid


def grant_stands(approval: Approval, granted_by: Grant, decided: Ruling | None) -> bool:
    """Whether what let a plan into force still does: its approval must stay, and nobody may have rejected it (rule 14).

    A plan that came into force by itself stays so when it turns Manual.
    """
    if decided is not None:
        return decided.decision is Decision.APPROVED
    return approval is Approval.AUTOMATIC or granted_by is Grant.AUTOMATIC


def _decided(observed: ObservedContract, plan: str) -> Ruling | None:
    return decisive(claim(observed.contract), plan, observed.rulings)


def _ended(case: _Case) -> _Outcome | None:
    """What is in force is not remembered: moved into the future, it is asked for anew."""
    ends = case.contract.spec.end_time
    if ends is None or not case.observed.clock_trusted or not has_ended(ends.timestamp(), case.now.timestamp()):
        return None
    return _Outcome(
        ContractStatusName.INACTIVE, Reason.ENDED, f"The contract ended at {format_time(ends)}.", ready=True
    )


def _ends_soon(case: _Case) -> ConditionState | None:
    ends = case.contract.spec.end_time
    if ends is None or ends - case.now > END_REMINDER:
        return None
    return ConditionState(True, Reason.ENDS_SOON, f"The contract ends at {format_time(ends)}.")


def _client_missing(case: _Case) -> _Outcome | None:
    client = case.observed.client
    if client is not None and not client.deleting:
        return None
    return _Outcome(
        ContractStatusName.PENDING,
        Reason.CLIENT_NOT_FOUND,
        client_not_found(case.contract.spec.client_name),
    )


def client_not_found(name: str) -> str:
    """The message about a client that is not there."""
    return f"There is no ApiClient {name} in this namespace (yet)."


def _older_in_force(case: _Case) -> _Outcome | None:
    """At most one contract is in force per client and Api: the oldest that can be.

    The message does not name it: where it is another one, nothing is written on those that wait behind it all the same.
    """
    rival = case.observed.rival
    if rival is None or not stands_first(rival) or rival.age_key > contract_view(case.contract).age_key:
        return None
    return _Outcome(
        ContractStatusName.INACTIVE,
        Reason.CONFLICT,
        "An older contract of the same client for the same Api is in force: delete one of the two.",
        stalled=True,
    )


def _client_retired(case: _Case) -> _Outcome | None:
    """A retirement that was accepted ends contracts (rule 8)."""
    client = case.observed.client
    if client is None or client.desired_status.accepted is not DesiredStatus.RETIRED:
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
    if api is None or api.desired_status.accepted is not ApiStatusName.RETIRED:
        return None
    return _ENDED_WITH_API


def _plan_missing(case: _Case) -> _Outcome | None:
    if case.plan is not None or case.observed.api is None:
        return None
    plans = ", ".join(sorted(case.observed.api.plans))
    return _Outcome(
        ContractStatusName.PENDING,
        Reason.PLAN_NOT_FOUND,
        f"The Api has no plan {case.contract.spec.plan}; it has: {plans}.",
    )


def _rejected(case: _Case) -> _Outcome | None:
    decided = case.decided
    if decided is None or decided.decision is not Decision.REJECTED:
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
        f"Plan {case.contract.spec.plan} waits for a ContractApproval in namespace {case.contract.spec.api.namespace}.",
        ready=True,
    )


def _retirement_asked_for(case: _Case) -> _Outcome | None:
    """One that is only asked for, because it is held, lets none become active (rule 8); the Api's neither.

    So it makes no difference whether a contract or a retirement came first.
    """
    client, api = case.observed.client, case.observed.api
    if case.goes_on:
        return None
    if client is not None and client.desired is DesiredStatus.RETIRED:
        return _ENDED_WITH_CLIENT
    return _ENDED_WITH_API if api is not None and api.desired_status.requested is ApiStatusName.RETIRED else None


def _too_many(case: _Case) -> _Outcome | None:
    if has_room(case.observed.other_active) or case.goes_on:
        return None
    return _Outcome(
        ContractStatusName.INACTIVE,
        Reason.TOO_MANY_CONTRACTS,
        f"The client has {MAX_CONTRACTS} active contracts, as many as there can be: delete one.",
        stalled=True,
    )


_RULES: tuple[Callable[[_Case], _Outcome | None], ...] = (
    _ended,
    _client_missing,
    _older_in_force,
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
        client_uid=client.uid,
        api=case.contract.spec.api,
        api_uid=api.uid,
        granted_by=Grant.AUTOMATIC if automatic else granted_by,
    )


def _active(in_force: PlanInForce | None, outcome: _Outcome) -> ConditionState:
    plan = in_force.plan if in_force is not None else ""
    message = f"Plan {plan} is in force" + ("." if outcome.reason is Reason.ACTIVE else "; the new one is not yet.")
    return ConditionState(True, Reason.ACTIVE, message)


def _plan(api: ApiView | None, name: str) -> PlanView | None:
    return api.plans.get(name) if api is not None else None
