"""What gates report of the use of clients, until it stands in their statuses."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import KubeClient
from apiclients.kube.objects import LEASES
from apiclients.lifecycle.usage import LastUse, decode, is_told, later
from apiclients.resources.names import USAGE_ANNOTATION, USAGE_LEASE_SELECTOR
from apiclients.resources.objects import ApiClient
from apiclients.resources.refs import NamespacedName

_RELIST_SECONDS = 600.0

Report = Mapping[str, LastUse]


class Usage:
    """Watches the Leases in which gates report.

    News are kept until the status has them, also when their gate is gone, and as long as the client is there.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        clients: Callable[[], Mapping[str, NamespacedName]],
        on_use: Callable[[Iterable[NamespacedName]], None],
    ) -> None:
        """``clients`` are those that there are, by UID; ``on_use`` hears of which of them there is news."""
        self._clients = clients
        self._on_use = on_use
        self._news: dict[str, LastUse] = {}
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
        use = self._news.get(client.metadata.uid)
        if use is not None and is_told(use, client.status):
            del self._news[client.metadata.uid]
            return None
        return use

    def _changed(self, change: Change[Report]) -> None:
        reported = change.new or {}
        if not reported:
            return
        clients = self._clients()
        for uid in self._news.keys() - clients.keys():
            del self._news[uid]
        known = sorted(reported.keys() & clients.keys())
        for uid in known:
            self._news[uid] = later(self._news.get(uid), reported[uid])
        self._on_use([clients[uid] for uid in known])


def report(lease: Mapping[str, Any]) -> Report:
    """What a gate reports in its Lease."""
    annotations: Mapping[str, Any] = lease["metadata"].get("annotations") or {}
    return decode(str(annotations.get(USAGE_ANNOTATION) or "{}"))
