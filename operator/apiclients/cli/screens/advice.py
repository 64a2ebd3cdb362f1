"""What exactly would unblock a client or a contract: the row of its reason, with what only it can fill in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from apiclients.cli.git.approvals import approval_name, approval_object, request_of
from apiclients.lifecycle.effective import Effective
from apiclients.lifecycle.observation import Observed
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.approval import Decision
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.objects import ApiClient, Contract
from apiclients.resources.reasons import REASONS
from apiclients.resources.yaml_text import dump, flow_list


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, in words and as what to write or type."""

    problem: str
    what: str
    #: YAML or a command, line by line.
    snippet: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    client: ApiClient
    seen: Observed
    ready: Condition | None
    now: datetime

    @property
    def flags(self) -> str:
        return f"{self.client.metadata.name} -n {self.client.metadata.namespace}"


def advice_for_client(
    client: ApiClient, seen: Observed, standing: Condition, ready: Condition | None, now: datetime
) -> tuple[Advice, ...]:
    """What would make a client ready, and what would make it usable; empty when both hold."""
    case = _Case(client, seen, ready, now)
    found: list[Advice] = []
    if ready is not None and ready.status != "True":
        found.append(_for_reason(ready.reason, case))
    elif ready is not None and standing.reason in _UNUSABLE:
        found.append(_for_reason(standing.reason, case))
    held = _for_reason(Reason.HELD, case)
    if standing.reason == Effective.HELD and held not in found:
        found.append(held)
    return tuple(found)


def _for_reason(reason: str, case: _Case) -> Advice:
    """The row of the reason, with what only this client can fill in; the condition's message where it says more."""
    meaning = REASONS[Reason(reason)]
    message = case.ready.message if case.ready is not None else ""
    if not meaning.problem:
        return Advice(reason, message)
    remedy = _REMEDIES[reason](case) if reason in _REMEDIES else meaning.remedy
    snippet = _SNIPPETS[reason](case) if reason in _SNIPPETS else ()
    return Advice(meaning.problem, remedy or message, snippet)


def _release(case: _Case) -> str:
    ends = [hold.expires_time for hold in case.seen.holds]
    times = [end for end in ends if end is not None]
    by_itself = f" By itself it ends at {format_time(max(times))}." if len(times) == len(ends) and times else ""
    return f"{REASONS[Reason.HELD].remedy}{by_itself}"


def _unretire(case: _Case) -> str:
    end = case.client.status.retirement
    if end is not None and case.now < end.final_time:
        return f"Until {format_time(end.final_time)} a revert in Git restores everything as it was."
    return "The grace period is over. Available in Git registers it again, with a new secret."


def _acknowledge_yaml(case: _Case) -> tuple[str, ...]:
    names = flow_list(sorted(case.seen.contracts.active_names))
    return ("spec:", "  retirement:", f"    acknowledgedContracts: {names}")


def _revision_yaml(case: _Case) -> tuple[str, ...]:
    revision = case.client.spec.secret.revision + 1
    return ("spec:", "  secret:", f"    revision: {revision}", "", f"kubectl apiclient rotate {case.flags}")


def _release_commands(case: _Case) -> tuple[str, ...]:
    return tuple(f"kubectl apiclient release --hold {hold.name} -n {hold.namespace}" for hold in case.seen.holds)


_AVAILABLE_YAML = ("spec:", f"  desiredStatus: {DesiredStatus.AVAILABLE}")

#: Conditions of a client that is ready and still not usable.
_UNUSABLE = frozenset({Effective.HELD, Effective.SUSPENDED, Effective.RETIRED, Effective.DELETING})
#: Where what to do depends on the client.
_REMEDIES: dict[str, Callable[[_Case], str]] = {Reason.HELD: _release, Reason.RETIRED: _unretire}
#: YAML to paste, or commands.
_SNIPPETS: dict[str, Callable[[_Case], tuple[str, ...]]] = {
    Reason.ACKNOWLEDGEMENT_REQUIRED: _acknowledge_yaml,
    Reason.EXPIRED: _revision_yaml,
    Reason.CLOCK_SKEW: lambda _: ("kubectl apiclient doctor",),
    Reason.HELD: _release_commands,
    Reason.SUSPENDED: lambda case: (*_AVAILABLE_YAML, "", f"kubectl apiclient resume {case.flags}"),
    Reason.RETIRED: lambda _: _AVAILABLE_YAML,
}


def advice_for_contract(contract: Contract) -> Advice | None:
    """What would bring a contract into force; None when it is, or its client is retired."""
    ready = next((c for c in contract.status.conditions if c.type == ConditionType.READY), None)
    if ready is None or ready.reason in (Reason.ACTIVE, Reason.CLIENT_RETIRED):
        return None
    name = contract.metadata.name
    problem = f"Contract {name} is not in force ({ready.reason})"
    if ready.reason == Reason.GATE_TOO_OLD:
        problem = f"Contract {name}: {REASONS[Reason.GATE_TOO_OLD].problem}"
    elif contract.status.in_force is not None:
        problem = f"Plan {contract.spec.plan} of contract {name} is not in force yet ({ready.reason})"
    if ready.reason == Reason.PENDING_APPROVAL:
        api = contract.spec.api
        what = f"The owner of Api {api.namespace}/{api.name} applies:"
        return Advice(problem, what, _approval_yaml(contract))
    return Advice(problem, REASONS[Reason(ready.reason)].remedy or ready.message)


def _approval_yaml(contract: Contract) -> tuple[str, ...]:
    """The ContractApproval that a contract waits for, under a name that none of another plan has."""
    request = request_of(contract)
    made = approval_object(request, approval_name(request, None, ()), Decision.APPROVED, None)
    return tuple(dump(made).splitlines())
