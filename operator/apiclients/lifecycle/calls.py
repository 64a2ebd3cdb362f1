"""Whether an accepted token may call an Api (DESIGN rules 1, 13, 14 and 16), and what it may be issued for.

What follows from objects alone is a :class:`Route`, made when one of them changes; a call only looks it up.
"""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from apiclients.lifecycle.acknowledgement import api_desired_status_in_force
from apiclients.lifecycle.api_view import ApiView, Route
from apiclients.lifecycle.approvals import Ruling, decisive
from apiclients.lifecycle.contract_view import ContractView, Granted, has_ended, is_as_granted
from apiclients.lifecycle.contracts import grant_stands
from apiclients.resources.api import ApiStatusName


class CallDenial(StrEnum):
    """Why a call to an Api is refused although the token is good."""

    WRONG_AUDIENCE = "wrong_audience"
    NO_CONTRACT = "no_contract"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    API_RETIRED = "api_retired"
    TOKEN_BEFORE_API = "token_before_api"


def api_is_retired(api: ApiView, active_count: int) -> bool:
    """Whether calls get 410: at once when spec says so, unless its own picture says that the retirement is held.

    Publishing again waits until the operator agrees, which it never does once the retirement is final (rule 13).
    """
    by_spec = api_desired_status_in_force(api.desired_status, active_count) is ApiStatusName.RETIRED
    return by_spec or api.desired_status.accepted is ApiStatusName.RETIRED


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
    if not all(ruling.readable for ruling in rulings):
        return CallDenial.NO_CONTRACT  # one of them may be a rejection (rule 32)
    routes = (_through(contract, api, rulings) for contract in known if contract.active and contract.readable)
    return next((found for found in routes if found is not None), CallDenial.NO_CONTRACT)


def _is_between(contract: ContractView, client_uid: str, api: ApiView) -> bool:
    granted = contract.in_force
    if granted is None or granted.client_uid != client_uid or granted.api != (api.namespace, api.name):
        return False
    return _is_same_api(granted, api) and is_as_granted(contract)


def _is_same_api(granted: Granted, api: ApiView) -> bool:
    """Whether it was granted to this Api, and not to one before it of the same name."""
    return granted.api_uid == api.uid


def _through(contract: ContractView, api: ApiView, rulings: list[Ruling]) -> Route | None:
    granted = contract.in_force
    plan = api.plans.get(granted.plan) if granted is not None else None
    if granted is None or plan is None:
        return None
    decided = decisive(contract.claim, granted.plan, rulings)
    if not grant_stands(plan.approval, granted.by, decided):
        return None
    return plan.route if contract.ends is None else replace(plan.route, ends=contract.ends)


def route_at(found: Route | CallDenial, now: float) -> Route | CallDenial:
    """A route at a time, in seconds since the epoch: it ends with the contract, whatever status still says of that."""
    return CallDenial.NO_CONTRACT if isinstance(found, Route) and has_ended(found.ends, now) else found


def without_audience(found: Route | CallDenial) -> CallDenial:
    """Why a call with a good token that is not for the Api is refused.

    Where there is a route another token would pass, and 401 makes callers ask for one; where there is none, none would,
    and 403 says so. A client learns no more by it than by asking for a token (rule 15).
    """
    return found if isinstance(found, CallDenial) else CallDenial.WRONG_AUDIENCE


def issued_scopes(routes: Iterable[Route], wanted: Iterable[str] | None) -> tuple[str, ...] | None:
    """The scopes of a token for these routes: those asked for, or all; None where no plan covers one asked for."""
    covered = {scope for found in routes for scope in found.scopes}
    if wanted is None:
        return tuple(sorted(covered))
    asked = tuple(dict.fromkeys(wanted))
    return asked if covered.issuperset(asked) else None


def issued_for(routes: Iterable[Route], earliest: int) -> int:
    """The ``iat`` of a token for these routes, not before ``earliest``: one that every one of their Apis takes."""
    return max([earliest, *(found.not_before for found in routes)])


def call_scopes(
    found: Route | CallDenial, issued_at: int, token_scopes: tuple[str, ...] | None, required: tuple[str, ...] = ()
) -> tuple[str, ...] | CallDenial:
    """The scopes under which a call passes: those of the token that the plan covers today, or why it does not.

    A token that is older than the Api was issued for another one of its name (rule 13). Only who has a contract is
    told so (rule 15).
    A token without scopes passes where none is required; one whose scopes the plan covers none of does not, unless the
    plan knows no scopes: then those of the token are meant for other Apis. Where scopes of tokens are not looked at
    (None: `TokenIssuer.spec.scopesFrom`) the plan decides alone.
    """
    if isinstance(found, CallDenial):
        return found
    if issued_at < found.not_before:
        return CallDenial.TOKEN_BEFORE_API
    if token_scopes is None:
        token_scopes = tuple(found.scopes)
    covered = tuple([scope for scope in token_scopes if scope in found.scopes])
    if (token_scopes and found.scopes and not covered) or (required and not set(required).issubset(covered)):
        return CallDenial.INSUFFICIENT_SCOPE
    return covered
