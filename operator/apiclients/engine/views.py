"""Objects as others see them: what the relations keep of each, by the functions of ``lifecycle``."""

from collections.abc import Callable, Mapping
from typing import Any

from apiclients.lifecycle.access import ClientView, client_view
from apiclients.lifecycle.api_view import ApiView, api_view
from apiclients.lifecycle.approvals import Ruling, ruling
from apiclients.lifecycle.contract_view import ContractView, contract_view
from apiclients.lifecycle.holds import HoldView, hold_view
from apiclients.lifecycle.issuers import IssuerView, issuer_view
from apiclients.lifecycle.unreadable import unreadable_contract, unreadable_hold, unreadable_ruling
from apiclients.resources.objects import (
    READERS,
    AnyObject,
    Api,
    ApiClient,
    ApiClientHold,
    Contract,
    ContractApproval,
    InvalidObjectError,
    TokenIssuer,
)

View = ClientView | ApiView | ContractView | Ruling | HoldView | IssuerView

_VIEWS: Mapping[type[AnyObject], Callable[[Any], View]] = {
    ApiClient: client_view,
    Api: api_view,
    Contract: contract_view,
    ContractApproval: ruling,
    ApiClientHold: hold_view,
    TokenIssuer: issuer_view,
}


def view_of(obj: AnyObject) -> View:
    """The view of an object of any kind."""
    return _VIEWS[type(obj)](obj)


def read_view(kind: str, raw: Mapping[str, Any] | None) -> tuple[View | None, bool]:
    """The view of an object as JSON, None for one that is not there, and whether it could be read.

    Of one that cannot be read it is the most restrictive that it could be, None where its absence is that (rule 32).
    """
    if raw is None:
        return None, True
    try:
        return view_of(READERS[kind](raw)), True
    except InvalidObjectError:
        return unreadable_view(kind, raw), False


def unreadable_view(kind: str, raw: Mapping[str, Any]) -> View | None:
    """The most restrictive view that an object which cannot be read could have; None where its absence is that."""
    match kind:
        case "Contract":
            return unreadable_contract(raw)
        case "ContractApproval":
            return unreadable_ruling(raw)
        case "ApiClientHold":
            return unreadable_hold(raw)
        case _:
            return None
