"""Runs the operator's decisions on a world until nothing changes any more.

The decisions, what they look at and the loop around them are ``engine``'s; the steps are done in memory.
"""

from dataclasses import replace

from apiclients.engine.converge import StepResult, converge
from apiclients.lifecycle.steps import ProveContracts, Step
from apiclients.plan.world import World, key_of
from apiclients.resources.api import ApiStatus
from apiclients.resources.fields import Model
from apiclients.resources.objects import AnyObject, Api, ApiClient
from apiclients.resources.refs import ObjectRef

#: How often one object is looked at before it counts as never settling.
_MOST_VISITS = 100


class UnsettledError(RuntimeError):
    """The decisions go in circles: a bug in them, or in this simulation."""


def settle(world: World) -> None:
    """Decide about everything that is queued, and what that concerns, until all is quiet. Raises UnsettledError."""
    visits: dict[ObjectRef, int] = {}
    while (name := world.next()) is not None:
        visits[name] = visits.get(name, 0) + 1
        if visits[name] > _MOST_VISITS:
            raise UnsettledError(f"{name} does not settle")
        obj = world.objects.get(name)
        if obj is not None:
            _reconcile(world, obj)


def _reconcile(world: World, obj: AnyObject) -> None:
    convergence = converge(obj, world.observer, lambda: world.now)
    try:
        step = next(convergence)
        while True:
            step = convergence.send(_do(world, obj, step))
    except StopIteration as end:
        converged = end.value
    if converged is None:
        return
    status = _compared(obj, converged.status)
    if status != obj.status:
        world.put_status(replace(obj, status=status))  # type: ignore[arg-type]


def _do(world: World, obj: AnyObject, step: Step) -> StepResult:
    """Do a step in memory. The world is its own proof: its list of contracts is never late."""
    if isinstance(step, ProveContracts):
        if isinstance(obj, Api):
            return world.counts_of_api(key_of(obj))
        return world.relations.contracts.of_client(key_of(obj))
    if not isinstance(obj, ApiClient):
        raise TypeError(f"only clients have Secrets, not {type(obj).__name__}")
    return world.shelf.do(step, obj)


def _compared(obj: AnyObject, status: Model) -> Model:
    """Without what no plan shows: the audience, for the issuer is not known here, and who waits, which is counted."""
    if isinstance(obj, Api) and isinstance(status, ApiStatus):
        return status.model_copy(update={"audience": obj.status.audience, "pending_contracts": []})
    return status
