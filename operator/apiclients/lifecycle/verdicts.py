"""Conditions without their bookkeeping, and the bookkeeping: the same for every kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from apiclients.lifecycle.timing import whole_second
from apiclients.resources.conditions import MAX_MESSAGE, Condition, ConditionType, Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something holds, and why."""

    holds: bool
    reason: Reason
    message: str


def told(
    verdicts: Mapping[ConditionType, Verdict | None], known: list[Condition], generation: int, now: datetime
) -> list[Condition]:
    """The conditions; what has no verdict is left out. lastTransitionTime moves only when a status flips."""
    before = {c.type: c for c in known}
    return [
        condition(kind, verdict, before.get(kind), generation, now)
        for kind, verdict in verdicts.items()
        if verdict is not None
    ]


def condition(
    kind: ConditionType, verdict: Verdict, before: Condition | None, generation: int, now: datetime
) -> Condition:
    """One condition, with the transition time of the one before where the status is the same."""
    status = "True" if verdict.holds else "False"
    unchanged = before is not None and before.status == status
    return Condition(
        type=kind,
        status=status,
        reason=verdict.reason,
        message=verdict.message[:MAX_MESSAGE],
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before and unchanged else whole_second(now),
    )
