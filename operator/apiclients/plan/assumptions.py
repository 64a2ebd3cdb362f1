"""What may be in the cluster where nobody looked. Each assumption is stated in the plan's notices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from apiclients.plan.world import World, key_of, parties
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
from apiclients.resources.objects import Api, ApiClient, Contract, Metadata, TokenIssuer
from apiclients.resources.refs import NamespacedName, ObjectRef
from apiclients.resources.tokenissuer import (
    ClusterKeys,
    ConfigMapKey,
    IssuerKeys,
    SubjectGrant,
    TokenIssuerSpec,
    TokenIssuerStatus,
)

if TYPE_CHECKING:
    from apiclients.plan.live import LiveState  # reads YAML and schemas, which screens need not import


def assume_apis(
    world: World, manifests: Iterable[Mapping[str, Any]], declared: Collection[ObjectRef], live: LiveState | None
) -> None:
    """Put a stand-in for each Api that contracts name and that lies where nobody looked.

    It is published and has the plans that contracts name. So a contract that is in force stays so, one that waits goes
    on waiting, and a retirement counts every contract that may be in force.
    """
    wanted: dict[NamespacedName, dict[str, Approval]] = {}
    for api, plan, approval in [*_from_live(world), *_from_manifests(manifests)]:
        name = ObjectRef("Api", *api)
        if name in world.objects or name in declared or (live is not None and live.knows(api[0])):
            continue
        wanted.setdefault(api, {}).setdefault(plan, approval)
    uids = granted_uids(world, live)
    for api, plans in sorted(wanted.items()):
        name = ObjectRef("Api", *api)
        world.put(_stand_in(api, plans, uids.get(name, f"assumed-{api[0]}-{api[1]}")))
        world.assumed.add(name)


def granted_uids(world: World, live: LiveState | None) -> dict[ObjectRef, str]:
    """UIDs of Apis where nobody looked: those to which contracts were granted that are, or were last, in force."""
    known: dict[ObjectRef, str] = {}
    contracts = [obj.status for obj in world.objects.values() if isinstance(obj, Contract)]
    for status in sorted(contracts, key=lambda one: one.observed_status is ContractStatusName.ACTIVE):
        granted = status.in_force
        if granted is not None and (live is None or not live.knows(granted.api.namespace)):
            known[ObjectRef("Api", granted.api.namespace, granted.api.name)] = granted.api_uid
    return known


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


def _from_live(world: World) -> Iterator[tuple[NamespacedName, str, Approval]]:
    """What live contracts tell of their Apis: what is in force needs no approval here, what waits does."""
    for obj in world.objects.values():
        if isinstance(obj, Contract):
            _, api = parties(obj)
            if obj.status.in_force is not None:
                yield api, obj.status.in_force.plan, Approval.AUTOMATIC
            waits = obj.status.observed_status in (ContractStatusName.PENDING_APPROVAL, ContractStatusName.REJECTED)
            yield api, obj.spec.plan, Approval.MANUAL if waits or _waits(obj) else Approval.AUTOMATIC


def _from_manifests(manifests: Iterable[Mapping[str, Any]]) -> Iterator[tuple[NamespacedName, str, Approval]]:
    for content in manifests:
        if content["kind"] == "Contract":
            spec = content["spec"]
            yield (spec["api"]["namespace"], spec["api"]["name"]), spec["plan"], Approval.AUTOMATIC


def _waits(contract: Contract) -> bool:
    ready = next((c for c in contract.status.conditions if c.type == ConditionType.READY), None)
    return ready is not None and ready.reason == Reason.PENDING_APPROVAL


def _stand_in(api: NamespacedName, plans: Mapping[str, Approval], uid: str) -> Api:
    # Not validated: contracts may name more plans than an Api can have.
    spec = ApiSpec.model_construct(
        desired_status=ApiStatusName.PUBLISHED,
        plans=[Plan(name=plan, approval=approval) for plan, approval in sorted(plans.items())],
        consumers=Consumers(from_=ConsumersFrom.ALL),
        retirement=ApiRetirement(),
    )
    status = ApiStatus(desired_status=ApiStatusName.PUBLISHED, observed_status=ApiStatusName.PUBLISHED)
    return Api(Metadata(*api, uid=uid, generation=1), spec, status)


def assume_issuers(
    world: World, manifests: Iterable[Mapping[str, Any]], declared: Collection[ObjectRef], live: LiveState | None
) -> None:
    """Put a stand-in for each TokenIssuer that identities name, where nobody looked for TokenIssuers.

    It grants what is claimed. So identities that are in force stay so.
    """
    if live is not None and live.issuers_known:
        return
    claims = [*_claims_from_live(world), *_claims_from_manifests(manifests)]
    for issuer in sorted({name for _, name, _ in claims}):
        name = ObjectRef("TokenIssuer", "", issuer)
        if name not in world.objects and name not in declared:
            own = [claim for claim in claims if claim[1] == issuer]
            cluster = any(service_account for _, _, service_account in own)
            world.put(_issuer_stand_in(issuer, sorted({namespace for namespace, _, _ in own}), cluster=cluster))
            world.assumed.add(name)


#: The namespace of a client, the name of a TokenIssuer, and whether a ServiceAccount is named.
_Claim = tuple[str, str, bool]


def _claims_from_live(world: World) -> Iterator[_Claim]:
    for obj in world.objects.values():
        if isinstance(obj, ApiClient):
            for identity in obj.spec.identities:
                yield obj.metadata.namespace, identity.issuer, identity.service_account_name is not None


def _claims_from_manifests(manifests: Iterable[Mapping[str, Any]]) -> Iterator[_Claim]:
    for content in manifests:
        if content["kind"] == "ApiClient":
            namespace = content["metadata"].get("namespace") or ""
            for identity in content["spec"].get("identities") or []:
                yield namespace, identity["issuer"], identity.get("serviceAccountName") is not None


def _issuer_stand_in(name: str, namespaces: Iterable[str], *, cluster: bool) -> TokenIssuer:
    place = ConfigMapKey(name="not-looked-at", key="jwks.json")
    spec = TokenIssuerSpec(
        issuer=f"https://{name}.invalid",
        keys=IssuerKeys(cluster=ClusterKeys()) if cluster else IssuerKeys(config_map=place),
        audiences=["not-looked-at"],
        subjects=[SubjectGrant(namespace=namespace, prefix="") for namespace in namespaces],
    )
    metadata = Metadata("", name, uid=f"assumed-{name}", generation=1)
    return TokenIssuer(metadata, spec, TokenIssuerStatus(observed_generation=1))
