"""The gate's replicas as their Leases tell: which are alive, and how far each one sees."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiclients.cli.cluster.connection import Session
from apiclients.cli.errors import CliError
from apiclients.kube.errors import ForbiddenError
from apiclients.kube.objects import LEASES
from apiclients.lifecycle.enforcement import Awaited, obeyed_by
from apiclients.lifecycle.features import NO_FEATURES, Feature
from apiclients.lifecycle.replicas import Replica, replica
from apiclients.lifecycle.reports import Report, report
from apiclients.resources.names import GATE_LEASE_SELECTOR, USAGE_LEASE_SELECTOR

_POLL_SECONDS = 0.2


class UnconfirmedError(CliError):
    """The Leases may not be read, so nobody can say how far the replicas are."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How a wait ended."""

    seconds: float
    reached: tuple[str, ...]
    behind: tuple[str, ...]
    #: Replicas whose Lease has ended: dead, or cut off, and then they refuse everything before long.
    silent: tuple[str, ...]
    #: Of those behind the ones that will never have it: they do not know a field of the hold.
    too_old: tuple[str, ...] = ()


async def read_replicas(session: Session, namespace: str) -> list[Replica]:
    """All replicas. Raises KubeError."""
    leases = await session.objects(LEASES, namespace, labels=GATE_LEASE_SELECTOR)
    return sorted((replica(lease) for lease in leases), key=lambda one: one.name)


async def read_reports(session: Session, namespace: str) -> dict[str, Report]:
    """What gates report of uses, by the names of their Leases. Raises KubeError."""
    leases = await session.objects(LEASES, namespace, labels=USAGE_LEASE_SELECTOR)
    return {lease["metadata"]["name"]: report(lease) for lease in leases}


async def until_held(
    session: Session,
    namespace: str,
    resource_version: int,
    timeout: timedelta,  # noqa: ASYNC109 - reported, not raised
    features: frozenset[Feature] = NO_FEATURES,
    monotonic: Callable[[], float] = time.monotonic,
) -> Reached:
    """Wait until every living replica's Lease says that it has applied a hold, which uses these features.

    Raises UnconfirmedError, CliError, KubeError.
    """
    started = monotonic()
    while True:
        found = await _replicas_or_reason(session, namespace)
        result = _judge(found, resource_version, session.now(), monotonic() - started, features)
        if not result.behind or result.seconds >= timeout.total_seconds():
            return result
        await asyncio.sleep(_POLL_SECONDS)


async def _replicas_or_reason(session: Session, namespace: str) -> Sequence[Replica]:
    try:
        found = await read_replicas(session, namespace)
    except ForbiddenError:
        raise UnconfirmedError(
            f"you may not read the gate's Leases in {namespace}, so it cannot be seen when each replica has "
            "applied it. It takes effect all the same, typically within a second. Ask for the ClusterRole "
            f"apiclient-on-call in {namespace} too"
        ) from None
    if not found:
        raise CliError(
            f"no gate has a Lease in {namespace}, so nobody can confirm it. Name the right namespace with "
            "--system-namespace, and see `kubectl apiclient doctor`"
        )
    return found


def _judge(
    found: Sequence[Replica],
    resource_version: int,
    now: datetime,
    seconds: float,
    features: frozenset[Feature] = NO_FEATURES,
) -> Reached:
    alive = [one for one in found if one.alive(now)]
    awaited = Awaited(refuses=True, holds_version=resource_version, features=features)
    reached = [one for one in alive if obeyed_by(one, awaited)]
    # While nobody is alive, nobody has confirmed anything.
    return Reached(
        seconds=seconds,
        reached=_names(reached),
        behind=_names(one for one in alive if one not in reached) if alive else _names(found),
        silent=_names(one for one in found if not one.alive(now)),
        too_old=_names(one for one in alive if not one.obeys >= features),
    )


def _names(replicas: Iterable[Replica]) -> tuple[str, ...]:
    return tuple(one.name for one in replicas)
