"""Namespaces whose clients are all refused, because of what there is in them; said once, and counted."""

import logging
from collections import Counter
from enum import StrEnum

from apiclients.gate.state.reading import Entry
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.budget import (
    NAMESPACE_BUDGET,
    ProofLoad,
    nearly_over_budget,
    over_budget,
    refused_after_proof,
)
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.hold import MAX_SELECTING_HOLDS

logger = logging.getLogger(__name__)


class NamespaceRefusal(StrEnum):
    """Why; the label ``reason`` of the gate's metrics."""

    OVER_BUDGET = "over_budget"
    TOO_MANY_HOLDS = "too_many_holds"


class NamespaceRefusals:
    """Counts what every proof lists of each namespace (``lifecycle.budget``), and knows who is refused for it."""

    def __init__(self, budget: int = NAMESPACE_BUDGET) -> None:
        self._budget = budget
        self._clients: Counter[str] = Counter()
        self._holds: Counter[str] = Counter()
        self._nearly: set[str] = set()
        self._over: set[str] = set()
        self._refused: set[str] = set()
        self._crowded: set[str] = set()

    def refuses(self, namespace: str) -> bool:
        """Whether all clients of a namespace are refused because it is over its budget. Asked on every request."""
        return namespace in self._refused

    def load(self, namespace: str) -> ProofLoad:
        """What each proof lists of a namespace, or would."""
        return ProofLoad(self._clients[namespace], self._holds[namespace])

    def now(self) -> list[tuple[str, NamespaceRefusal]]:
        """Who is refused now and why, in order."""
        over = [(namespace, NamespaceRefusal.OVER_BUDGET) for namespace in self._refused]
        return sorted(over + [(namespace, NamespaceRefusal.TOO_MANY_HOLDS) for namespace in self._crowded])

    # What changes

    def client_changed(self, namespace: str, old: Entry | None, new: Entry | None) -> None:
        """A client has come, gone or changed."""
        self._count(self._clients, namespace, _is_listed(new) - _is_listed(old))

    def hold_changed(self, namespace: str, old: Entry | None, new: Entry | None, *, too_many: bool) -> None:
        """A hold has come, gone or changed; ``too_many`` if now the namespace is held for the number of them."""
        self._count(self._holds, namespace, (new is not None) - (old is not None))
        if too_many is not (namespace in self._crowded):
            self._note_crowded(namespace, too_many)

    def to_leave_out(self) -> frozenset[str]:
        """The namespaces of which a proof that starts now need not say anything."""
        return frozenset(self._over)

    def proved(self, left_out: frozenset[str]) -> None:
        """A proof has succeeded that said nothing of these namespaces."""
        stay = refused_after_proof(self._refused, left_out, self._over)
        for namespace in sorted(self._refused - stay):
            logger.info("namespace %s is within its budget again: its clients are decided about one by one", namespace)
        self._refused = set(stay)

    def _count(self, counts: Counter[str], namespace: str, difference: int) -> None:
        if not difference:
            return
        counts[namespace] += difference
        if not counts[namespace]:
            del counts[namespace]
        self._weigh(namespace)

    def _weigh(self, namespace: str) -> None:
        load = self.load(namespace)
        if over_budget(load, self._budget):
            if namespace not in self._refused:
                logger.error(
                    "namespace %s is over its budget, all of its clients are refused: %s", namespace, self._why(load)
                )
            self._over.add(namespace)
            self._refused.add(namespace)
        else:
            self._over.discard(namespace)
        self._warn(namespace, load)

    def _warn(self, namespace: str, load: ProofLoad) -> None:
        if not nearly_over_budget(load, self._budget):
            self._nearly.discard(namespace)
        elif namespace not in self._nearly:
            self._nearly.add(namespace)
            logger.warning("namespace %s is near its budget: %s", namespace, self._why(load))

    def _why(self, load: ProofLoad) -> str:
        return (
            f"{load.clients} clients that are not Available and {load.holds} holds, of --namespace-budget "
            f"{self._budget}; delete retired clients and expired holds"
        )

    def _note_crowded(self, namespace: str, crowded: bool) -> None:
        if crowded:
            self._crowded.add(namespace)
            logger.error(
                "namespace %s has more than %d holds that name no client: all of its clients are held; delete some",
                namespace,
                MAX_SELECTING_HOLDS,
            )
        else:
            self._crowded.discard(namespace)
            logger.info("namespace %s has few enough holds again", namespace)


def _is_listed(entry: Entry | None) -> bool:
    """Whether a proof lists a client: what cannot be read may ask for anything."""
    if entry is None:
        return False
    return not isinstance(entry, ClientView) or entry.desired is not DesiredStatus.AVAILABLE
