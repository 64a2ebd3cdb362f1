"""What may be in the cluster where nobody looked. Each assumption is told in the plan's notices."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from apiclients.plan.live import LiveState
from apiclients.plan.model import ObjectId
from apiclients.plan.world import Key, World, key_of, parties
from apiclients.resources.api import (
    ApiRetirement,
    ApiSpec,
    ApiStatus,
    ApiStatusName,
    Approval,
    Consumers,
    ConsumersFrom,
    Plan,
)
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import Api, Contract, Metadata


def assume_apis(
    world: World, manifests: Iterable[Mapping[str, Any]], declared: Collection[ObjectId], live: LiveState | None
) -> None:
    """Put a stand-in for each Api that contracts name and that lies where nobody looked.

    It is published and has the plans that contracts name. So a contract that is in force stays so, one that waits goes
    on waiting, and a retirement counts every contract that may be in force.
    """
    wanted: dict[Key, dict[str, Approval]] = {}
    for api, plan, approval in [*_from_live(world), *_from_manifests(manifests)]:
        name = ObjectId("Api", *api)
        if name in world.objects or name in declared or (live is not None and live.knows(api[0])):
            continue
        wanted.setdefault(api, {}).setdefault(plan, approval)
    uids = told_uids(world, live)
    for api, plans in sorted(wanted.items()):
        name = ObjectId("Api", *api)
        world.put(_stand_in(api, plans, uids.get(name, f"assumed-{api[0]}-{api[1]}")))
        world.assumed.add(name)


def told_uids(world: World, live: LiveState | None) -> dict[ObjectId, str]:
    """UIDs of Apis where nobody looked: those to which contracts were granted that are, or were last, in force."""
    told: dict[ObjectId, str] = {}
    contracts = [obj.status for obj in world.objects.values() if isinstance(obj, Contract)]
    for status in sorted(contracts, key=lambda one: one.observed_status is ContractStatusName.ACTIVE):
        granted = status.in_force
        if granted is not None and (live is None or not live.knows(granted.api.namespace)):
            told[ObjectId("Api", granted.api.namespace, granted.api.name)] = granted.api_uid
    return told


def count_unseen(world: World, live: LiveState | None) -> None:
    """Active contracts of an Api that are not among those that were read; its status has counted them."""
    if live is None or live.namespaces is None:
        return
    for name, obj in world.objects.items():
        if isinstance(obj, Api) and obj.status.contracts is not None:
            seen = [contract.status.observed_status for contract in world.contracts_of_api(name.key)]
            unseen = obj.status.contracts.active - seen.count(ContractStatusName.ACTIVE)
            if unseen > 0:
                world.unseen_contracts[key_of(obj)] = unseen


def _from_live(world: World) -> Iterator[tuple[Key, str, Approval]]:
    """What live contracts tell of their Apis: what is in force needs no approval here, what waits does."""
    for obj in world.objects.values():
        if isinstance(obj, Contract):
            _, api = parties(obj)
            if obj.status.in_force is not None:
                yield api, obj.status.in_force.plan, Approval.AUTOMATIC
            waits = obj.status.observed_status in (ContractStatusName.PENDING_APPROVAL, ContractStatusName.REJECTED)
            yield api, obj.spec.plan, Approval.MANUAL if waits or _waits(obj) else Approval.AUTOMATIC


def _from_manifests(manifests: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Key, str, Approval]]:
    for content in manifests:
        if content["kind"] == "Contract":
            spec = content["spec"]
            yield (spec["api"]["namespace"], spec["api"]["name"]), spec["plan"], Approval.AUTOMATIC


def _waits(contract: Contract) -> bool:
    ready = next((c for c in contract.status.conditions if c.type == ConditionType.READY), None)
    return ready is not None and ready.reason == Reason.PENDING_APPROVAL


def _stand_in(api: Key, plans: Mapping[str, Approval], uid: str) -> Api:
    # Not validated: contracts may name more plans than an Api can have.
    spec = ApiSpec.model_construct(
        desired_status=ApiStatusName.PUBLISHED,
        plans=[Plan(name=plan, approval=approval) for plan, approval in sorted(plans.items())],
        consumers=Consumers(from_=ConsumersFrom.ALL),
        retirement=ApiRetirement(),
    )
    status = ApiStatus(desired_status=ApiStatusName.PUBLISHED, observed_status=ApiStatusName.PUBLISHED)
    return Api(Metadata(*api, uid=uid, generation=1), spec, status)
