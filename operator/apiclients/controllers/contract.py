"""Reconciles Contracts, ContractApprovals, Apis and holds: they have a status and no children."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from apiclients.controllers.outcome import Outcome
from apiclients.controllers.status import StatusWriter
from apiclients.controllers.store import Key
from apiclients.controllers.world import World, readable
from apiclients.kube.client import KubeClient
from apiclients.kube.kinds import CONTRACTS
from apiclients.lifecycle.apis import ApiContracts, api_announcements, decide_api
from apiclients.lifecycle.approvals import decide_approval
from apiclients.lifecycle.contracts import (
    ContractSummary,
    ObservedContract,
    contracts_of_api,
    decide_contract,
    has_room,
    may_contract,
    summarize,
)
from apiclients.lifecycle.history import condition_announcements
from apiclients.lifecycle.holds import decide_hold, hold_view, matches
from apiclients.resources.contract import ContractStatus, ContractStatusName
from apiclients.resources.objects import Api, Contract


@dataclass(slots=True)
class ContractControllers:
    """One method per kind; each reads its object, decides, and writes the status if it differs."""

    kube: KubeClient
    world: World
    statuses: StatusWriter
    issuer_url: str
    #: Labels of a namespace, or None while they are not known.
    namespace_labels: Callable[[str], dict[str, str] | None]
    clock: Callable[[], datetime]
    #: Contracts by client that become active now, and are not counted yet.
    _beginning: Counter[Key] = field(default_factory=Counter)

    async def contract(self, key: Key) -> Outcome:
        """Raises KubeError."""
        contract: Contract | None = readable(self.world.contracts, key)
        if contract is None or contract.metadata.deleting:
            return Outcome()
        observed = self._observe(contract)
        status = decide_contract(observed, self.clock())
        client = (contract.metadata.namespace, contract.spec.client_name)
        was_active, is_active = (one.observed_status is ContractStatusName.ACTIVE for one in (contract.status, status))
        begins = is_active and not was_active
        if begins and not has_room(observed.active_beside + self._beginning[client]):
            return Outcome(done=False)  # others may take the last places
        self._beginning[client] += begins
        try:
            return Outcome(await self._write(contract, status))
        finally:
            self._beginning[client] -= begins
            self._beginning += Counter()  # drops what is zero

    async def _write(self, contract: Contract, status: ContractStatus) -> bool:
        told = condition_announcements(contract.status.conditions, status.conditions)
        return await self.statuses.write(self.world.contracts, contract.metadata, contract.status, status, told)

    def _observe(self, contract: Contract) -> ObservedContract:
        key = (contract.metadata.namespace, contract.metadata.name)
        api = readable(self.world.apis, (contract.spec.api.namespace, contract.spec.api.name))
        allowed = api is not None and not api.metadata.deleting and self._may(api, contract)
        return ObservedContract(
            contract=contract,
            client=readable(self.world.clients, (key[0], contract.spec.client_name)),
            api=api if allowed else None,
            approvals=self.world.approvals_of(key),
            rivals=self.world.rivals(contract),
            active_beside=self.world.active_beside(contract),
        )

    def _may(self, api: Api, contract: Contract) -> bool:
        namespace = contract.metadata.namespace
        return may_contract(api.spec.consumers, api.metadata.namespace, namespace, self.namespace_labels(namespace))

    async def approval(self, key: Key) -> Outcome:
        """Raises KubeError."""
        approval = readable(self.world.approvals, key)
        if approval is None or approval.metadata.deleting:
            return Outcome()
        named = (approval.spec.contract.namespace, approval.spec.contract.name)
        contract = readable(self.world.contracts, named)
        status = decide_approval(approval, contract, self.world.approvals_of(named), self.clock())
        told = condition_announcements(approval.status.conditions, status.conditions)
        return Outcome(
            await self.statuses.write(self.world.approvals, approval.metadata, approval.status, status, told)
        )

    async def api(self, key: Key) -> Outcome:
        """Raises KubeError."""
        api: Api | None = readable(self.world.apis, key)
        if api is None or api.metadata.deleting:
            return Outcome()
        contracts, trusted = self.world.contracts_of_api(key), self.kube.clock.trusted()
        decision = decide_api(api, contracts, self.issuer_url, self.clock(), clock_trusted=trusted)
        if decision.needs_proof:
            contracts = await self._listed_contracts(api, contracts)
            decision = decide_api(api, contracts, self.issuer_url, self.clock(), clock_trusted=trusted, proved=True)
        told = api_announcements(api.status, decision.status)
        written = await self.statuses.write(self.world.apis, api.metadata, api.status, decision.status, told)
        return Outcome(written, decision.due)

    async def _listed_contracts(self, api: Api, known: ApiContracts) -> ApiContracts:
        selector = f"spec.api.namespace={api.metadata.namespace},spec.api.name={api.metadata.name}"
        found: list[ContractSummary] = []
        async for page in self.kube.pages(CONTRACTS, field_selector=selector):
            found += map(summarize, page.items)
        return replace(known, counts=contracts_of_api(found))

    async def hold(self, key: Key) -> Outcome:
        """Raises KubeError."""
        hold = readable(self.world.holds, key)
        if hold is None or hold.metadata.deleting:
            return Outcome()
        view = hold_view(hold)
        clients = [c for c in self.world.clients_in(key[0]) if matches(view, c.namespace, c.name, c.labels)]
        decision = decide_hold(hold, clients, self.clock(), clock_trusted=self.kube.clock.trusted())
        told = condition_announcements(hold.status.conditions, decision.status.conditions)
        written = await self.statuses.write(self.world.holds, hold.metadata, hold.status, decision.status, told)
        return Outcome(written, decision.due)
