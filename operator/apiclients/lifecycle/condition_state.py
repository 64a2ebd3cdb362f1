"""Conditions without their bookkeeping, and the bookkeeping: the same for every kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from apiclients.lifecycle.timing import whole_second
from apiclients.resources.conditions import MAX_MESSAGE, Condition, ConditionStatus, ConditionType, Reason


@dataclass(frozen=True, slots=True)
class ConditionState:
    """Whether something holds, and why. ``holds`` None: nobody can know."""

    holds: bool | None
    reason: Reason
    message: str


_STATUSES: Mapping[bool | None, ConditionStatus] = {True: "True", False: "False", None: "Unknown"}


def build_conditions(
    states: Mapping[ConditionType, ConditionState | None], known: list[Condition], generation: int, now: datetime
) -> list[Condition]:
    """The conditions; what has no state is left out. lastTransitionTime moves only when a status flips."""
    before = {c.type: c for c in known}
    return [
        condition(kind, state, before.get(kind), generation, now) for kind, state in states.items() if state is not None
    ]


def condition(
    kind: ConditionType, state: ConditionState, before: Condition | None, generation: int, now: datetime
) -> Condition:
    """One condition, with the transition time of the one before where the status is the same."""
    status = _STATUSES[state.holds]
    unchanged = before is not None and before.status == status
    return Condition(
        type=kind,
        status=status,
        reason=state.reason,
        message=state.message[:MAX_MESSAGE],
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before and unchanged else whole_second(now),
    )
