"""What exactly would unblock a client or a contract: one piece of advice per reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from apiclients.lifecycle.effective import Effective
from apiclients.lifecycle.observation import Observed
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.approval import Verdict
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.names import API_VERSION
from apiclients.resources.objects import ApiClient, Contract


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
        found += _told(_UNREADY.get(ready.reason), case)
    elif ready is not None:
        found += _told(_UNUSABLE.get(standing.reason), case)
    if standing.reason == Effective.HELD and not any(advice.problem == _HELD for advice in found):
        found += _held(case)
    return tuple(found)


def _told(rule: "Callable[[_Case], Sequence[Advice]] | None", case: _Case) -> Sequence[Advice]:
    if rule is not None:
        return rule(case)
    unknown = case.ready is not None and case.ready.status != "True"
    return [Advice(case.ready.reason, case.ready.message)] if unknown and case.ready is not None else []


def _acknowledge(case: _Case) -> Sequence[Advice]:
    names = ", ".join(sorted(case.seen.contracts.active_names))
    return [
        Advice(
            "The retirement ends contracts that it does not name",
            "Name all of them in Git, or go back to another desiredStatus.",
            ("spec:", "  retirement:", f"    acknowledgedContracts: [{names}]"),
        )
    ]


def _spec(case: _Case) -> Sequence[Advice]:
    return [Advice("spec cannot be obeyed", case.ready.message if case.ready is not None else "")]


def _message(problem: str) -> Callable[[_Case], Sequence[Advice]]:
    def told(case: _Case) -> Sequence[Advice]:
        return [Advice(problem, case.ready.message if case.ready is not None else "")]

    return told


def _new_revision(case: _Case) -> Sequence[Advice]:
    revision = case.client.spec.secret.revision + 1
    return [
        Advice(
            "The secret has expired and rotation is Manual",
            "Ask for a new secret: change the revision in Git, or request a rotation.",
            ("spec:", "  secret:", f"    revision: {revision}", "", f"kubectl apiclient rotate {case.flags}"),
        )
    ]


def _clock(_: _Case) -> Sequence[Advice]:
    return [
        Advice(
            "The operator's clock is wrong",
            "Set the clock of the operator's node right (NTP), or that of the API server; then it goes on by itself.",
            ("kubectl apiclient doctor",),
        )
    ]


def _first_issue(_: _Case) -> Sequence[Advice]:
    return [Advice("The first secret is being issued", "Wait; if it lasts, look at the operator's log.")]


def _being_deleted(_: _Case) -> Sequence[Advice]:
    return [Advice("It is being deleted", "This cannot be undone. Create it again: it gets a new client id.")]


_HELD = "A hold stops it"


def _held(case: _Case) -> Sequence[Advice]:
    commands = [
        f"kubectl apiclient release --hold {hold.metadata.name} -n {hold.metadata.namespace}"
        for hold in case.seen.holds
    ]
    ends = [hold.spec.expires_time for hold in case.seen.holds]
    times = [end for end in ends if end is not None]
    by_itself = f" By itself it ends at {format_time(max(times))}." if len(times) == len(ends) and times else ""
    return [Advice(_HELD, f"Release it once the reason for it is gone.{by_itself}", tuple(commands))]


def _resume(case: _Case) -> Sequence[Advice]:
    return [
        Advice(
            "spec asks for a suspension",
            "Nothing is lost. To go on, set in Git:",
            ("spec:", f"  desiredStatus: {DesiredStatus.AVAILABLE}", "", f"kubectl apiclient resume {case.flags}"),
        )
    ]


def _unretire(case: _Case) -> Sequence[Advice]:
    end = case.client.status.retirement
    in_time = end is not None and case.now < end.final_time
    what = (
        f"Until {format_time(end.final_time)} a revert in Git restores everything as it was."
        if in_time and end is not None
        else "The grace period is over. Available in Git registers it again, with a new secret."
    )
    return [Advice("spec asks for a retirement", what, ("spec:", f"  desiredStatus: {DesiredStatus.AVAILABLE}"))]


_UNREADY: dict[str, Callable[[_Case], Sequence[Advice]]] = {
    Reason.ACKNOWLEDGEMENT_REQUIRED: _acknowledge,
    Reason.INVALID_SPEC: _spec,
    Reason.EXPIRED: _new_revision,
    Reason.CLOCK_SKEW: _clock,
    Reason.PENDING: _first_issue,
    Reason.SECRET_CONFLICT: _message("Somebody else writes its Secret"),
    Reason.TOO_MANY_SECRETS: _message("Too many secrets overlap"),
    Reason.WRITE_FAILED: _message("The operator cannot write its Secret"),
}

_UNUSABLE: dict[str, Callable[[_Case], Sequence[Advice]]] = {
    Effective.HELD: _held,
    Effective.SUSPENDED: _resume,
    Effective.RETIRED: _unretire,
    Effective.DELETING: _being_deleted,
}


def advice_for_contract(contract: Contract) -> Advice | None:
    """What would bring a contract into force; None when it is, or its client is retired."""
    ready = next((c for c in contract.status.conditions if c.type == ConditionType.READY), None)
    if ready is None or ready.reason in (Reason.ACTIVE, Reason.CLIENT_RETIRED):
        return None
    name = contract.metadata.name
    problem = f"Contract {name} is not in force ({ready.reason})"
    if contract.status.in_force is not None:
        problem = f"Plan {contract.spec.plan} of contract {name} is not in force yet ({ready.reason})"
    if ready.reason == Reason.PENDING_APPROVAL:
        api = contract.spec.api
        what = f"The owner of Api {api.namespace}/{api.name} applies:"
        return Advice(problem, what, approval_yaml(contract))
    return Advice(problem, _CONTRACT_ADVICE.get(ready.reason, ready.message))


_CONTRACT_ADVICE: dict[str, str] = {
    Reason.API_NOT_FOUND: "Check spec.api, or ask its owner to let this namespace in (spec.consumers of the Api).",
    Reason.API_RETIRED: "The Api is retired: contract its successor, and delete this contract.",
    Reason.REJECTED: "Ask the Api's owner, or choose another plan.",
}


def approval_yaml(contract: Contract) -> tuple[str, ...]:
    """The ContractApproval that a contract waits for."""
    meta, spec = contract.metadata, contract.spec
    name = f"{meta.namespace}-{meta.name}"[:63].rstrip("-.")  # contracts of several namespaces may bear one name
    return (
        f"apiVersion: {API_VERSION}",
        "kind: ContractApproval",
        f"metadata: {{name: {name}, namespace: {spec.api.namespace}}}",
        "spec:",
        f"  contract: {{namespace: {meta.namespace}, name: {meta.name}}}",
        f"  client: {spec.client_name}",
        f"  api: {spec.api.name}",
        f"  plan: {spec.plan}",
        f"  decision: {Verdict.APPROVED}",
    )
