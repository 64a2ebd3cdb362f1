"""Reads everything that the screens about one client show. What may not be read is told, not fatal."""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from apiclients.cli.absent import why_absent
from apiclients.cli.connection import Session
from apiclients.cli.errors import CliError
from apiclients.kube.errors import ForbiddenError, NotFoundError
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.kube.objects import EVENTS, LEASES, JsonObject
from apiclients.resources.contract import Grant
from apiclients.resources.names import OPERATOR_LEASE
from apiclients.resources.objects import ApiClient, ApiClientHold, Contract, ContractApproval, InvalidObjectError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Around:
    """One client and what concerns it, as read at one time."""

    client: ApiClient
    contracts: tuple[Contract, ...]
    #: The same contracts as JSON, for ``lifecycle.contracts.summarize``.
    raw_contracts: tuple[JsonObject, ...]
    approvals: tuple[ContractApproval, ...]
    #: All holds of the namespace; which ones stop the client is a decision.
    holds: tuple[ApiClientHold, ...]
    events: tuple[JsonObject, ...]
    #: The operator's Lease, when it may be read.
    operator: JsonObject | None
    #: What could not be read, in words.
    missing: tuple[str, ...]
    now: datetime


async def read_client(session: Session, name: str) -> ApiClient:
    """One client. Raises CliError when it is not there or cannot be read, and KubeError."""
    namespace = session.namespace
    try:
        return ApiClient.from_object(await session.kube.get(API_CLIENTS, namespace, name))
    except NotFoundError:
        raise CliError(await why_absent(session, name)) from None
    except InvalidObjectError as error:
        raise CliError(f"ApiClient {namespace}/{name} cannot be read by this version of the plugin: {error}") from None


async def gather(session: Session, name: str, *, system_namespace: str | None = None) -> Around:
    """Everything about one client; its operator's Lease only with ``system_namespace``. Raises CliError, KubeError."""
    namespace, missing = session.namespace, list[str]()
    client = await read_client(session, name)
    raw = await optional(
        session.objects(CONTRACTS, namespace, fields=f"spec.clientName={name}"), [], "its contracts", missing
    )
    contracts = readable(raw, Contract, missing)
    raw_holds = await optional(session.objects(API_CLIENT_HOLDS, namespace), [], f"holds in {namespace}", missing)
    fields = f"regarding.kind=ApiClient,regarding.name={name}"
    events = await optional(session.objects(EVENTS, namespace, fields=fields), [], "its events", missing)
    lease = None
    if system_namespace is not None:
        lease = await _lease(session, system_namespace, missing)
    return Around(
        client=client,
        contracts=contracts,
        raw_contracts=tuple(raw),
        approvals=await approvals_for(session, contracts),
        holds=readable(raw_holds, ApiClientHold, missing),
        events=tuple(event for event in events if event["regarding"].get("uid") in (None, "", client.metadata.uid)),
        operator=lease,
        missing=tuple(missing),
        now=session.now(),
    )


async def optional(reading: Awaitable[T], otherwise: T, what: str, missing: list[str]) -> T:
    """What was read, or ``otherwise`` where the right is missing, which is noted. Raises other KubeErrors."""
    try:
        return await reading
    except ForbiddenError:
        missing.append(f"you may not read {what}")
        return otherwise


def readable(raw: Iterable[JsonObject], kind: Any, missing: list[str]) -> tuple[Any, ...]:
    """The objects that fit the models; the others are noted."""
    found = []
    for obj in raw:
        try:
            found.append(kind.from_object(obj))
        except InvalidObjectError:
            missing.append(f"{kind.__name__} {obj['metadata']['name']} cannot be read by this version of the plugin")
    return tuple(found)


async def _lease(session: Session, namespace: str, missing: list[str]) -> JsonObject | None:
    try:
        what = f"the operator's Lease in {namespace}"
        return await optional(session.kube.get(LEASES, namespace, OPERATOR_LEASE), None, what, missing)
    except NotFoundError:
        missing.append(f"there is no operator's Lease in {namespace}: see `kubectl apiclient doctor`")
        return None


async def approvals_for(session: Session, contracts: Iterable[Contract]) -> tuple[ContractApproval, ...]:
    """Approvals where they may matter. Consumers often may not read them, and need not be told so."""
    namespaces = {contract.spec.api.namespace for contract in contracts if _by_approval(contract)}
    found: list[ContractApproval] = []
    for namespace in sorted(namespaces):
        raw = await optional(session.objects(CONTRACT_APPROVALS, namespace), [], "", [])
        found += readable(raw, ContractApproval, [])
    return tuple(found)


def _by_approval(contract: Contract) -> bool:
    in_force = contract.status.in_force
    return in_force is None or in_force.granted_by is Grant.APPROVAL or in_force.plan != contract.spec.plan
