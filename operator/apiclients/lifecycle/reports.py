"""What gates report of uses, and how far that goes: what none of them has reported is unknown, and not unused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apiclients.lifecycle.contract_usage import decode_contracts
from apiclients.lifecycle.replicas import Replica, time_or_none
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


def report(lease: Mapping[str, Any]) -> Report:
    """What a gate reports in its Lease."""
    notes: Mapping[str, Any] = lease["metadata"].get("annotations") or {}
    return Report(
        clients=decode(str(notes.get(USAGE_ANNOTATION) or "{}")),
        contracts=decode_contracts(str(notes.get(CONTRACT_USAGE_ANNOTATION) or "{}")),
        complete=time_or_none(notes.get(USAGE_COMPLETE_ANNOTATION)),
    )


@dataclass(frozen=True, slots=True)
class Reports:
    """How far the reports of gates go."""

    #: Up to when all living gates have reported whatever they saw used; None where one of them has not said so.
    until: datetime | None = None
    #: When the last one of those ended that was killed, with what it had not reported.
    lost: datetime | None = None

    def known_since(self, time: datetime) -> datetime | None:
        """Up to when all uses since a time are known; None where they are not."""
        lost = self.lost is not None and self.lost >= time
        return None if lost or self.until is None or self.until <= time else self.until


NO_REPORTS = Reports()


def reports(gates: Iterable[Replica], complete: Mapping[str, datetime | None], now: datetime) -> Reports:
    """``complete`` is by Lease of usage up to when its report has all there is."""
    known = list(gates)
    times = [complete.get(usage_lease(gate.name)) for gate in known if gate.alive(now)]
    said = [time for time in times if time is not None]
    lost = (gate.ends for gate in known if not gate.alive(now))
    return Reports(
        until=min(said) if said and len(said) == len(times) else None,
        lost=max((end for end in lost if end is not None), default=None),
    )
