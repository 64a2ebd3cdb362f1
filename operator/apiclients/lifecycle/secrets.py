"""The next step towards the Secret of a client as it should be (rules 4 to 7)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from apiclients.lifecycle import timing
from apiclients.lifecycle.credentials import Cause, current
from apiclients.lifecycle.digests import Stamp
from apiclients.lifecycle.effective import ACCEPTS_TOKENS, Effective
from apiclients.lifecycle.observation import (
    Observed,
    SecretMetadata,
    SecretRead,
    SecretSeen,
)
from apiclients.lifecycle.secret_found import Found, secret_metadata, whose_bytes
from apiclients.lifecycle.steps import CreateSecret, DeleteSecret, ReadSecret, RepairSecret, ReplaceSecret, Step
from apiclients.resources.apiclient import (
    MAX_CREDENTIALS,
    Credential,
    CredentialState,
    DesiredStatus,
    Rotation,
    SecretSpec,
)
from apiclients.resources.names import CREDENTIAL_ANNOTATION, CREDENTIALS_SECRET_TYPE, ROTATE_REQUESTED_ANNOTATION

#: An edited Secret is not fought over faster than this, also where there is no overlap.
MIN_CONFLICT_WINDOW = timedelta(minutes=1)
#: How many Secrets under other names are looked at, each of which costs a GET. The others stay until the client goes.
_MOST_OTHERS = 4


@dataclass(frozen=True)
class SecretSituation:
    """What the rules about the Secret look at; each part of it is worked out once."""

    observed: Observed
    now: datetime
    desired: DesiredStatus
    effective: Effective
    found: Found
    credentials: list[Credential]
    last_id: int
    #: The latest rotation request that a credential has answered.
    answered_request: str | None
    #: The retirement is over: nothing of the client's credentials may stay.
    destroyed: bool
    #: The spec cannot be obeyed: what is there stays as it is.
    spec_problem: bool
    #: The client is to have no secret: none is issued.
    secretless: bool = False
    #: And the one that it had goes now; while suspended that waits, as all does (rule 3).
    withdrawn: bool = False

    @cached_property
    def current(self) -> Credential | None:
        return current(self.credentials)

    @cached_property
    def acting(self) -> bool:
        """Whether what falls due is done now; while suspended, held or retired it waits (rule 3)."""
        return self.effective in ACCEPTS_TOKENS

    @cached_property
    def emptied(self) -> bool:
        """Whether the client has been destroyed, or is to have no secret: its Secrets go, and none is issued."""
        return self.withdrawn or (self.destroyed and self.desired is DesiredStatus.RETIRED)

    @cached_property
    def going(self) -> SecretMetadata | None:
        """The Secret under the client's name, while it is there and has to go."""
        return secret_metadata(self.observed) if self.found is Found.LEFTOVER or self._ends_with_client else None

    @property
    def _ends_with_client(self) -> bool:
        """Whether it is the client's own, also where it was made immutable, and none may stay."""
        match self.observed.secret:
            case SecretMetadata():
                return self.emptied and self.found is not Found.FOREIGN
            case SecretRead() as read:
                owned = whose_bytes(self.observed, read) is None
                return self.emptied and owned and read.type == CREDENTIALS_SECRET_TYPE
            case _:
                return False

    @cached_property
    def moved(self) -> bool:
        """Whether ``spec.secret.name`` was changed and the Secret of that name does not hold the current credential."""
        status = self.observed.client.status.secret
        if self.current is None or status is None or self.found in (Found.RIGHT, Found.DRIFTED):
            return False
        return status.name != self.observed.client.secret_name

    @cached_property
    def revoked(self) -> bool:
        """Whether spec ends the current credential before its time (``spec.secret.notBefore``)."""
        before = timing.revoked_before(self.observed.client.spec.secret, self.now)
        return self.current is not None and before is not None and self.current.issued_time < before

    @cached_property
    def overlap(self) -> timedelta:
        return timing.overlap(self.observed.client.spec.secret)

    @cached_property
    def conflict_until(self) -> datetime | None:
        """Until when an edited Secret is not answered by another rotation: at most one per overlap (rule 6)."""
        known = self.current
        if self.found is not Found.EDITED or self.moved or known is None or known.cause != Cause.EDITED:
            return None
        until = known.issued_time + max(self.overlap, MIN_CONFLICT_WINDOW)
        return until if self.now < until else None

    @cached_property
    def crowded_until(self) -> datetime | None:
        """Until when a rotation waits because as many secrets are valid as status can hold; none ends early for it."""
        if len(self.credentials) < MAX_CREDENTIALS or _due_cause(self) in (None, Cause.MISSING):
            return None
        return min(c.expires_time for c in self.credentials if c.state is CredentialState.PREVIOUS)

    @cached_property
    def conflict(self) -> bool:
        """Whether the Secret is somebody else's, or fought over, while the client needs it."""
        if self.secretless:
            return False
        needed = self.desired is not DesiredStatus.RETIRED and (self.acting or self.current is None)
        return needed and (self.found is Found.FOREIGN or self.conflict_until is not None)


def cause_of_rotation(s: SecretSituation) -> Cause | None:
    """Why a secret is to be issued now, or None (rules 3, 4, 5 and 6). The first cause that applies is told."""
    return _due_cause(s) if s.crowded_until is None else None


def _due_cause(s: SecretSituation) -> Cause | None:
    if s.secretless or s.spec_problem or s.found in (Found.UNREAD, Found.FOREIGN, Found.LEFTOVER):
        return None
    if s.current is None:
        return None if s.desired is DesiredStatus.RETIRED else Cause.FIRST
    if not s.acting:
        return None
    causes = _ASKED_FOR if s.conflict_until is not None else _CAUSES
    return next((cause for applies, cause in causes if applies(s)), None)


def unanswered_request(s: SecretSituation) -> str | None:
    """The token of a rotation request that has not been answered yet (rule 5)."""
    client = s.observed.client
    # Annotations of other tools can be long; a token that status could not hold would be asked for ever.
    token = client.metadata.annotations.get(ROTATE_REQUESTED_ANNOTATION, "")[:253]
    return token if token and token != s.answered_request else None


def _gone(s: SecretSituation) -> bool:
    return s.found is Found.ABSENT and not s.moved


def _moved(s: SecretSituation) -> bool:
    return s.moved


def _edited(s: SecretSituation) -> bool:
    return s.found is Found.EDITED


def _other_revision(s: SecretSituation) -> bool:
    return s.current is not None and s.current.revision != s.observed.client.spec.secret.revision


def _revoked(s: SecretSituation) -> bool:
    return s.revoked


def _requested(s: SecretSituation) -> bool:
    return unanswered_request(s) is not None


def _old(s: SecretSituation) -> bool:
    secret = s.observed.client.spec.secret
    return (
        s.current is not None
        and secret.rotation is Rotation.AUTOMATIC
        and s.now >= s.current.expires_time - timing.renew_before(secret)
    )


_Causes = tuple[tuple[Callable[[SecretSituation], bool], Cause], ...]

#: What a person asks for is done also while the Secret is fought over: it is no answer to the one who edits it.
_ASKED_FOR: _Causes = (
    (_revoked, Cause.REVOKED),
    (_other_revision, Cause.REVISION),
    (_requested, Cause.REQUEST),
)

_CAUSES: _Causes = (
    (_gone, Cause.MISSING),
    (_moved, Cause.RENAMED),
    (_edited, Cause.EDITED),
    *_ASKED_FOR,
    (_old, Cause.AGE),
)


def next_step(s: SecretSituation) -> Step | None:
    """The one next step towards the Secret as it should be; None when it is, or nothing may be done now."""
    if s.observed.client.metadata.deleting:
        return None  # the Secret goes with its owner
    return next((step for rule in _STEPS if (step := rule(s)) is not None), None)


def _remove(s: SecretSituation) -> Step | None:
    """The end of a retirement takes the Secret away (rule 8); one of an earlier client is never used (rule 11)."""
    if s.going is None or s.going.deleting:
        return None  # its finalizers are waited for
    return _delete(s.observed.secret)


def _delete(secret: SecretSeen) -> Step | None:
    """Delete a Secret, which is read first: only that tells whether the operator made it."""
    match secret:
        case SecretMetadata():
            return ReadSecret(secret.name)
        case SecretRead(metadata=metadata):
            return DeleteSecret(metadata.name, metadata.uid, metadata.resource_version)
        case _:
            return None


def _read(s: SecretSituation) -> Step | None:
    """Only a GET tells what is in a changed Secret, and that a missing one is really gone (rule 6)."""
    if s.emptied:
        return None
    maybe_gone = s.found is Found.UNSEEN and s.current is not None and not s.moved
    return ReadSecret(s.observed.client.secret_name) if maybe_gone or s.found is Found.UNREAD else None


def _issue(s: SecretSituation) -> Step | None:
    """Issue or rotate; irreversible, so only with a clock that can be trusted (rule 26)."""
    cause = cause_of_rotation(s)
    if cause is None or not s.observed.clock_trusted:
        return None
    name, stamp, secret = s.observed.client.secret_name, _new_stamp(s, cause), secret_metadata(s.observed)
    return ReplaceSecret(name, stamp, secret.uid, secret.resource_version) if secret else CreateSecret(name, stamp)


def _repair(s: SecretSituation) -> Step | None:
    """Labels, annotations or public data are not as they should be; the secret stays."""
    secret, known = secret_metadata(s.observed), s.current
    if s.found is not Found.DRIFTED or secret is None or known is None:
        return None
    stamp = Stamp(known.id, known.issued_time, known.expires_time, known.revision, known.cause, s.answered_request)
    return RepairSecret(secret.name, stamp, secret.uid, secret.resource_version)


def _remove_moved(s: SecretSituation) -> Step | None:
    """A Secret left under an earlier name goes once nothing in it is valid any more.

    Others may name the client as their owner: a copy, or a Secret of another type. Those stay.
    """
    overlapping = any(c.state is CredentialState.PREVIOUS for c in s.credentials)
    if not (s.destroyed or (s.acting and not overlapping and not s.moved)):
        return None
    left = next(filter(_may_be_left, s.observed.other_secrets[:_MOST_OTHERS]), None)
    return _delete(left) if left is not None else None


def _may_be_left(other: SecretMetadata | SecretRead) -> bool:
    """Whether another Secret of the client was made by the operator, so far as is known, and is still to be deleted."""
    if isinstance(other, SecretRead):
        return other.genuine and not other.metadata.deleting
    return CREDENTIAL_ANNOTATION in other.annotations and not other.deleting


_STEPS: tuple[Callable[[SecretSituation], Step | None], ...] = (
    _remove,
    _read,
    _issue,
    _repair,
    _remove_moved,
)


def _new_stamp(s: SecretSituation, cause: Cause) -> Stamp:
    client = s.observed.client
    issued = _issue_time(client.spec.secret, s.now)
    found_id = (
        s.observed.secret.stamp.id if isinstance(s.observed.secret, SecretRead) and s.observed.secret.stamp else 0
    )
    return Stamp(
        id=max(s.last_id, found_id) + 1,
        issued_time=issued,
        expires_time=issued + client.spec.secret.lifetime,
        revision=client.spec.secret.revision,
        cause=cause,
        rotate_request=unanswered_request(s) or s.answered_request,
    )


def _issue_time(secret: SecretSpec, now: datetime) -> datetime:
    """The present in whole seconds; never before what revokes, which is rounded up, so that it lives."""
    begun, before = timing.whole_second(now), timing.revoked_before(secret, now)
    return begun if before is None else max(begun, before)
