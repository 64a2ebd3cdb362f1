"""The history of a client's observed status, and the Events that tell of its transitions."""

from dataclasses import dataclass
from datetime import datetime

from apiclients.lifecycle.credentials import current
from apiclients.lifecycle.timing import whole_second
from apiclients.resources.apiclient import MAX_HISTORY, ApiClientStatus, ObservedStatus, Transition
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.objects import ApiClient


def history(client: ApiClient, observed: ObservedStatus, reason: Reason, now: datetime) -> list[Transition]:
    """The history with one more entry when the observed status changed, newest first, bounded."""
    before = client.status.observed_status or ObservedStatus.PENDING
    if observed is before:
        return client.status.history
    entry = Transition(
        time=whole_second(now), from_status=before, to_status=observed, reason=reason, manager=client.changed_by
    )
    return [entry, *client.status.history][:MAX_HISTORY]


@dataclass(frozen=True, slots=True)
class Announcement:
    """One Event: a result, not an intention."""

    warning: bool
    reason: str
    action: str
    note: str


def announcements(before: ApiClientStatus, after: ApiClientStatus) -> list[Announcement]:
    """The Events of one transition from status to status; none when nothing changed that a person would ask about."""
    told: list[Announcement] = []
    ready, stalled = _condition(after, ConditionType.READY), _condition(after, ConditionType.STALLED)
    stalled_before = _condition(before, ConditionType.STALLED)
    if stalled is not None and (stalled_before is None or stalled_before.message != stalled.message):
        told.append(Announcement(True, stalled.reason, "Stall", stalled.message))
    elif after.observed_status is not before.observed_status and after.observed_status is not None:
        note = ready.message if ready is not None else ""
        told.append(Announcement(False, after.observed_status, "ChangeStatus", note))
    told += _credential_announcements(before, after)
    return told


def condition_announcements(before: list[Condition], after: list[Condition]) -> list[Announcement]:
    """The Event of a change of Ready, for kinds whose conditions say all: one per transition, with the condition's
    reason.
    """
    old = next((c for c in before if c.type == ConditionType.READY), None)
    new = next((c for c in after if c.type == ConditionType.READY), None)
    if new is None or (old is not None and (old.status, old.reason) == (new.status, new.reason)):
        return []
    stalled = any(c.type == ConditionType.STALLED for c in after)
    return [Announcement(stalled, new.reason, "ChangeStatus", new.message)]


def _credential_announcements(before: ApiClientStatus, after: ApiClientStatus) -> list[Announcement]:
    old, new = current(before.credentials), current(after.credentials)
    if old is None or new is None or old.id == new.id:
        return []
    ready = _condition(after, ConditionType.SECRET_READY)
    note = f"A new secret was issued (cause: {new.cause}). {ready.message if ready is not None else ''}"
    return [Announcement(False, "Rotated", "Rotate", note.strip())]


def _condition(status: ApiClientStatus, kind: ConditionType) -> Condition | None:
    return next((c for c in status.conditions if c.type == kind), None)
