"""Labels of namespaces: they decide which Apis a namespace may contract."""

from collections.abc import Callable, Mapping
from typing import Any

from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import NAMESPACES, KubeClient


def _labels(body: Mapping[str, Any]) -> dict[str, str]:
    return dict(body["metadata"].get("labels") or {})


class NamespaceLabels:
    """The labels of all namespaces, watched as metadata with a list every minute behind the watch."""

    def __init__(self, client: KubeClient, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change
        self.reflector: Reflector[dict[str, str]] = Reflector(
            client, NAMESPACES, _labels, metadata_only=True, relist_interval=60, on_change=self._changed
        )

    def of(self, namespace: str) -> dict[str, str] | None:
        """The labels of a namespace; None while nothing is known of it."""
        return self.reflector.store.get(("", namespace))

    def _changed(self, change: Change[dict[str, str]]) -> None:
        if change.old != change.new:
            self._on_change(change.key[1])
