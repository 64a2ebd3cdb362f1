"""How other programs read the conditions of Contracts, Apis, approvals and holds: Flux's checks, kstatus, rule 24."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lifecycle.status_checks import FLUX_CHECKS, NEGATIVE, Told, kstatus

#: Reason of Ready, then Ready, Stalled (None: as may be) and Active (``*``: as it was), as the table of rule 24 has it.
TABLE: dict[str, tuple[bool, bool | None, str]] = {
    # Contract
    "Active": (True, False, "True"),
    "PendingApproval": (True, False, "*"),
    "ClientNotFound": (False, False, "False"),
    "ApiNotFound": (False, False, "False"),
    "PlanNotFound": (False, False, "*"),
    "Rejected": (False, True, "*"),
    "Conflict": (False, True, "False"),
    "TooManyContracts": (False, True, "False"),
    "Ended": (True, False, "False"),
    "ClientRetired": (True, False, "False"),
    "ApiRetired": (True, False, "False"),
    # Api
    "Published": (True, False, "True"),
    "Retired": (True, False, "False"),
    "AcknowledgementRequired": (False, True, "*"),
    "RetirementIsFinal": (False, True, "False"),
    "ClockSkew": (False, False, "False"),
    # ContractApproval
    "Counted": (True, False, "-"),
    "Outvoted": (True, False, "-"),
    "ContractNotFound": (False, None, "-"),
    "Mismatch": (False, None, "-"),
    # ApiClientHold
    "Holding": (True, False, "True"),
    "HoldExpired": (True, False, "False"),
    "GateTooOld": (False, True, "True"),
}


def condition_faults(status: Any, generation: int) -> list[str]:
    """Everything that is wrong with the conditions of a status; empty when all is well."""
    told = Told(status, generation)
    return [sentence for sentence, good in FLUX_CHECKS if not good(told)] + [*_table_faults(told, status, generation)]


def _table_faults(told: Told, status: Any, generation: int) -> Iterator[str]:
    if any(kind in told.by_type and not told.true(kind) for kind in NEGATIVE):
        yield "Reconciling and Stalled are present only when True"
    ready, active = told.by_type["Ready"], told.by_type.get("Active")
    wanted_ready, wanted_stalled, wanted_active = TABLE[ready.reason]
    stalled = told.true("Stalled") if wanted_stalled is None else wanted_stalled
    if (told.true("Ready"), told.true("Stalled")) != (wanted_ready, stalled):
        yield f"Ready={ready.status} and Stalled={told.true('Stalled')} for {ready.reason}"
    if wanted_active != "*" and (active.status if active else "-") != wanted_active:
        yield f"Active={active.status if active else '-'} for {ready.reason}"
    wanted = "Current" if wanted_ready else "Failed" if stalled else "InProgress"
    if kstatus(status, generation) != wanted:
        yield f"kstatus reads {kstatus(status, generation)} for {ready.reason}"
    if any(not c.message or c.message != c.message.strip() for c in status.conditions):
        yield "a condition says nothing"
