"""Whether an accepted token may call an Api (DESIGN rules 1, 13, 14 and 16), and what it may be issued for.

What follows from objects alone is a :class:`Route`, made when one of them changes; a call only looks it up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from apiclients.lifecycle.acknowledgement import ApiWish, api_wish, api_wish_in_force
from apiclients.lifecycle.approvals import Claim, Ruling, claim, decisive
from apiclients.lifecycle.contracts import grant_stands
from apiclients.resources.api import ApiStatusName, Approval, Plan
from apiclients.resources.contract import ContractStatusName, Grant, PlanInForce
from apiclients.resources.objects import Api, Contract


class CallDenial(StrEnum):
    """Why a call to an Api is refused although the token is good."""

    WRONG_AUDIENCE = "wrong_audience"
    NO_CONTRACT = "no_contract"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    API_RETIRED = "api_retired"


@dataclass(frozen=True, slots=True)
class Granted:
    """The plan in force and what it holds for, as status has it."""

    plan: str
    client: str
    client_uid: str
    api: tuple[str, str]
    api_uid: str
    by: Grant


@dataclass(frozen=True, slots=True)
class ContractView:
    """What the gate keeps of a contract."""

    claim: Claim
    active: bool
    in_force: Granted | None
    deleting: bool


@dataclass(frozen=True, slots=True)
class Route:
    """How a client gets to an Api: the plan in force and what it covers."""

    plan: str
    scopes: tuple[str, ...]
    #: Requests and seconds, for the gateway to enforce.
    rate_limit: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class PlanView:
    """One plan of an Api: who lets contracts in, and the route of all contracts under it."""

    approval: Approval
    route: Route


@dataclass(frozen=True, slots=True)
class ApiView:
    """What the gate keeps of an Api."""

    namespace: str
    name: str
    uid: str
    deleting: bool
    wish: ApiWish
    plans: Mapping[str, PlanView]


def contract_view(contract: Contract) -> ContractView:
    """The view of a contract."""
    return ContractView(
        claim=claim(contract),
        active=contract.status.observed_status is ContractStatusName.ACTIVE,
        in_force=_granted(contract.status.in_force),
        deleting=contract.metadata.deleting,
    )


def _granted(known: PlanInForce | None) -> Granted | None:
    if known is None:
        return None
    return Granted(
        plan=known.plan,
        client=known.client_name,
        client_uid=known.client_uid,
        api=(known.api.namespace, known.api.name),
        api_uid=known.api_uid,
        by=known.granted_by,
    )


def api_view(api: Api) -> ApiView:
    """The view of an Api."""
    return ApiView(
        namespace=api.metadata.namespace,
        name=api.metadata.name,
        uid=api.metadata.uid,
        deleting=api.metadata.deleting,
        wish=api_wish(api),
        plans={plan.name: PlanView(plan.approval, _route(plan)) for plan in api.spec.plans},
    )


def _route(plan: Plan) -> Route:
    limit = plan.rate_limit
    return Route(
        plan=plan.name,
        scopes=tuple(sorted(plan.scopes)),
        rate_limit=(limit.requests, int(limit.window.total_seconds())) if limit is not None else None,
    )


def api_is_retired(api: ApiView, active_count: int) -> bool:
    """Whether calls get 410: at once when spec says so, unless its own picture says that the retirement is held.

    Publishing again waits until the operator agrees, which it never does once the retirement is final (rule 13).
    """
    by_spec = api_wish_in_force(api.wish, active_count) is ApiStatusName.RETIRED
    return by_spec or api.wish.accepted is ApiStatusName.RETIRED


def counts_as_active(contract: ContractView) -> bool:
    """Whether a contract is in force by spec and status together: edited or deleted, it is not (rule 14)."""
    return contract.active and _is_as_granted(contract)


def _is_as_granted(contract: ContractView) -> bool:
    """Whether a contract still claims what status grants it, or did grant until client or Api was retired."""
    granted, claimed = contract.in_force, contract.claim
    return (
        granted is not None and not contract.deleting and (granted.client, granted.api) == (claimed.client, claimed.api)
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
    contracts to the Api are in force. Who never had one in force is not told that the Api is retired (rule 15).
    """
    if api is None or api.deleting:
        return CallDenial.NO_CONTRACT
    known = [c for c in contracts if _is_between(c, client_uid, api)]
    if known and api_is_retired(api, active_count):
        return CallDenial.API_RETIRED
    rulings = list(rulings)
    routes = (_through(contract, api, rulings) for contract in known if contract.active)
    return next((found for found in routes if found is not None), CallDenial.NO_CONTRACT)


def _is_between(contract: ContractView, client_uid: str, api: ApiView) -> bool:
    granted = contract.in_force
    if granted is None or granted.client_uid != client_uid or granted.api != (api.namespace, api.name):
        return False
    return _is_same_api(granted, api) and _is_as_granted(contract)


def _is_same_api(granted: Granted, api: ApiView) -> bool:
    """Whether it was granted to this Api, and not to one before it of the same name."""
    return granted.api_uid == api.uid


def _through(contract: ContractView, api: ApiView, rulings: list[Ruling]) -> Route | None:
    granted = contract.in_force
    plan = api.plans.get(granted.plan) if granted is not None else None
    if granted is None or plan is None:
        return None
    decided = decisive(contract.claim, granted.plan, rulings)
    return plan.route if grant_stands(plan.approval, granted.by, decided) else None


def issued_scopes(routes: Iterable[Route], wanted: Iterable[str] | None) -> tuple[str, ...] | None:
    """The scopes of a token for these routes: those asked for, or all; None where no plan covers one asked for."""
    covered = {scope for found in routes for scope in found.scopes}
    if wanted is None:
        return tuple(sorted(covered))
    asked = tuple(dict.fromkeys(wanted))
    return asked if covered.issuperset(asked) else None


def call_scopes(
    found: Route | CallDenial, token_scopes: tuple[str, ...], required: tuple[str, ...] = ()
) -> tuple[str, ...] | CallDenial:
    """The scopes under which a call passes: those of the token that the plan covers today, or why it does not.

    A token without scopes passes where none is required; one whose scopes the plan covers none of does not, unless the
    plan knows no scopes: then those of the token are meant for other Apis.
    """
    if isinstance(found, CallDenial):
        return found
    covered = tuple([scope for scope in token_scopes if scope in found.scopes])
    if (token_scopes and found.scopes and not covered) or (required and not set(required).issubset(covered)):
        return CallDenial.INSUFFICIENT_SCOPE
    return covered
