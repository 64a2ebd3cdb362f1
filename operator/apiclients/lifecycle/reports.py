"""What gates report of uses, and how far that goes: what none of them has reported is unknown, and not unused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apiclients.lifecycle.contract_usage import decode_contracts
from apiclients.lifecycle.replicas import Replica, duration_of, end_of, time_or_none
from apiclients.lifecycle.usage import LastUse, decode
from apiclients.resources.names import (
    CONTRACT_USAGE_ANNOTATION,
    USAGE_ANNOTATION,
    USAGE_COMPLETE_ANNOTATION,
    usage_lease,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What one gate reports, by UID."""

    clients: Mapping[str, LastUse]
    #: The hours of contracts; an older gate says none.
    contracts: Mapping[str, int]
    #: Up to when it has all uses of clients and secrets; None where the gate does not say so.
    complete: datetime | None = None
    #: Until when its Lease is good, unless it is renewed; None where it was never renewed.
    ends: datetime | None = None


def report(lease: Mapping[str, Any]) -> Report:
    """What a gate reports in its Lease."""
    notes: Mapping[str, Any] = lease["metadata"].get("annotations") or {}
    spec: Mapping[str, Any] = lease.get("spec") or {}
    return Report(
        clients=decode(str(notes.get(USAGE_ANNOTATION) or "{}")),
        contracts=decode_contracts(str(notes.get(CONTRACT_USAGE_ANNOTATION) or "{}")),
        complete=time_or_none(notes.get(USAGE_COMPLETE_ANNOTATION)),
        ends=end_of(time_or_none(spec.get("renewTime")), duration_of(spec)),
    )


@dataclass(frozen=True, slots=True)
class Reports:
    """How far the reports of gates go."""

    #: Up to when all living gates have reported whatever they saw used; None where one of them has not said so.
    until: datetime | None = None
    #: What was used before this time may be missing: the last gate that was killed had not reported it, or it was
    #: reported to nobody.
    lost: datetime | None = None

    def known_since(self, time: datetime) -> datetime | None:
        """Up to when all uses since a time are known; None where they are not."""
        lost = self.lost is not None and self.lost >= time
        return None if lost or self.until is None or self.until <= time else self.until


NO_REPORTS = Reports()


def reports(
    gates: Iterable[Replica], reported: Mapping[str, Report], now: datetime, read_since: datetime | None = None
) -> Reports:
    """How far the reports go; ``reported`` is by the name of the Lease.

    A gate that ends in order deletes the Lease of its report, so one without a living gate is that of a gate that was
    killed, also once its other Lease is deleted. ``read_since`` is for a reader that keeps what it read: reports of
    gates that ended before that time are missing.
    """
    known = list(gates)
    living = {usage_lease(gate.name) for gate in known if gate.alive(now)}
    times = [reported[name].complete if name in reported else None for name in living]
    said = [time for time in times if time is not None]
    ends = [gate.ends for gate in known if not gate.alive(now)]
    ends += [one.ends for name, one in reported.items() if name not in living]
    return Reports(
        until=min(*said, now) if said and len(said) == len(times) else None,
        lost=max((end for end in (*ends, read_since) if end is not None), default=None),
    )
