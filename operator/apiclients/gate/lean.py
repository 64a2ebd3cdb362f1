"""Views that share what they have in common: there are tens of thousands, made of few different names."""

from dataclasses import replace
from sys import intern

from apiclients.kube.objects import Key
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.approvals import Ruling
from apiclients.lifecycle.calls import ContractView, Granted

_NOTHING: frozenset[str] = frozenset()


def lean_client(view: ClientView) -> ClientView:
    """The same, with shared texts."""
    wish = view.wish if view.wish.acknowledged else replace(view.wish, acknowledged=_NOTHING)
    credentials = tuple(replace(one, pepper=intern(one.pepper)) for one in view.credentials)
    return replace(view, namespace=intern(view.namespace), uid=intern(view.uid), credentials=credentials, wish=wish)


def lean_contract(view: ContractView) -> ContractView:
    """The same, with shared texts."""
    claim = view.claim
    claim = replace(
        claim,
        namespace=intern(claim.namespace),
        uid=intern(claim.uid),
        client=intern(claim.client),
        api=_pair(claim.api),
    )
    return replace(view, claim=claim, in_force=_lean_granted(view.in_force, claim.api))


def _lean_granted(granted: Granted | None, claimed_api: Key) -> Granted | None:
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


def lean_ruling(ruling: Ruling) -> Ruling:
    """The same, with shared texts and without the reason, which is for people."""
    return replace(
        ruling,
        namespace=intern(ruling.namespace),
        contract=_pair(ruling.contract),
        client=intern(ruling.client),
        api=intern(ruling.api),
        plan=intern(ruling.plan),
        bound_uid=intern(ruling.bound_uid) if ruling.bound_uid is not None else None,
        reason=None,
    )


def _pair(key: Key) -> Key:
    return intern(key[0]), intern(key[1])
