"""Reconciles one object of any kind: what ``engine`` decides is done through the API, and the status written once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from apiclients.controllers.beginnings import client_of
from apiclients.controllers.cluster import Cluster
from apiclients.controllers.outcome import Outcome
from apiclients.controllers.status import StatusWriter
from apiclients.controllers.steps import OutdatedError, StepRunner
from apiclients.engine.converge import Converged, converge
from apiclients.engine.observe import Observer
from apiclients.lifecycle.contract_view import has_room
from apiclients.lifecycle.enforcement import REFUSED
from apiclients.resources.apiclient import ApiClientStatus
from apiclients.resources.conditions import Reason
from apiclients.resources.contract import ContractStatus, ContractStatusName
from apiclients.resources.objects import AnyObject, ApiClient, Contract, InvalidObjectError
from apiclients.resources.refs import ObjectRef


@dataclass(slots=True)
class Reconciler:
    """Everything that one reconcile needs. Nothing about a single object is kept between two reconciles."""

    cluster: Cluster
    observer: Observer
    steps: StepRunner
    statuses: StatusWriter
    clock: Callable[[], datetime]
    #: Hears how many seconds it took until all gates obeyed, and whether to refuse.
    on_enforced: Callable[[float, bool], None] = lambda *_: None
    #: Hears how many overlaps have ended that nobody needed.
    on_unneeded: Callable[[int], None] = lambda _: None

    async def reconcile(self, ref: ObjectRef) -> Outcome:
        """Bring one object to where it should be. Raises KubeError."""
        try:
            obj = self.cluster.read(ref)
        except InvalidObjectError as error:
            store = self.cluster.store(ref.kind)
            return Outcome(await self.statuses.report_unreadable(store, ref.key, str(error), self.clock()))
        if obj is None:
            return Outcome()
        try:
            converged = await self.steps.run(converge(obj, self.observer, self.clock), obj)
        except OutdatedError:
            return Outcome(done=False)
        if converged is None:
            return Outcome()
        if isinstance(obj, Contract):
            return await self._write_contract(obj, converged)
        return await self._write(obj, converged)

    async def _write(self, obj: AnyObject, converged: Converged) -> Outcome:
        store = self.cluster.store(type(obj).__name__)
        written = await self.statuses.write(store, obj.metadata, obj.status, converged.status, converged.announcements)
        if written and isinstance(obj, ApiClient):
            self._measure(obj, converged.status)
            self.on_unneeded(sum(one.reason == Reason.OVERLAP_UNUSED for one in converged.announcements))
        return Outcome(done=written and converged.failure is None, due=converged.due)

    def _measure(self, client: ApiClient, status: object) -> None:
        """How long the gates took, when they have."""
        assert isinstance(status, ApiClientStatus)
        before, after = client.status.enforcement, status.enforcement
        if after is None or after.time is None or (before is not None and before.time == after.time):
            return
        self.on_enforced((after.time - after.seen_time).total_seconds(), status.observed_status in REFUSED)

    async def _write_contract(self, contract: Contract, converged: Converged) -> Outcome:
        """Workers that begin contracts of one client at once must not pass the last places to two of them."""
        if not _begins(contract, converged.status):
            return await self._write(contract, converged)
        client, beginnings = client_of(contract), self.steps.beginnings
        if not has_room(self.cluster.relations.contracts.active_count(client.key) + beginnings.of(client)):
            return Outcome(done=False)
        with beginnings.counted(contract):
            return await self._write(contract, converged)


def _begins(contract: Contract, status: object) -> bool:
    """Whether a contract comes into force with this status."""
    was_active = contract.status.observed_status is ContractStatusName.ACTIVE
    return isinstance(status, ContractStatus) and status.observed_status is ContractStatusName.ACTIVE and not was_active
