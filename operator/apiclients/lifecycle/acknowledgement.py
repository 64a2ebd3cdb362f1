"""Retiring needs to know what it ends (rule 9). The same for clients, by name, and for Apis, by count."""

from collections.abc import Collection
from dataclasses import dataclass

from apiclients.resources.api import ApiStatusName
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.conditions import MAX_MESSAGE
from apiclients.resources.objects import Api, ApiClient
from apiclients.resources.yaml_text import flow_list

NOTHING_ACKNOWLEDGED: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ClientDesiredStatus:
    """What a client's spec asks for, and what of it was accepted."""

    requested: DesiredStatus
    acknowledged: frozenset[str]
    #: The desired status in force, when the operator has set one.
    accepted: DesiredStatus | None
    #: How many generations of spec the status is behind.
    behind: int


def client_desired_status(client: ApiClient) -> ClientDesiredStatus:
    """The desired status of a client."""
    return ClientDesiredStatus(
        requested=client.spec.desired_status,
        acknowledged=frozenset(client.spec.retirement.acknowledged_contracts) or NOTHING_ACKNOWLEDGED,
        accepted=client.status.desired_status,
        behind=client.metadata.generation - (client.status.desired_generation or 0),
    )


def unacknowledged(status: ClientDesiredStatus, active: Collection[str]) -> tuple[str, ...]:
    """The active contracts that a client's retirement does not name. Naming more than there are is fine."""
    return tuple(sorted(set(active) - status.acknowledged))


def retirement_is_held(status: ClientDesiredStatus, active: Collection[str]) -> bool:
    """Whether spec asks for a retirement that has not been accepted and may not be yet."""
    asked = status.requested is DesiredStatus.RETIRED and status.accepted is not DesiredStatus.RETIRED
    return asked and bool(unacknowledged(status, active))


def desired_status_in_force(status: ClientDesiredStatus, active: Collection[str]) -> DesiredStatus:
    """The desired status in force: what spec says, or while a retirement is held the one before it (rules 8 and 9).

    Where status is more than one generation behind, one came in between that nobody observed. It may have been a
    suspension, so the client stays refused (rule 16).
    """
    if not retirement_is_held(status, active):
        return status.requested
    if status.behind > 1 or status.accepted is None:
        return DesiredStatus.SUSPENDED
    return status.accepted


_REFUSED = (
    "The client is Suspended meanwhile, as it was, or as an earlier spec that nobody observed may have asked for: "
    "desiredStatus: Available resumes it. "
)


def client_retirement_message(status: ClientDesiredStatus, active: Collection[str]) -> str:
    """What is missing and the YAML to paste, which is complete, however many there are and however long their names.

    Both lists together may be longer than a condition's message can be. What is missing is in the YAML too.
    """
    missing, named = unacknowledged(status, active), sorted(set(active))
    refused = _REFUSED if desired_status_in_force(status, active) is DesiredStatus.SUSPENDED else ""
    begin = f"The retirement would end {len(named)} active contract(s), of which {len(missing)} are not acknowledged"
    end = f". {refused}Nothing changes until spec has: retirement: {{acknowledgedContracts: {flow_list(named)}}}"
    message = f"{begin}: {', '.join(missing)}{end}"
    return message if len(message) <= MAX_MESSAGE else begin + end


@dataclass(frozen=True, slots=True)
class ApiDesiredStatus:
    """What an Api's spec asks for, and what of it was accepted."""

    requested: ApiStatusName
    acknowledged_count: int
    accepted: ApiStatusName | None


def api_desired_status(api: Api) -> ApiDesiredStatus:
    """The desired status of an Api."""
    return ApiDesiredStatus(
        requested=api.spec.desired_status,
        acknowledged_count=api.spec.retirement.acknowledged_contract_count,
        accepted=api.status.desired_status,
    )


def api_retirement_is_held(status: ApiDesiredStatus, active_count: int) -> bool:
    """Whether an Api's retirement has not been accepted and may not be yet: acknowledged by count."""
    asked = status.requested is ApiStatusName.RETIRED and status.accepted is not ApiStatusName.RETIRED
    return asked and status.acknowledged_count < active_count


def api_desired_status_in_force(status: ApiDesiredStatus, active_count: int) -> ApiStatusName:
    """The desired status in force for an Api. There are only these two, so none can have been missed."""
    if not api_retirement_is_held(status, active_count):
        return status.requested
    return status.accepted or ApiStatusName.PUBLISHED


def api_retirement_message(active_count: int) -> str:
    """What is missing and the YAML to paste."""
    return (
        f"The retirement would end {active_count} active contract(s). Nothing changes until spec has: "
        f"retirement: {{acknowledgedContractCount: {active_count}}}"
    )
