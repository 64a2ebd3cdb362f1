"""What a change does to objects that it does not name, and through which change it reaches them."""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from apiclients.lifecycle.holds import hold_view, matches
from apiclients.plan.changes import changes_of, gravest, severity
from apiclients.plan.forecast import Forecast
from apiclients.plan.model import Change, Effect, ObjectId
from apiclients.plan.outcome import outcome
from apiclients.plan.world import AnyObject, World, contract_of, key_of, parties
from apiclients.resources.objects import Api, ApiClient, ApiClientHold, Contract, ContractApproval


@dataclass(frozen=True, slots=True)
class Ripples:
    """Objects whose outcome is another one, by name, with the declared changes that reach them."""

    changed: frozenset[ObjectId]
    causes: dict[ObjectId, tuple[ObjectId, ...]]


def ripples(seen: Forecast) -> Ripples:
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
    return Ripples(changed, {name: _causes(seen, name, changed) for name in reached})


def effect(seen: Forecast, name: ObjectId) -> Effect | None:
    """What happens to one object, in short; None where nobody would notice."""
    before, after = seen.before.objects.get(name), seen.after.objects.get(name)
    changes = changes_of(before, after)
    if not changes:
        return None
    # "contract ended" says more of a contract that goes than "delete".
    change = Change.CONTRACT_ENDED if Change.CONTRACT_ENDED in changes else gravest(changes, before, after)
    old, new = outcome(before), outcome(after)
    return Effect(
        name,
        change,
        severity(change, before, after),
        old.status if old is not None else None,
        new.status if new is not None else None,
        new.reason if new is not None else None,
    )


def _causes(seen: Forecast, name: ObjectId, changed: Collection[ObjectId]) -> tuple[ObjectId, ...]:
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


def _neighbours(seen: Forecast, name: ObjectId) -> set[ObjectId]:
    found: set[ObjectId] = set()
    for world in (seen.before, seen.after):
        obj = world.objects.get(name)
        if obj is not None:
            found |= set(_around(world, obj))
    return found


def _around(world: World, obj: AnyObject) -> Iterator[ObjectId]:
    match obj:
        case Contract():
            client, api = parties(obj)
            yield ObjectId("ApiClient", *client)
            yield ObjectId("Api", *api)
            yield from (ObjectId("Contract", *key_of(rival)) for rival in world.rivals(obj))
            yield from (ObjectId("ContractApproval", *key_of(one)) for one in world.approvals_of(key_of(obj)))
        case ApiClient():
            yield from (ObjectId("Contract", *key_of(one)) for one in world.contracts_of_client(key_of(obj)))
            meta = obj.metadata
            for hold in world.holds_in(meta.namespace):
                if matches(hold_view(hold), meta.namespace, meta.name, meta.labels):
                    yield ObjectId("ApiClientHold", *key_of(hold))
        case Api():
            yield from (ObjectId("Contract", *key_of(one)) for one in world.contracts_of_api(key_of(obj)))
        case ContractApproval():
            yield ObjectId("Contract", *contract_of(obj))
        case ApiClientHold():
            yield from (ObjectId("ApiClient", *key_of(c)) for c in world.clients_in(obj.metadata.namespace))
