"""What ``create`` asks the cluster: whether the client is there already, and what its contracts will wait for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from apiclients.cli.cluster.connection import Session
from apiclients.cli.errors import CliError
from apiclients.cli.git.new_client import NewClient, as_stored
from apiclients.cli.screens.contracts import condition
from apiclients.kube.errors import ForbiddenError, NotFoundError
from apiclients.kube.kinds import API_CLIENTS, APIS
from apiclients.kube.objects import NAMESPACES, JsonObject
from apiclients.lifecycle.contracts import decide_contract
from apiclients.plan.world import World
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import AnyObject, Api, ApiClient, Contract, InvalidObjectError


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What could be read of what a new client's contracts depend on."""

    apis: tuple[Api, ...]
    #: Apis that may not or cannot be read, as NAMESPACE/NAME.
    unknown: tuple[str, ...]
    #: Labels of the client's namespace; None where they may not be read.
    labels: dict[str, str] | None


async def require_absent(session: Session, name: str) -> None:
    """Raises CliError when there is a client of that name. Who may not read clients may declare one anyway."""
    try:
        await session.kube.get(API_CLIENTS, session.namespace, name)
    except (NotFoundError, ForbiddenError):
        return
    raise CliError(
        f"there is an ApiClient {name} in namespace {session.namespace} already. "
        f"A new version of it: `kubectl apiclient new-version {name} VERSION -n {session.namespace}`"
    )


async def look_around(session: Session, new: NewClient) -> Surroundings:
    """Read what the contracts of a new client depend on. Raises KubeError."""
    apis, unknown = list[Api](), list[str]()
    for namespace, name in sorted({(one.namespace, one.api) for one in new.contracts}):
        try:
            apis.append(Api.from_object(await session.kube.get(APIS, namespace, name)))
        except NotFoundError:
            continue
        except (ForbiddenError, InvalidObjectError):
            unknown.append(f"{namespace}/{name}")
    return Surroundings(tuple(apis), tuple(unknown), await _labels(session) if apis else None)


async def _labels(session: Session) -> dict[str, str] | None:
    try:
        raw = await session.kube.get(NAMESPACES, None, session.namespace)
    except (ForbiddenError, NotFoundError):
        return None
    return dict(raw["metadata"].get("labels") or {})


def waits_for(objects: Sequence[JsonObject], around: Surroundings, now: datetime) -> list[str]:
    """What the operator would say of each contract that would not be in force at once: its own decision."""
    client, *contracts = objects
    namespace = client["metadata"]["namespace"]
    world = World(now, {namespace: around.labels} if around.labels is not None else None)
    made = [Contract.from_object(as_stored(one)) for one in contracts]
    objs: tuple[AnyObject, ...] = (ApiClient.from_object(as_stored(client)), *around.apis, *made)
    for obj in objs:
        world.put(obj)
    return [note for contract in made if (note := _note(world, contract, around.unknown, now)) is not None]


def _note(world: World, contract: Contract, unknown: Iterable[str], now: datetime) -> str | None:
    api = f"{contract.spec.api.namespace}/{contract.spec.api.name}"
    about = f"contract {contract.metadata.name} (plan {contract.spec.plan} of Api {api})"
    if api in unknown:
        return f"{about}: what it will wait for is not known, as you may not read the Api"
    seen = world.observer.contract(contract)
    ready = condition(decide_contract(seen, now).conditions, ConditionType.READY) if seen is not None else None
    if ready is None or ready.reason == Reason.ACTIVE:
        return None
    return f"{about}: {ready.message}"
