"""Contracts that wait for an approval, kept up to date by watches of Apis, contracts and approvals."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apiclients.cli.cluster.connection import Session
from apiclients.cli.dashboard.reading import Unreadable, one_object, reader
from apiclients.cli.dashboard.revision import Revision
from apiclients.cli.git.approvals import Request, request_of, waiting
from apiclients.cli.screens.contracts import condition
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.errors import ForbiddenError
from apiclients.kube.kinds import APIS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.kube.objects import JsonObject, ResourceType
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import Api, Contract, ContractApproval


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """One contract that waits."""

    request: Request
    #: When the contract began to wait; None if it was not read.
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Requests:
    """A snapshot of the pending contracts."""

    pending: tuple[PendingRequest, ...]
    #: The approvals that were read, by namespace.
    approvals: Mapping[str, tuple[ContractApproval, ...]]
    #: For the user: what may not, or cannot, be read.
    notes: tuple[str, ...]
    #: The namespace whose approvals were read; None: all; empty: none.
    scope: str | None

    def knows_approvals(self, namespace: str) -> bool:
        """Whether the approvals of that namespace were read."""
        return self.scope in (None, namespace)


_MISSING = {
    APIS: "You may not read Apis: requests from contracts that you may not read are not shown",
    CONTRACTS: "You may not read contracts: at most 64 requests of each Api are shown, without their age",
    CONTRACT_APPROVALS: "You may not read approvals: check that a contract has none before you add one",
}


class Pending:
    """The requests that concern a namespace, by their Api or their contract; or all (None)."""

    def __init__(self, session: Session, namespace: str | None, revision: Revision) -> None:
        """Nothing is read until ``following`` is entered; each change advances ``revision``."""
        self._session = session
        self._namespace = namespace
        self._revision = revision
        self._apis = self._reflector(APIS, reader(APIS, _wanted_api))
        self._contracts = self._reflector(CONTRACTS, reader(CONTRACTS, _pending_contract))
        self._approvals = self._reflector(CONTRACT_APPROVALS, reader(CONTRACT_APPROVALS, ContractApproval.from_object))
        self._followed: set[ResourceType] = set()

    def _reflector(self, resource: ResourceType, convert: Any) -> Reflector[Any]:
        return Reflector[Any](
            self._session.kube, resource, convert, namespace=self._namespace, on_change=self._on_change
        )

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """List and watch what may be read; ``synced`` waits for the first lists. Raises KubeError."""
        for resource in self._reflectors():
            try:
                await one_object(self._session, resource, self._namespace)
                self._followed.add(resource)
            except ForbiddenError:
                continue
        tasks = [asyncio.create_task(self._reflectors()[resource].run()) for resource in self._followed]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def synced(self) -> None:
        """Wait for the first lists."""
        for resource in self._followed:
            await self._reflectors()[resource].synced.wait()

    def _reflectors(self) -> dict[ResourceType, Reflector[Any]]:
        return {APIS: self._apis, CONTRACTS: self._contracts, CONTRACT_APPROVALS: self._approvals}

    def _on_change(self, _: Change[Any]) -> None:
        self._revision.advance()

    def requests(self) -> Requests:
        """The present snapshot, in no order."""
        approvals = defaultdict[str, list[ContractApproval]](list)
        for one in _readable(self._approvals):
            approvals[one.metadata.namespace].append(one)
        return Requests(
            pending=(*self._by_contracts(), *self._by_apis()),
            approvals={namespace: tuple(found) for namespace, found in approvals.items()},
            notes=tuple(self._notes()),
            scope=self._namespace if CONTRACT_APPROVALS in self._followed else "",
        )

    def _by_contracts(self) -> Iterator[PendingRequest]:
        for contract in _readable(self._contracts):
            ready = condition(contract.status.conditions, ConditionType.READY)
            yield PendingRequest(request_of(contract), ready.last_transition_time if ready is not None else None)

    def _by_apis(self) -> Iterator[PendingRequest]:
        """Requests that only the status of an Api shows, since the contract was not read."""
        for request in waiting(_readable(self._apis)):
            if CONTRACTS not in self._followed or self._namespace not in (None, request.namespace):
                yield PendingRequest(request, None)

    def _notes(self) -> Iterator[str]:
        yield from (text for resource, text in _MISSING.items() if resource not in self._followed)
        for reflector in self._reflectors().values():
            yield from sorted(one.text for one in reflector.store.values() if isinstance(one, Unreadable))


def _readable(reflector: Reflector[Any]) -> Iterable[Any]:
    return (one for one in reflector.store.values() if not isinstance(one, Unreadable))


def _wanted_api(obj: JsonObject) -> Api | None:
    """An Api for which a contract waits."""
    return Api.from_object(obj) if (obj.get("status") or {}).get("pendingContracts") else None


def _pending_contract(obj: JsonObject) -> Contract | None:
    """A contract that waits for an approval; others are ignored before they are parsed."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    waits = any((c["type"], c.get("reason")) == (ConditionType.READY, Reason.PENDING_APPROVAL) for c in conditions)
    return Contract.from_object(obj) if waits else None
