"""One replica of the gate as its Lease tells: whether it lives, what it obeys, and how far it sees."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apiclients.resources.fields import parse_time
from apiclients.resources.names import (
    OBEYS_ANNOTATION,
    PROBLEM_ANNOTATION,
    PROOF_ANNOTATION,
    READY_ANNOTATION,
    UNKNOWN_KEYS_ANNOTATION,
    VERSION_ANNOTATION,
    applied_annotation,
)

#: The kinds whose versions say what a replica obeys of a desired status and of holds.
_CLIENTS, _HOLDS = "apiclients", "apiclientholds"
#: A datetime holds no later time.
_LAST = datetime.max.replace(tzinfo=UTC)
#: resourceVersions are numbers of 64 bits.
_MOST_DIGITS = 20
#: So many gates are named in a message.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica of the gate."""

    name: str
    version: str
    ready: bool
    #: Whether it says that it answers 503 to everything. One that says nothing is neither ready nor this.
    refuses_all: bool
    #: What it says is wrong, although it may be ready; empty when nothing is.
    problem: str
    #: All clients up to this resourceVersion are in its picture, and all holds up to that one.
    applied_clients: int
    applied_holds: int
    proved: datetime | None
    renewed: datetime | None
    #: How long its Lease is good for.
    duration: timedelta
    #: The features (``lifecycle.features``) that it obeys, also those that only a newer version knows.
    obeys: frozenset[str] = frozenset()
    #: How many tokens named a key that it does not know, by TokenIssuer.
    unknown_keys: tuple[tuple[str, str], ...] = ()

    @property
    def ends(self) -> datetime | None:
        """Until when its Lease is good, unless it is renewed; None for one that was never renewed."""
        return end_of(self.renewed, self.duration)

    def alive(self, now: datetime) -> bool:
        """Whether its Lease is still good."""
        return self.ends is not None and now <= self.ends


def replica(lease: Mapping[str, Any]) -> Replica:
    """A replica as its Lease tells; what somebody else wrote into it counts as nothing."""
    meta, spec = lease["metadata"], lease.get("spec") or {}
    notes: dict[str, Any] = meta.get("annotations") or {}
    return Replica(
        name=meta["name"],
        version=notes.get(VERSION_ANNOTATION) or "unknown",
        ready=notes.get(READY_ANNOTATION) == "true",
        refuses_all=notes.get(READY_ANNOTATION) == "false",
        problem=str(notes.get(PROBLEM_ANNOTATION) or ""),
        applied_clients=_applied(notes, _CLIENTS),
        applied_holds=_applied(notes, _HOLDS),
        proved=time_or_none(notes.get(PROOF_ANNOTATION)),
        renewed=time_or_none(spec.get("renewTime")),
        duration=duration_of(spec),
        obeys=frozenset(str(notes.get(OBEYS_ANNOTATION) or "").split(",")) - {""},
        unknown_keys=_counts(str(notes.get(UNKNOWN_KEYS_ANNOTATION) or "")),
    )


def duration_of(spec: Mapping[str, Any]) -> timedelta:
    """How long a Lease is good for after it was renewed."""
    return timedelta(seconds=spec.get("leaseDurationSeconds") or 0)


def end_of(renewed: datetime | None, duration: timedelta) -> datetime | None:
    """Until when a Lease is good, unless it is renewed; None for one that was never renewed."""
    return renewed + min(duration, _LAST - renewed) if renewed is not None else None


def unknown_keys(gates: Iterable[Replica], issuer: str) -> frozenset[tuple[str, str]]:
    """What gates say of keys of a TokenIssuer that they do not know; it differs once there is another such token."""
    return frozenset((gate.name, count) for gate in gates for name, count in gate.unknown_keys if name == issuer)


def _counts(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return tuple((name, count) for name, _, count in pairs)


def _applied(notes: Mapping[str, Any], plural: str) -> int:
    applied = str(notes.get(applied_annotation(plural)) or "")
    return int(applied) if applied.isascii() and applied.isdigit() and len(applied) <= _MOST_DIGITS else 0


def enumerated(names: Sequence[str]) -> str:
    """Names of gates for a message, which names not very many."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"


def time_or_none(text: object) -> datetime | None:
    """An RFC 3339 time, or None for anything else."""
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None
