"""Credentials as time goes by: which are known, which end, which are taken over from a Secret (rules 5 and 7)."""

from datetime import datetime, timedelta
from enum import StrEnum

from apiclients.lifecycle.digests import Stamp
from apiclients.lifecycle.observation import SecretRead
from apiclients.resources.apiclient import Credential, CredentialState


class Cause(StrEnum):
    """Why a credential was issued."""

    FIRST = "First"
    MISSING = "Missing"
    RENAMED = "Renamed"
    EDITED = "Edited"
    REVISION = "Revision"
    REQUEST = "Request"
    #: The one before was issued before ``spec.secret.notBefore``.
    REVOKED = "Revoked"
    AGE = "Age"


#: After these the previous secret is worthless or gone, so it gets no overlap.
_WITHOUT_OVERLAP = frozenset({Cause.FIRST, Cause.MISSING})


def current(credentials: list[Credential]) -> Credential | None:
    """The credential that the Secret is to hold."""
    return next((c for c in credentials if c.state is CredentialState.CURRENT), None)


def aged(credentials: list[Credential], overlap: timedelta, now: datetime, *, drop: bool) -> list[Credential]:
    """Previous credentials with today's overlap applied, which only ever shortens; ended ones are dropped if ``drop``.

    The current one stays also when it has expired: status tells when that was.
    """
    kept = [_shortened(c, successor, overlap) for c, successor in _with_successors(credentials)]
    return [c for c in kept if c.state is CredentialState.CURRENT or not drop or now < c.expires_time]


def _with_successors(credentials: list[Credential]) -> list[tuple[Credential, Credential | None]]:
    newest_first = sorted(credentials, key=lambda c: c.id, reverse=True)
    return list(zip(newest_first, [None, *newest_first], strict=False))


def _shortened(credential: Credential, successor: Credential | None, overlap: timedelta) -> Credential:
    if successor is None or credential.state is CredentialState.CURRENT:
        return credential
    end = min(credential.expires_time, successor.issued_time + overlap)
    return credential.model_copy(update={"expires_time": end})


def adopted(
    credentials: list[Credential], stamp: Stamp, read: SecretRead, pepper: str, overlap: timedelta
) -> list[Credential]:
    """The credentials after taking over the one that a Secret holds, exactly as it was issued (rule 7)."""
    new = Credential(
        id=stamp.id,
        revision=stamp.revision,
        state=CredentialState.CURRENT,
        issued_time=stamp.issued_time,
        expires_time=stamp.expires_time,
        digest=read.digests[pepper],
        pepper=pepper,
        cause=stamp.cause,
    )
    return [new, *previous(credentials, stamp.issued_time, timedelta() if stamp.cause in _WITHOUT_OVERLAP else overlap)]


def previous(credentials: list[Credential], rotated: datetime, overlap: timedelta) -> list[Credential]:
    """What is left of the known credentials after a rotation at that time."""
    cut = [
        c.model_copy(update={"state": CredentialState.PREVIOUS, "expires_time": min(c.expires_time, rotated + overlap)})
        for c in credentials
    ]
    return [c for c in cut if c.expires_time > rotated]


def revoked(credentials: list[Credential], before: datetime | None) -> list[Credential]:
    """The credentials once those that were issued before a time are refused (``timing.revoked_before``; rule 5).

    The current one stays, as when it expires by age, until there is a new one; it never becomes valid again.
    """
    if before is None:
        return credentials
    return [_ended_at(c, before) for c in credentials if c.issued_time >= before or c.state is CredentialState.CURRENT]


def _ended_at(credential: Credential, before: datetime) -> Credential:
    if credential.issued_time >= before:
        return credential
    return credential.model_copy(update={"expires_time": min(credential.expires_time, before)})


def older_than(credentials: list[Credential], time: datetime, now: datetime) -> list[Credential]:
    """The credentials that were issued before a time, such as that of a hold, and are still valid.

    Whoever had one then still gets tokens with it, as soon as nothing else stops the client.
    """
    return [c for c in credentials if c.issued_time < time and now < c.expires_time]


def perhaps_older_than(credentials: list[Credential], time: datetime, now: datetime) -> list[Credential]:
    """As `older_than`, with those that were issued within the second of ``time``: times are of whole seconds."""
    return older_than(credentials, time + timedelta(seconds=1), now)


def redigested(credentials: list[Credential], digest: str, pepper: str) -> list[Credential]:
    """The credentials with the current one's digest made again: its pepper is no longer known (rule 25)."""
    return [
        c.model_copy(update={"digest": digest, "pepper": pepper}) if c.state is CredentialState.CURRENT else c
        for c in credentials
    ]
