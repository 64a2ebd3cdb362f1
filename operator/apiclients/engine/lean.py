"""Views that share what they have in common: there are tens of thousands, made of few different names."""

from dataclasses import replace
from sys import intern

from apiclients.engine.views import View
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.approvals import Ruling
from apiclients.lifecycle.contract_view import ContractView, Granted
from apiclients.lifecycle.holds import HoldView
from apiclients.resources.refs import NamespacedName

_NOTHING: frozenset[str] = frozenset()


def for_gate(view: View) -> View:
    """The same view, with shared texts and without what only the operator asks for."""
    match shared(view):
        case ClientView() as client:
            return replace(client, secret_name="")
        case Ruling() as ruling:
            return replace(ruling, reason=None)
        case HoldView() as hold:
            return replace(hold, reason="")
        case other:
            return other


def for_operator(view: View) -> View:
    """The same view, with shared texts and without what only the gate asks for."""
    found = shared(view)
    return replace(found, credentials=(), jwks="") if isinstance(found, ClientView) else found


def shared(view: View) -> View:
    """The same view, with shared texts."""
    match view:
        case ClientView():
            return _client(view)
        case ContractView():
            return _contract(view)
        case Ruling():
            return _ruling(view)
        case _:
            return view


def _client(view: ClientView) -> ClientView:
    desired = view.desired_status
    if not desired.acknowledged:
        desired = replace(desired, acknowledged=_NOTHING)
    return replace(
        view,
        namespace=intern(view.namespace),
        uid=intern(view.uid),
        credentials=tuple(replace(one, pepper=intern(one.pepper)) for one in view.credentials),
        desired_status=desired,
    )


def _contract(view: ContractView) -> ContractView:
    claim = view.claim
    claim = replace(
        claim,
        namespace=intern(claim.namespace),
        uid=intern(claim.uid),
        client=intern(claim.client),
        api=_pair(claim.api),
    )
    return replace(view, claim=claim, plan=intern(view.plan), in_force=_lean_granted(view.in_force, claim.api))


def _lean_granted(granted: Granted | None, claimed_api: NamespacedName) -> Granted | None:
    if granted is None:
        return None
    api = claimed_api if granted.api == claimed_api else _pair(granted.api)
    return replace(
        granted,
        plan=intern(granted.plan),
        client=intern(granted.client),
        client_uid=intern(granted.client_uid),
        api=api,
        api_uid=intern(granted.api_uid),
    )


def _ruling(ruling: Ruling) -> Ruling:
    return replace(
        ruling,
        namespace=intern(ruling.namespace),
        contract=_pair(ruling.contract),
        client=intern(ruling.client),
        api=intern(ruling.api),
        plan=intern(ruling.plan),
        bound_uid=intern(ruling.bound_uid) if ruling.bound_uid is not None else None,
    )


def _pair(key: NamespacedName) -> NamespacedName:
    return intern(key[0]), intern(key[1])
