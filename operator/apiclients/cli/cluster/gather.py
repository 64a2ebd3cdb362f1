"""Reads everything that the screens about one client show. What may not be read is noted, not fatal."""

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from apiclients.cli.cluster.absent import why_absent
from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.replicas import read_replicas, read_reports
from apiclients.cli.cluster.unread import Cause, Unread
from apiclients.cli.errors import CliError
from apiclients.engine.views import read_view
from apiclients.kube.errors import ForbiddenError, NotFoundError
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.kube.objects import EVENTS, LEASES, JsonObject, ResourceType
from apiclients.lifecycle.holds import HoldView
from apiclients.lifecycle.replicas import Replica
from apiclients.lifecycle.reports import Report
from apiclients.resources.contract import Grant
from apiclients.resources.names import OPERATOR_LEASE
from apiclients.resources.objects import ApiClient, ApiClientHold, Contract, ContractApproval, InvalidObjectError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Around:
    """One client and what concerns it, as read at one time."""

    client: ApiClient
    contracts: tuple[Contract, ...]
    approvals: tuple[ContractApproval, ...]
    #: All holds of the namespace; which ones stop the client is a decision.
    holds: tuple[ApiClientHold, ...]
    events: tuple[JsonObject, ...]
    #: The operator's Lease, when it may be read.
    operator: JsonObject | None
    unread: tuple[Unread, ...]
    now: datetime
    #: What those holds count as that do not fit the models (rule 32); ``unread`` tells of them.
    unreadable_holds: tuple[HoldView, ...] = ()
    #: The gates, by their Leases; None where nobody asked for them, or they may not be read.
    gates: tuple[Replica, ...] | None = None
    #: What gates report of uses, by the names of their Leases; nothing where no overlap is to be judged.
    reports: Mapping[str, Report] = field(default_factory=dict)


async def read_client(session: Session, name: str) -> ApiClient:
    """One client. Raises CliError when it is not there or cannot be read, and KubeError."""
    namespace = session.namespace
    try:
        return ApiClient.from_object(await session.kube.get(API_CLIENTS, namespace, name))
    except NotFoundError:
        raise CliError(await why_absent(session, name)) from None
    except InvalidObjectError as error:
        raise CliError(f"ApiClient {namespace}/{name} cannot be read by this version of the plugin: {error}") from None


async def gather(
    session: Session, name: str, *, system_namespace: str | None = None, gates_in: str | None = None
) -> Around:
    """Everything about one client. Raises CliError, KubeError.

    The operator's Lease is read in ``system_namespace``, and those of the gates in ``gates_in``, where these are given.
    What gates report of uses is read in either where secrets overlap.
    """
    namespace, unread = session.namespace, list[Unread]()
    client = await read_client(session, name)
    overlapping = len(client.status.credentials) > 1
    where = gates_in or (system_namespace if overlapping else None)
    reports: dict[str, Report] = {}
    if where is not None and overlapping:
        reports = await _reports(session, where)
        # Read again, since a gate reports a use until the status says it: in one of the two it is.
        client = await read_client(session, name)
    gates = await _gates(session, where) if where is not None else None
    fields = f"spec.clientName={name}"
    raw = await permitted(session.objects(CONTRACTS, namespace, fields=fields), [], CONTRACTS, "its contracts", unread)
    contracts = readable(raw, CONTRACTS, Contract, unread)
    listing = session.objects(API_CLIENT_HOLDS, namespace)
    raw_holds = await permitted(listing, [], API_CLIENT_HOLDS, f"holds in {namespace}", unread)
    fields = f"regarding.kind=ApiClient,regarding.name={name}"
    events = await permitted(session.objects(EVENTS, namespace, fields=fields), [], EVENTS, "its events", unread)
    lease = None
    if system_namespace is not None:
        lease = await _lease(session, system_namespace, unread)
    return Around(
        client=client,
        contracts=contracts,
        approvals=await approvals_for(session, contracts, unread),
        holds=readable(raw_holds, API_CLIENT_HOLDS, ApiClientHold, unread),
        events=tuple(event for event in events if event["regarding"].get("uid") in (None, "", client.metadata.uid)),
        operator=lease,
        unread=tuple(unread),
        now=session.now(),
        unreadable_holds=_unreadable_holds(raw_holds),
        gates=gates,
        reports=reports,
    )


async def _gates(session: Session, namespace: str) -> tuple[Replica, ...] | None:
    """Most people may not read Leases: what the operator says of the gates is on the screen all the same."""
    try:
        return tuple(await read_replicas(session, namespace))
    except ForbiddenError:
        return None


async def _reports(session: Session, namespace: str) -> dict[str, Report]:
    try:
        return await read_reports(session, namespace)
    except ForbiddenError:
        return {}


async def permitted(reading: Awaitable[T], otherwise: T, resource: ResourceType, what: str, unread: list[Unread]) -> T:
    """What was read, or ``otherwise`` where the right is missing, which is noted. Raises other KubeErrors."""
    try:
        return await reading
    except ForbiddenError:
        unread.append(Unread(Cause.FORBIDDEN, resource, f"you may not read {what}"))
        return otherwise


def readable(raw: Iterable[JsonObject], resource: ResourceType, kind: Any, unread: list[Unread]) -> tuple[Any, ...]:
    """The objects that fit the models; the others are noted."""
    found = []
    for obj in raw:
        try:
            found.append(kind.from_object(obj))
        except InvalidObjectError:
            name = obj["metadata"]["name"]
            text = f"{resource.kind} {name} cannot be read by this version of the plugin"
            unread.append(Unread(Cause.UNREADABLE, resource, text, name))
    return tuple(found)


def _unreadable_holds(raw: Iterable[JsonObject]) -> tuple[HoldView, ...]:
    read = (read_view(API_CLIENT_HOLDS.kind, obj) for obj in raw)
    return tuple(view for view, fits in read if not fits and isinstance(view, HoldView))


async def _lease(session: Session, namespace: str, unread: list[Unread]) -> JsonObject | None:
    try:
        reading = session.kube.get(LEASES, namespace, OPERATOR_LEASE)
        return await permitted(reading, None, LEASES, f"the operator's Lease in {namespace}", unread)
    except NotFoundError:
        text = f"there is no operator's Lease in {namespace}: see `kubectl apiclient doctor`"
        unread.append(Unread(Cause.NOT_FOUND, LEASES, text, OPERATOR_LEASE))
        return None


async def approvals_for(
    session: Session, contracts: Iterable[Contract], unread: list[Unread]
) -> tuple[ContractApproval, ...]:
    """Approvals where they may matter. Consumers often may not read them, and need not know."""
    namespaces = {contract.spec.api.namespace for contract in contracts if _by_approval(contract)}
    found: list[ContractApproval] = []
    for namespace in sorted(namespaces):
        listing = session.objects(CONTRACT_APPROVALS, namespace)
        raw = await permitted(listing, [], CONTRACT_APPROVALS, "approvals", [])
        found += readable(raw, CONTRACT_APPROVALS, ContractApproval, unread)
    return tuple(found)


def _by_approval(contract: Contract) -> bool:
    in_force = contract.status.in_force
    return in_force is None or in_force.granted_by is Grant.APPROVAL or in_force.plan != contract.spec.plan
