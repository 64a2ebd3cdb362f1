"""Whether an overlap is needed: the time in which a previous secret is good beside its successor (rule 5).

Gates report uses to the hour, every few minutes. What they have not reported yet is not known, and never counts as
unused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from apiclients.lifecycle.history import Announcement
from apiclients.lifecycle.reports import Reports
from apiclients.resources.apiclient import ApiClientStatus, Credential, CredentialState, ObservedStatus
from apiclients.resources.conditions import Reason
from apiclients.resources.fields import format_time

#: Uses are known to the hour: a shorter overlap is not judged.
RESOLUTION = timedelta(hours=1)
#: At its end an overlap is judged by reports that are no older; gates report each ten minutes.
_LATEST = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Overlap:
    """A previous credential, and when its successor was delivered."""

    previous: Credential
    began: datetime

    @property
    def ends(self) -> datetime:
        """From then on the previous one is refused."""
        return self.previous.expires_time


def overlaps(credentials: Iterable[Credential]) -> list[Overlap]:
    """Those of a client, the newest first."""
    newest = sorted(credentials, key=lambda c: c.id, reverse=True)
    return [
        Overlap(one, successor.issued_time)
        for successor, one in pairwise(newest)
        if one.state is CredentialState.PREVIOUS
    ]


def unused_until(overlap: Overlap, known: Reports) -> datetime | None:
    """Up to when it is known that nobody has used the previous secret since the overlap began; None if it is not."""
    used = overlap.previous.last_used_time
    before = used is None or used + RESOLUTION <= overlap.began
    return known.known_since(overlap.began) if before else None


def may_end(overlap: Overlap, known: Reports, token_lifetime: timedelta) -> bool:
    """Whether nobody needs it any more.

    A program asks for a token once in the lifetime of one: it has to be unused for longer than that.
    """
    until = unused_until(overlap, known)
    return until is not None and until - overlap.began >= token_lifetime


def that_may_end(
    status: ApiClientStatus, credentials: Iterable[Credential], known: Reports, token_lifetime: timedelta, now: datetime
) -> list[Overlap]:
    """The overlaps of a client that nobody needs any more. Of one that is stopped this cannot be known."""
    if status.observed_status is not ObservedStatus.AVAILABLE:
        return []
    return [one for one in overlaps(credentials) if now < one.ends and may_end(one, known, token_lifetime)]


def unneeded(
    before: Sequence[Credential], after: Iterable[Credential], known: Reports, now: datetime
) -> tuple[Overlap, ...]:
    """The overlaps that have ended by time with these statuses, and that nobody needed."""
    left = {credential.id for credential in after}
    ended = (one for one in overlaps(before) if one.previous.id not in left and one.ends <= now)
    return tuple(one for one in ended if _was_unneeded(one, known))


def _was_unneeded(overlap: Overlap, known: Reports) -> bool:
    until = unused_until(overlap, known)
    return until is not None and overlap.ends - overlap.began >= RESOLUTION and until >= overlap.ends - _LATEST


def unneeded_announcement(overlap: Overlap, known: Reports) -> Announcement:
    """The Event of one that nobody needed."""
    until = known.until if known.until is not None else overlap.began
    note = (
        f"Nobody used secret #{overlap.previous.id} in its overlap, from {format_time(overlap.began)} to "
        f"{format_time(overlap.ends)}; gates have reported until {format_time(min(until, overlap.ends))}."
    )
    return Announcement(False, Reason.OVERLAP_UNUSED, "Rotate", note)
