"""The gate's replicas as their Leases tell: which are alive, and how far each one sees."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apiclients.cli.connection import Session
from apiclients.cli.errors import CliError
from apiclients.kube.errors import ForbiddenError
from apiclients.kube.kinds import API_CLIENT_HOLDS
from apiclients.kube.objects import LEASES, JsonObject
from apiclients.resources.fields import parse_time
from apiclients.resources.names import (
    GATE_LEASE_SELECTOR,
    PROOF_ANNOTATION,
    READY_ANNOTATION,
    VERSION_ANNOTATION,
    applied_annotation,
)

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica of the gate."""

    name: str
    version: str
    ready: bool
    #: All holds up to this resourceVersion are in its picture.
    applied_holds: int
    proved: datetime | None
    renewed: datetime | None
    #: How long its Lease is good for.
    duration: timedelta

    def alive(self, now: datetime) -> bool:
        """Whether its Lease is still good."""
        return self.renewed is not None and now - self.renewed <= self.duration


@dataclass(frozen=True, slots=True)
class Reached:
    """How a wait ended."""

    seconds: float
    reached: tuple[str, ...]
    behind: tuple[str, ...]
    #: Replicas whose Lease has ended: dead, or cut off, and then they refuse everything before long.
    silent: tuple[str, ...]


def replica(lease: JsonObject) -> Replica:
    """A replica as its Lease tells; what somebody else wrote into it counts as nothing."""
    meta, spec = lease["metadata"], lease.get("spec") or {}
    notes: dict[str, Any] = meta.get("annotations") or {}
    applied = str(notes.get(applied_annotation(API_CLIENT_HOLDS.plural)) or "")
    return Replica(
        name=meta["name"],
        version=notes.get(VERSION_ANNOTATION) or "unknown",
        ready=notes.get(READY_ANNOTATION) == "true",
        applied_holds=int(applied) if applied.isascii() and applied.isdigit() else 0,
        proved=time_or_none(notes.get(PROOF_ANNOTATION)),
        renewed=time_or_none(spec.get("renewTime")),
        duration=timedelta(seconds=spec.get("leaseDurationSeconds") or 0),
    )


def time_or_none(text: object) -> datetime | None:
    """An RFC 3339 time, or None for anything else."""
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None


async def read_replicas(session: Session, namespace: str) -> list[Replica]:
    """All replicas. Raises KubeError."""
    leases = await session.objects(LEASES, namespace, labels=GATE_LEASE_SELECTOR)
    return sorted((replica(lease) for lease in leases), key=lambda one: one.name)


async def until_held(
    session: Session,
    namespace: str,
    resource_version: int,
    timeout: timedelta,  # noqa: ASYNC109 - reported, not raised
    monotonic: Callable[[], float] = time.monotonic,
) -> Reached:
    """Wait until every living replica's Lease says that it has applied a hold. Raises CliError, KubeError."""
    started = monotonic()
    while True:
        found = await _replicas_or_reason(session, namespace)
        result = _judge(found, resource_version, session.now(), monotonic() - started)
        if not result.behind or result.seconds >= timeout.total_seconds():
            return result
        await asyncio.sleep(_POLL_SECONDS)


async def _replicas_or_reason(session: Session, namespace: str) -> Sequence[Replica]:
    try:
        found = await read_replicas(session, namespace)
    except ForbiddenError:
        raise CliError(
            f"you may not read the gate's Leases in {namespace}, so it cannot be seen when each replica has "
            "applied it. It takes effect all the same, typically within a second"
        ) from None
    if not found:
        raise CliError(
            f"no gate has a Lease in {namespace}, so nobody can confirm it. Name the right namespace with "
            "--system-namespace, and see `kubectl apiclient doctor`"
        )
    return found


def _judge(found: Sequence[Replica], resource_version: int, now: datetime, seconds: float) -> Reached:
    alive = [one for one in found if one.alive(now)]
    behind = [one.name for one in alive if one.applied_holds < resource_version]
    # While nobody is alive, nobody has confirmed anything.
    return Reached(
        seconds=seconds,
        reached=tuple(one.name for one in alive if one.applied_holds >= resource_version),
        behind=tuple(behind) if alive else tuple(one.name for one in found),
        silent=tuple(one.name for one in found if not one.alive(now)),
    )
