"""In which lane a change is looked at, and whom it concerns: what a person changed never waits behind a crowd."""

from apiclients.controllers.lanes import Lane
from apiclients.engine.wakes import Wakes
from apiclients.kube.kinds import API_CLIENT_HOLDS, CONTRACT_APPROVALS
from apiclients.kube.object_state import Source
from apiclients.kube.objects import JsonObject
from apiclients.resources.names import ROTATE_REQUESTED_ANNOTATION
from apiclients.resources.objects import value_at

#: A change that concerns more objects than that beyond its own namespace is a crowd itself.
MOST_ELSEWHERE = 64
#: They say something about what is in force already.
_RULINGS = frozenset({API_CLIENT_HOLDS.kind, CONTRACT_APPROVALS.kind})


def lane_of_change(kind: str, raw: JsonObject | None, source: Source) -> Lane:
    """The lane of an object that has changed to ``raw``, or is gone.

    A person asks for what its status does not answer yet. Of the first list nobody knows since when, and what was never
    answered there is the crowd of a cold start; later lists and reads show only what has changed just now.
    """
    if source == "put":
        return Lane.REST
    if raw is None:
        return Lane.CHANGED
    observed = value_at(raw, "status", "observedGeneration")
    if kind not in _RULINGS and observed in (None, -1):
        return Lane.REST if source == "list" else Lane.PENDING
    if observed == value_at(raw, "metadata", "generation") and not _asks_to_rotate(raw):
        return Lane.REST
    return Lane.PENDING if source == "list" else Lane.CHANGED


def lane_of_concerned(wakes: Wakes, lane: Lane, namespace: str) -> Lane:
    """The lane of those whom a change in ``lane`` and ``namespace`` concerns.

    A crowd in its own namespace delays nobody else; one that is spread over others would.
    """
    if not wakes.urgent:
        return Lane.REST
    if len(wakes.keys) <= MOST_ELSEWHERE or all(key[0] == namespace for key in wakes.keys):
        return lane
    return Lane.REST


def _asks_to_rotate(raw: JsonObject) -> bool:
    request = value_at(raw, "metadata", "annotations", ROTATE_REQUESTED_ANNOTATION)
    return request is not None and request != value_at(raw, "status", "lastHandledRotateRequest")
