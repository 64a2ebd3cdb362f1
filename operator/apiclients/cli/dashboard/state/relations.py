"""The contracts, Apis and approvals that pages show, kept up to date by watches, so far as they may be read."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from apiclients.cli.cluster.connection import Session
from apiclients.cli.dashboard.state.background import background
from apiclients.cli.dashboard.state.reading import Unreadable, one_object, reader
from apiclients.cli.dashboard.state.revision import Revision
from apiclients.cli.git.approvals import Request, request_of, waiting
from apiclients.cli.screens.contracts import ContractLine, condition, contract_line
from apiclients.cli.screens.text import UNKNOWN
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.errors import ForbiddenError
from apiclients.kube.kinds import APIS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.kube.objects import JsonObject, ResourceType
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import Api, Contract, ContractApproval
from apiclients.resources.refs import NamespacedName

T = TypeVar("T")

_PLURALS = {CONTRACTS: "Contracts", APIS: "Apis", CONTRACT_APPROVALS: "Approvals"}


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """One contract that waits for an approval."""

    request: Request
    #: When the contract began to wait; None where it may not be read.
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ContractNode:
    """One contract."""

    line: ContractLine
    api: NamespacedName
    #: When it ends by itself.
    ends: datetime | None
    #: What it asks for, while it waits for an approval.
    pending: PendingRequest | None = None


@dataclass(frozen=True, slots=True)
class ApiNode:
    """One Api."""

    namespace: str
    name: str
    #: What the operator observed.
    status: str
    #: When its retirement becomes final; None for one that is not retired, or is for good.
    final: datetime | None
    #: Which contracts wait for an approval, as its status says: some of them where there are many.
    waiting: tuple[Request, ...] = ()


class Relations:
    """The contracts, Apis and approvals of a namespace, or of all (None)."""

    def __init__(self, session: Session, namespace: str | None, revision: Revision) -> None:
        """Nothing is read before ``following``; each change advances ``revision``."""
        self.namespace = namespace
        self._session = session
        self._revision = revision
        self._followed: frozenset[ResourceType] = frozenset()
        self._contracts = self._reflector(CONTRACTS, _contract)
        self._apis = self._reflector(APIS, _api)
        self._approvals = self._reflector(CONTRACT_APPROVALS, ContractApproval.from_object)
        self._reflectors: dict[ResourceType, Reflector[Any]] = {
            CONTRACTS: self._contracts,
            APIS: self._apis,
            CONTRACT_APPROVALS: self._approvals,
        }

    def _reflector(self, resource: ResourceType, from_object: Callable[[JsonObject], T]) -> Reflector[T | Unreadable]:
        convert = reader(resource, from_object)
        return Reflector(self._session.kube, resource, convert, namespace=self.namespace, on_change=self._on_change)

    def _on_change(self, _: Change[Any]) -> None:
        self._revision.advance()

    @property
    def contracts(self) -> Iterator[ContractNode]:
        """The contracts, in no order."""
        return _readable(self._contracts)

    @property
    def apis(self) -> Iterator[ApiNode]:
        """The Apis, in no order."""
        return _readable(self._apis)

    @property
    def approvals(self) -> Iterator[ContractApproval]:
        """The approvals, in no order."""
        return _readable(self._approvals)

    def may_read(self, resource: ResourceType) -> bool:
        """Whether objects of a kind may be read, which ``following`` has found out."""
        return resource in self._followed

    def notes(self, missing: Mapping[ResourceType, str]) -> tuple[str, ...]:
        """Of each kind what it means if it may not be read (``missing``), and what cannot be read (rule 32)."""
        stores = (self._reflectors[resource].store for resource in missing)
        bad = sorted(one.text for store in stores for one in store.values() if isinstance(one, Unreadable))
        return (*(text for resource, text in missing.items() if not self.may_read(resource)), *bad)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow what may be read; ``synced`` says when it was read for the first time. Raises KubeError."""
        self._followed = frozenset([one for one in self._reflectors if await self._allowed(one)])
        async with background([self._reflectors[resource].run() for resource in self._followed]):
            yield

    @property
    def followed(self) -> dict[ResourceType, str]:
        """The kinds that may be read, with what it means if they can no longer be read."""
        return {
            one: f"{_PLURALS[one]} can no longer be read: what is shown may be out of date" for one in self._followed
        }

    async def _allowed(self, resource: ResourceType) -> bool:
        try:
            await one_object(self._session, resource, self.namespace)
        except ForbiddenError:
            return False
        return True

    async def synced(self) -> None:
        """Wait until everything that may be read was read."""
        for resource in self._followed:
            await self._reflectors[resource].synced.wait()


def _readable(reflector: Reflector[T | Unreadable]) -> Iterator[T]:
    return (one for one in reflector.store.values() if not isinstance(one, Unreadable))


def _contract(obj: JsonObject) -> ContractNode:
    contract = Contract.from_object(obj)
    api = contract.spec.api
    return ContractNode(
        contract_line(contract), (api.namespace, api.name), contract.spec.end_time, _pending_request(contract)
    )


def _pending_request(contract: Contract) -> PendingRequest | None:
    ready = condition(contract.status.conditions, ConditionType.READY)
    if ready is None or ready.reason != Reason.PENDING_APPROVAL:
        return None
    return PendingRequest(request_of(contract), ready.last_transition_time)


def _api(obj: JsonObject) -> ApiNode:
    api = Api.from_object(obj)
    status, retirement = api.status.observed_status, api.status.retirement
    return ApiNode(
        namespace=api.metadata.namespace,
        name=api.metadata.name,
        status=status if status is not None else UNKNOWN,
        final=retirement.final_time if retirement is not None and not retirement.final else None,
        waiting=tuple(waiting([api])),
    )
