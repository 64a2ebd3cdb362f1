"""What gates report of the use of clients and contracts, until it stands in their statuses."""

from collections.abc import Iterable, Mapping
from typing import Any

from apiclients.controllers.cluster import Cluster
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import KubeClient
from apiclients.kube.objects import LEASES
from apiclients.lifecycle.reports import Report, report
from apiclients.lifecycle.usage import LastUse, hour_told, is_told, later
from apiclients.resources.names import USAGE_LEASE_SELECTOR
from apiclients.resources.objects import ApiClient, Contract

_RELIST_SECONDS = 600.0


class Usage:
    """Watches the Leases in which gates report.

    News are kept until the status has them, also when their gate is gone, and as long as the client or contract is
    there.
    """

    def __init__(self, client: KubeClient, namespace: str, cluster: Cluster) -> None:
        """``cluster`` knows what there is, and hears of what there is news."""
        self._cluster = cluster
        self._clients: dict[str, LastUse] = {}
        self._contracts: dict[str, int] = {}
        self.reflector: Reflector[Report] = Reflector(
            client,
            LEASES,
            report,
            namespace=namespace,
            label_selector=USAGE_LEASE_SELECTOR,
            relist_interval=_RELIST_SECONDS,
            on_change=self._changed,
        )

    def of(self, client: ApiClient) -> LastUse | None:
        """What its status does not say yet; None for nothing."""
        use = self._clients.get(client.metadata.uid)
        if use is not None and is_told(use, client.status):
            del self._clients[client.metadata.uid]
            return None
        return use

    def reported(self) -> dict[str, Report]:
        """What each gate reports, by the name of its Lease."""
        return {name: known for (_, name), known in self.reflector.store.items()}

    def of_contract(self, contract: Contract) -> int | None:
        """The hour that its status does not say yet; None for nothing."""
        hour = self._contracts.get(contract.metadata.uid)
        if hour is not None and hour <= hour_told(contract.status.last_used_time):
            del self._contracts[contract.metadata.uid]
            return None
        return hour

    def take(self, reported: Report) -> None:
        """Take in what a gate reports."""
        if reported.clients:
            self._take_clients(reported.clients)
        if reported.contracts:
            self._take_contracts(reported.contracts)

    def _changed(self, change: Change[Report]) -> None:
        if change.new is not None:
            self.take(change.new)

    def _take_clients(self, reported: Mapping[str, LastUse]) -> None:
        there = self._cluster.clients.by_uid()
        _forget(self._clients, self._clients.keys() - there.keys())
        known = sorted(reported.keys() & there.keys())
        for uid in known:
            self._clients[uid] = later(self._clients.get(uid), reported[uid])
        self._cluster.clients_used([there[uid] for uid in known])

    def _take_contracts(self, reported: Mapping[str, int]) -> None:
        """What statuses say already wakes nobody: gates repeat it until they have seen the status."""
        there, told = self._cluster.contracts.by_uid(), self._cluster.contract_last_used
        _forget(self._contracts, self._contracts.keys() - there.keys())
        news = sorted(uid for uid in reported.keys() & there.keys() if reported[uid] > told(there[uid]))
        for uid in news:
            self._contracts[uid] = max(self._contracts.get(uid, 0), reported[uid])
        self._cluster.contracts_used([there[uid] for uid in news])


def _forget(news: dict[str, Any], gone: Iterable[str]) -> None:
    for uid in tuple(gone):
        del news[uid]
