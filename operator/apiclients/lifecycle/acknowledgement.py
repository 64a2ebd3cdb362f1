"""Retiring needs to know what it ends (rule 9). The same for clients, by name, and for Apis, by count."""

from collections.abc import Collection
from dataclasses import dataclass

from apiclients.resources.api import ApiStatusName
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.objects import Api, ApiClient


@dataclass(frozen=True, slots=True)
class ClientWish:
    """What a client's spec asks for, and what of it was accepted."""

    desired: DesiredStatus
    acknowledged: frozenset[str]
    #: The wish in force, when the operator has set one.
    accepted: DesiredStatus | None
    #: How many generations of wishes the status is behind.
    behind: int


def client_wish(client: ApiClient) -> ClientWish:
    """The wish of a client."""
    return ClientWish(
        desired=client.spec.desired_status,
        acknowledged=frozenset(client.spec.retirement.acknowledged_contracts),
        accepted=client.status.desired_status,
        behind=client.metadata.generation - (client.status.desired_generation or 0),
    )


def unacknowledged(wish: ClientWish, active: Collection[str]) -> tuple[str, ...]:
    """The active contracts that a client's retirement does not name. Naming more than there are is fine."""
    return tuple(sorted(set(active) - wish.acknowledged))


def retirement_is_held(wish: ClientWish, active: Collection[str]) -> bool:
    """Whether spec asks for a retirement that has not been accepted and may not be yet."""
    asked = wish.desired is DesiredStatus.RETIRED and wish.accepted is not DesiredStatus.RETIRED
    return asked and bool(unacknowledged(wish, active))


def wish_in_force(wish: ClientWish, active: Collection[str]) -> DesiredStatus:
    """The wish in force: what spec says, or while a retirement is held the wish before it (rules 8 and 9).

    Where status is more than one generation behind, a wish came in between that nobody observed. It may have been a
    suspension, so the client stays refused (rule 16).
    """
    if not retirement_is_held(wish, active):
        return wish.desired
    if wish.behind > 1 or wish.accepted is None:
        return DesiredStatus.SUSPENDED
    return wish.accepted


def client_retirement_message(wish: ClientWish, active: Collection[str]) -> str:
    """What is missing and the YAML to paste; complete, however many there are."""
    missing = unacknowledged(wish, active)
    return (
        f"The retirement would end {len(set(active))} active contract(s), of which {len(missing)} are not "
        f"acknowledged: {', '.join(missing)}. Nothing changes until spec has: "
        f"retirement: {{acknowledgedContracts: [{', '.join(sorted(set(active)))}]}}"
    )


@dataclass(frozen=True, slots=True)
class ApiWish:
    """What an Api's spec asks for, and what of it was accepted."""

    desired: ApiStatusName
    acknowledged_count: int
    accepted: ApiStatusName | None


def api_wish(api: Api) -> ApiWish:
    """The wish of an Api."""
    return ApiWish(
        desired=api.spec.desired_status,
        acknowledged_count=api.spec.retirement.acknowledged_contract_count,
        accepted=api.status.desired_status,
    )


def api_retirement_is_held(wish: ApiWish, active_count: int) -> bool:
    """Whether an Api's retirement has not been accepted and may not be yet: acknowledged by count."""
    asked = wish.desired is ApiStatusName.RETIRED and wish.accepted is not ApiStatusName.RETIRED
    return asked and wish.acknowledged_count < active_count


def api_wish_in_force(wish: ApiWish, active_count: int) -> ApiStatusName:
    """The wish in force for an Api. An Api has no wish but these two, so none can have been missed."""
    if not api_retirement_is_held(wish, active_count):
        return wish.desired
    return wish.accepted or ApiStatusName.PUBLISHED


def api_retirement_message(active_count: int) -> str:
    """What is missing and the YAML to paste."""
    return (
        f"The retirement would end {active_count} active contract(s). Nothing changes until spec has: "
        f"retirement: {{acknowledgedContractCount: {active_count}}}"
    )
