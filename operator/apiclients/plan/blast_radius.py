"""What a change does to objects that it does not name, and through which change it reaches them."""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from apiclients.engine.contract_index import contract_key
from apiclients.lifecycle.identities import identity_views
from apiclients.plan.changes import changes_of, gravest, outcome, severity
from apiclients.plan.forecast import Forecast
from apiclients.plan.last_use import last_used
from apiclients.plan.model import ChangeKind, Effect
from apiclients.plan.world import World, key_of, parties
from apiclients.resources.objects import (
    AnyObject,
    Api,
    ApiClient,
    ApiClientHold,
    Contract,
    ContractApproval,
    TokenIssuer,
)
from apiclients.resources.refs import ObjectRef


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Objects whose outcome is another one, by name, with the declared changes that reach them."""

    changed: frozenset[ObjectRef]
    causes: dict[ObjectRef, tuple[ObjectRef, ...]]


def blast_radius(seen: Forecast) -> BlastRadius:
    """Everything that turns out otherwise than before."""
    names = seen.before.objects.keys() | seen.after.objects.keys()
    differing = frozenset(
        name
        for name in names
        if seen.before.objects.get(name) is not seen.after.objects.get(name)
        and outcome(seen.before.objects.get(name)) != outcome(seen.after.objects.get(name))
    )
    changed = frozenset(name for name in differing if name.kind != "ApiClientHold" or name in seen.declared)
    reached = sorted(changed - seen.declared)
    return BlastRadius(changed, {name: _causes(seen, name, changed) for name in reached})


def effect(seen: Forecast, name: ObjectRef) -> Effect | None:
    """What happens to one object, in short; None where nobody would notice."""
    before, after = seen.before.objects.get(name), seen.after.objects.get(name)
    changes = changes_of(before, after)
    if not changes:
        return None
    # "contract ended" says more of a contract that goes than "delete".
    change = ChangeKind.CONTRACT_ENDED if ChangeKind.CONTRACT_ENDED in changes else gravest(changes, before, after)
    old, new = outcome(before), outcome(after)
    grade = severity(change, before, after)
    return Effect(
        name,
        change,
        grade,
        old.status if old is not None else None,
        new.status if new is not None else None,
        new.reason if new is not None else None,
        last_used(before, after, grade),
    )


def _causes(seen: Forecast, name: ObjectRef, changed: Collection[ObjectRef]) -> tuple[ObjectRef, ...]:
    """The declared changes nearest to an object, on a path of objects that change."""
    visited, level = {name}, deque([name])
    while level:
        neighbours = {n for one in level for n in _neighbours(seen, one)} - visited
        found = sorted(neighbours & seen.declared)
        if found:
            return tuple(found)
        visited |= neighbours
        level = deque(sorted(neighbours & set(changed)))
    return ()


def _neighbours(seen: Forecast, name: ObjectRef) -> set[ObjectRef]:
    found: set[ObjectRef] = set()
    for world in (seen.before, seen.after):
        obj = world.objects.get(name)
        if obj is not None:
            found |= set(_around(world, obj))
    return found


def _around(world: World, obj: AnyObject) -> Iterator[ObjectRef]:
    """The objects that one object belongs together with."""
    relations, key = world.relations, key_of(obj)
    match obj:
        case Contract():
            client, api = parties(obj)
            yield ObjectRef("ApiClient", *client)
            yield ObjectRef("Api", *api)
            rivals = map(contract_key, relations.contracts.between(client, api))
            yield from (ObjectRef("Contract", *rival) for rival in rivals if rival != key)
            about = relations.rulings.about(key, api[0])
            yield from (ObjectRef("ContractApproval", ruling.namespace, ruling.name) for ruling in about)
        case ApiClient():
            contracts = map(contract_key, relations.contracts.of_client(key))
            yield from (ObjectRef("Contract", *contract) for contract in contracts)
            holds = ((hold.namespace, hold.name) for hold in relations.holds.of_client(key))
            yield from (ObjectRef("ApiClientHold", *hold) for hold in holds if relations.holds.get(hold) is not None)
            yield from _around_identities(world, obj)
        case Api():
            yield from (ObjectRef("Contract", *contract) for contract in relations.contracts.of_api(key))
        case ContractApproval():
            yield ObjectRef("Contract", obj.spec.contract.namespace, obj.spec.contract.name)
        case ApiClientHold():
            yield from (ObjectRef("ApiClient", key[0], name) for name in relations.clients_of_hold(key))
        case TokenIssuer():
            yield from (ObjectRef("ApiClient", *client) for client in relations.identities.naming(key[1]))


def _around_identities(world: World, client: ApiClient) -> Iterator[ObjectRef]:
    """The TokenIssuers that a client names, and who claims the same subjects of them."""
    for claim in identity_views(client):
        if world.relations.identities.issuer(claim.issuer) is not None:
            yield ObjectRef("TokenIssuer", "", claim.issuer)
        rivals = ((rival.namespace, rival.client) for rival in world.relations.identities.claims(claim.key))
        yield from (ObjectRef("ApiClient", *rival) for rival in rivals if rival != key_of(client))
