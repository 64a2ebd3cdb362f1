"""What runs in the system namespace, by its Leases."""

import asyncio
from dataclasses import dataclass

from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.replicas import read_replicas
from apiclients.kube.errors import ForbiddenError, NotFoundError
from apiclients.kube.objects import LEASES, JsonObject
from apiclients.lifecycle.replicas import Replica
from apiclients.resources.names import OPERATOR_LEASE


@dataclass(frozen=True, slots=True)
class System:
    """Gates and operator at one time."""

    #: By name; None where their Leases may not be read.
    gates: tuple[Replica, ...] | None
    #: The operator's Lease; None where it is not there, or may not be read.
    operator: JsonObject | None
    operator_readable: bool


async def read_system(session: Session, namespace: str) -> System:
    """Read the Leases. A missing right is noted, not fatal. Raises other KubeErrors."""
    gates, (operator, readable) = await asyncio.gather(_gates(session, namespace), _operator(session, namespace))
    return System(gates, operator, readable)


async def _gates(session: Session, namespace: str) -> tuple[Replica, ...] | None:
    try:
        return tuple(await read_replicas(session, namespace))
    except ForbiddenError:
        return None


async def _operator(session: Session, namespace: str) -> tuple[JsonObject | None, bool]:
    try:
        return await session.kube.get(LEASES, namespace, OPERATOR_LEASE), True
    except NotFoundError:
        return None, True
    except ForbiddenError:
        return None, False
