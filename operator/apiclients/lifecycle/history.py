"""The history of a client's observed status, and the Events that tell of its transitions."""

from dataclasses import dataclass
from datetime import datetime

from apiclients.lifecycle.credentials import current
from apiclients.lifecycle.timing import whole_second
from apiclients.resources.apiclient import MAX_HISTORY, ApiClientStatus, DesiredStatus, ObservedStatus, Transition
from apiclients.resources.conditions import Condition, ConditionType, Reason
from apiclients.resources.objects import ApiClient


def history(
    client: ApiClient, observed: ObservedStatus, desired: DesiredStatus, reason: Reason, now: datetime
) -> list[Transition]:
    """The history with one more entry when the observed status changed, newest first, bounded.

    ``desired`` is the desired status in force now. ``reason`` says why the client is what it is now, as Active does.
    """
    before = client.status.observed_status or ObservedStatus.PENDING
    if observed is before:
        return client.status.history
    by_spec = desired is not client.status.desired_status  # otherwise a hold or the clock did it
    entry = Transition(
        time=whole_second(now),
        from_status=before,
        to_status=observed,
        reason=reason,
        manager=client.changed_by if by_spec else None,
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
    told = [*_stall_announcements(before, after), *_status_announcements(before, after)]
    return [*told, *_credential_announcements(before, after), *_reminders(before, after)]


def _stall_announcements(before: ApiClientStatus, after: ApiClientStatus) -> list[Announcement]:
    old, new = _condition(before, ConditionType.STALLED), _condition(after, ConditionType.STALLED)
    if new is None or (old is not None and old.message == new.message):
        return []
    return [Announcement(True, new.reason, "Stall", new.message)]


def _status_announcements(before: ApiClientStatus, after: ApiClientStatus) -> list[Announcement]:
    """The Event of a change of the observed status; none for what the client is stalled for, which is told as such."""
    active, stalled = _condition(after, ConditionType.ACTIVE), _condition(after, ConditionType.STALLED)
    if after.observed_status is None or after.observed_status is before.observed_status or active is None:
        return []
    if stalled is not None and stalled.reason == active.reason:
        return []
    return [Announcement(False, after.observed_status, "ChangeStatus", active.message)]


def condition_announcements(before: list[Condition], after: list[Condition]) -> list[Announcement]:
    """The Events of kinds whose conditions say all: one per transition of Ready, and one when an end comes near."""
    old, new = ({c.type: c for c in conditions} for conditions in (before, after))
    stalled = ConditionType.STALLED in new
    found = []
    ready, soon = new.get(ConditionType.READY), new.get(ConditionType.EXPIRING_SOON)
    if ready is not None and _differs(old.get(ConditionType.READY), ready):
        found.append(Announcement(stalled, ready.reason, "ChangeStatus", ready.message))
    if soon is not None and _differs(old.get(ConditionType.EXPIRING_SOON), soon):
        found.append(Announcement(True, soon.reason, "ChangeStatus", soon.message))
    return found


def _differs(old: Condition | None, new: Condition) -> bool:
    return old is None or (old.status, old.reason) != (new.status, new.reason)


def _credential_announcements(before: ApiClientStatus, after: ApiClientStatus) -> list[Announcement]:
    old, new = current(before.credentials), current(after.credentials)
    if old is None or new is None or old.id == new.id:
        return []
    ready = _condition(after, ConditionType.SECRET_READY)
    note = f"A new secret was issued (cause: {new.cause}). {ready.message if ready is not None else ''}"
    return [Announcement(False, "Rotated", "Rotate", note.strip())]


def _reminders(before: ApiClientStatus, after: ApiClientStatus) -> list[Announcement]:
    """One for each secret that comes near its end. That it has expired is told as a change of the status."""
    old, new = _condition(before, ConditionType.EXPIRING_SOON), _condition(after, ConditionType.EXPIRING_SOON)
    if new is None or new.reason != Reason.ROTATION_DUE:
        return []
    same = old is not None and old.reason == new.reason and _current_id(before) == _current_id(after)
    return [] if same else [Announcement(True, new.reason, "Rotate", new.message)]


def _current_id(status: ApiClientStatus) -> int | None:
    known = current(status.credentials)
    return known.id if known is not None else None


def _condition(status: ApiClientStatus, kind: ConditionType) -> Condition | None:
    return next((c for c in status.conditions if c.type == kind), None)
