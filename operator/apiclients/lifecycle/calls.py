"""Whether an accepted token may call an Api (DESIGN rules 1, 13, 14 and 16), and what it may be issued for.

What follows from objects alone is a :class:`Route`, made when one of them changes; a call only looks it up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from apiclients.lifecycle.acknowledgement import ApiWish, api_wish, api_wish_in_force
from apiclients.lifecycle.approvals import Claim, Ruling, claim, decisive
from apiclients.lifecycle.contracts import grant_stands
from apiclients.resources.api import ApiStatusName, Plan
from apiclients.resources.contract import ContractStatusName, PlanInForce
from apiclients.resources.objects import Api, Contract


class CallDenial(StrEnum):
    """Why a call to an Api is refused although the token is good."""

    WRONG_AUDIENCE = "wrong_audience"
    NO_CONTRACT = "no_contract"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    API_RETIRED = "api_retired"


@dataclass(frozen=True, slots=True)
class ContractView:
    """What the gate keeps of a contract."""

    claim: Claim
    active: bool
    in_force: PlanInForce | None
    deleting: bool


@dataclass(frozen=True, slots=True)
class ApiView:
    """What the gate keeps of an Api."""

    namespace: str
    name: str
    uid: str
    deleting: bool
    wish: ApiWish
    plans: Mapping[str, Plan]


@dataclass(frozen=True, slots=True)
class Route:
    """How a client gets to an Api: the plan in force and what it covers."""

    plan: str
    scopes: tuple[str, ...]
    #: Requests and seconds, for the gateway to enforce.
    rate_limit: tuple[int, int] | None


def contract_view(contract: Contract) -> ContractView:
    """The view of a contract."""
    return ContractView(
        claim=claim(contract),
        active=contract.status.observed_status is ContractStatusName.ACTIVE,
        in_force=contract.status.in_force,
        deleting=contract.metadata.deleting,
    )


def api_view(api: Api) -> ApiView:
    """The view of an Api."""
    return ApiView(
        namespace=api.metadata.namespace,
        name=api.metadata.name,
        uid=api.metadata.uid,
        deleting=api.metadata.deleting,
        wish=api_wish(api),
        plans={plan.name: plan for plan in api.spec.plans},
    )


def api_is_retired(api: ApiView, active_count: int) -> bool:
    """Whether calls get 410: at once when spec says so, unless its own picture says that the retirement is held.

    Publishing again waits until the operator agrees, which it never does once the retirement is final (rule 13).
    """
    by_spec = api_wish_in_force(api.wish, active_count) is ApiStatusName.RETIRED
    return by_spec or api.wish.accepted is ApiStatusName.RETIRED


def counts_as_active(contract: ContractView) -> bool:
    """Whether a contract is in force by spec and status together: edited or deleted, it is not (rule 14)."""
    granted = contract.in_force
    return (
        contract.active
        and not contract.deleting
        and granted is not None
        and granted.client_name == contract.claim.client
        and (granted.api.namespace, granted.api.name) == contract.claim.api
    )


def route(
    client_uid: str,
    contracts: Iterable[ContractView],
    api: ApiView | None,
    rulings: Iterable[Ruling],
    active_count: int,
) -> Route | CallDenial:
    """How a client gets to an Api, or why not.

    ``contracts`` are those between the two, ``rulings`` the approvals that name one of them, ``active_count`` how many
    contracts to the Api are in force.
    """
    known = [c for c in contracts if c.in_force is not None and c.in_force.client_uid == client_uid and not c.deleting]
    if api is None or api.deleting or not known:
        return CallDenial.NO_CONTRACT
    if api_is_retired(api, active_count):
        return CallDenial.API_RETIRED
    rulings = list(rulings)
    routes = (_through(contract, api, rulings) for contract in known if counts_as_active(contract))
    return next((found for found in routes if found is not None), CallDenial.NO_CONTRACT)


def _through(contract: ContractView, api: ApiView, rulings: list[Ruling]) -> Route | None:
    granted = contract.in_force
    plan = api.plans.get(granted.plan) if granted is not None else None
    if granted is None or plan is None:
        return None
    if not grant_stands(plan.approval, granted.granted_by, decisive(contract.claim, plan.name, rulings)):
        return None
    limit = plan.rate_limit
    return Route(
        plan=plan.name,
        scopes=tuple(sorted(plan.scopes)),
        rate_limit=(limit.requests, int(limit.window.total_seconds())) if limit is not None else None,
    )


def call_scopes(
    found: Route | CallDenial, token_scopes: tuple[str, ...], required: tuple[str, ...] = ()
) -> tuple[str, ...] | CallDenial:
    """The scopes under which a call passes: those of the token that the plan covers today, or why it does not.

    A token without scopes passes where none is required; one whose scopes the plan covers none of does not.
    """
    if isinstance(found, CallDenial):
        return found
    covered = tuple(scope for scope in token_scopes if scope in found.scopes)
    if (token_scopes and not covered) or not set(required) <= set(covered):
        return CallDenial.INSUFFICIENT_SCOPE
    return covered
