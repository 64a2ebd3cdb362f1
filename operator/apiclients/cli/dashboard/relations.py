"""The contracts and Apis that pages show, kept up to date by watches, so far as they may be read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from apiclients.cli.cluster.connection import Session
from apiclients.cli.dashboard.probing import probe
from apiclients.cli.screens.contracts import ContractLine, contract_line
from apiclients.cli.screens.text import UNKNOWN
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.errors import ForbiddenError
from apiclients.kube.kinds import APIS, CONTRACTS
from apiclients.kube.objects import JsonObject, ResourceType
from apiclients.resources.objects import Api, Contract
from apiclients.resources.refs import NamespacedName

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ContractNode:
    """One contract."""

    line: ContractLine
    api: NamespacedName
    #: When it ends by itself.
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class ApiNode:
    """One Api."""

    namespace: str
    name: str
    #: What the operator observed.
    status: str
    #: When its retirement becomes final; None for one that is not retired, or is for good.
    final: datetime | None


class Relations:
    """The contracts and Apis of a namespace, or of all (None)."""

    def __init__(self, session: Session, namespace: str | None, changed: Callable[[], None]) -> None:
        """Nothing is read before the reflectors of ``readable`` run; ``changed`` is called after each change."""
        self._session = session
        self._namespace = namespace
        self._changed = changed
        self._unread: list[str] = []
        self._bad: set[tuple[str, NamespacedName]] = set()
        self._contracts = self._reflector(CONTRACTS, _contract)
        self._apis = self._reflector(APIS, _api)

    def _reflector(self, resource: ResourceType, convert: Callable[[JsonObject], T]) -> Reflector[T]:
        def on_change(change: Change[T]) -> None:
            if change.new is not None:
                self._bad.discard((resource.kind, change.key))
            self._changed()

        def on_bad(obj: JsonObject, _: Exception) -> None:
            meta = obj["metadata"]
            self._bad.add((resource.kind, (meta["namespace"], meta["name"])))

        return Reflector(
            self._session.kube, resource, convert, namespace=self._namespace, on_change=on_change, on_bad=on_bad
        )

    @property
    def contracts(self) -> Mapping[NamespacedName, ContractNode]:
        """The contracts by namespace and name."""
        return self._contracts.store

    @property
    def apis(self) -> Mapping[NamespacedName, ApiNode]:
        """The Apis by namespace and name."""
        return self._apis.store

    @property
    def notes(self) -> tuple[str, ...]:
        """What may not or cannot be read, and what that means."""
        bad = (f"{kind} {'/'.join(key)} cannot be read and is not shown" for kind, key in sorted(self._bad))
        return (*self._unread, *bad)

    async def readable(self) -> Iterable[Reflector[Any]]:
        """The reflectors of what may be read. Raises KubeError where the API server does not answer."""
        found: list[Reflector[Any]] = []
        wanted = (
            (CONTRACTS, self._contracts, "You may not read contracts: they are not shown"),
            (APIS, self._apis, "You may not read Apis: only those with a contract are shown, without their status"),
        )
        for resource, reflector, note in wanted:
            try:
                await probe(self._session, resource, self._namespace)
                found.append(reflector)
            except ForbiddenError:
                self._unread.append(note)
        return found


def _contract(obj: JsonObject) -> ContractNode:
    contract = Contract.from_object(obj)
    api = contract.spec.api
    return ContractNode(contract_line(contract), (api.namespace, api.name), contract.spec.end_time)


def _api(obj: JsonObject) -> ApiNode:
    api = Api.from_object(obj)
    status, retirement = api.status.observed_status, api.status.retirement
    return ApiNode(
        namespace=api.metadata.namespace,
        name=api.metadata.name,
        status=status if status is not None else UNKNOWN,
        final=retirement.final_time if retirement is not None and not retirement.final else None,
    )
