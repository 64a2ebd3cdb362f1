"""Retiring needs to know what it ends (rule 9). The same for clients, by name, and for Apis, by count."""

from collections.abc import Collection

from apiclients.resources.api import ApiSpec, ApiStatus, ApiStatusName
from apiclients.resources.apiclient import ApiClientSpec, ApiClientStatus, DesiredStatus


def unacknowledged(spec: ApiClientSpec, active: Collection[str]) -> tuple[str, ...]:
    """The active contracts that a client's retirement does not name. Naming more than there are is fine."""
    return tuple(sorted(set(active) - set(spec.retirement.acknowledged_contracts)))


def retirement_is_held(spec: ApiClientSpec, status: ApiClientStatus, active: Collection[str]) -> bool:
    """Whether spec asks for a retirement that has not been accepted and may not be yet."""
    return (
        spec.desired_status is DesiredStatus.RETIRED
        and status.desired_status is not DesiredStatus.RETIRED
        and bool(unacknowledged(spec, active))
    )


def wish_while_held(status: ApiClientStatus, generation: int) -> DesiredStatus:
    """The wish that stays in force while a retirement is held: the one before it.

    Where status is more than one generation behind, a wish came in between that nobody observed. It may have been a
    suspension, so the client stays refused (rule 16).
    """
    missed_a_wish = generation - _seen_generation(status) > 1
    if missed_a_wish or status.desired_status is None:
        return DesiredStatus.SUSPENDED
    return status.desired_status


def _seen_generation(status: ApiClientStatus) -> int:
    """The generation whose wish is in status. Conditions tell; the root lags behind while Reconciling (rule 24)."""
    return max([status.observed_generation, *(c.observed_generation or 0 for c in status.conditions)])


def accepted_wish(
    spec: ApiClientSpec, status: ApiClientStatus, generation: int, active: Collection[str]
) -> DesiredStatus:
    """The wish in force for a client (rules 8 and 9)."""
    held = retirement_is_held(spec, status, active)
    return wish_while_held(status, generation) if held else spec.desired_status


def client_retirement_message(spec: ApiClientSpec, active: Collection[str]) -> str:
    """What is missing and the YAML to paste; complete, however many there are."""
    missing = unacknowledged(spec, active)
    names = sorted(set(active))
    return (
        f"The retirement would end {len(set(active))} active contract(s), of which {len(missing)} are not "
        f"acknowledged: {', '.join(missing)}. Nothing changes until spec has: "
        f"retirement: {{acknowledgedContracts: [{', '.join(names)}]}}"
    )


def api_retirement_is_held(spec: ApiSpec, status: ApiStatus, active_count: int) -> bool:
    """Whether an Api's retirement has not been accepted and may not be yet: acknowledged by count."""
    return (
        spec.desired_status is ApiStatusName.RETIRED
        and status.desired_status is not ApiStatusName.RETIRED
        and spec.retirement.acknowledged_contract_count < active_count
    )


def api_retirement_message(active_count: int) -> str:
    """What is missing and the YAML to paste."""
    return (
        f"The retirement would end {active_count} active contract(s). Nothing changes until spec has: "
        f"retirement: {{acknowledgedContractCount: {active_count}}}"
    )
