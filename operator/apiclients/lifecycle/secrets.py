"""The Secret of a client: what is found in it, and the next step towards what it should be (rules 4 to 7)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from apiclients.lifecycle import timing
from apiclients.lifecycle.credentials import Cause, current
from apiclients.lifecycle.digests import Stamp, same_digest
from apiclients.lifecycle.effective import ACCEPTS_TOKENS, Effective
from apiclients.lifecycle.manifest import metadata_right
from apiclients.lifecycle.observation import Observed, SecretAbsent, SecretMetadata, SecretRead, SecretUnseen
from apiclients.lifecycle.steps import CreateSecret, DeleteSecret, ReadSecret, RepairSecret, ReplaceSecret, Step
from apiclients.resources.apiclient import MAX_CREDENTIALS, Credential, CredentialState, DesiredStatus, Rotation
from apiclients.resources.names import CREDENTIALS_SECRET_TYPE, ROTATE_REQUESTED_ANNOTATION

#: An edited Secret is not fought over faster than this, also where there is no overlap.
MIN_CONFLICT_WINDOW = timedelta(minutes=1)


class Found(StrEnum):
    """What is found under the Secret's name."""

    UNSEEN = "unseen"
    ABSENT = "absent"
    UNREAD = "unread"
    FOREIGN = "foreign"
    LEFTOVER = "leftover"
    NEWER = "newer"
    REKEYED = "rekeyed"
    RIGHT = "right"
    DRIFTED = "drifted"
    EDITED = "edited"


def found(observed: Observed, credentials: list[Credential], last_id: int) -> Found:
    """Judge what the cache or a GET has shown of the Secret."""
    match observed.secret:
        case SecretUnseen():
            return Found.UNSEEN
        case SecretAbsent():
            return Found.ABSENT
        case SecretMetadata() as metadata:
            return _whose(observed, metadata) or _from_metadata(observed, metadata, credentials)
        case SecretRead() as read:
            return _whose(observed, read.metadata) or _from_bytes(observed, read, credentials, last_id)


def _whose(observed: Observed, secret: SecretMetadata) -> Found | None:
    """FOREIGN or LEFTOVER, or None for a Secret of this very client. Nothing else is ever taken over (rule 6)."""
    owner, client = secret.owner, observed.client.metadata
    if owner is not None and owner.uid == client.uid:
        return None
    earlier_self = owner is not None and (owner.kind, owner.name) == ("ApiClient", client.name)
    return Found.LEFTOVER if earlier_self else Found.FOREIGN


def _from_metadata(observed: Observed, secret: SecretMetadata, credentials: list[Credential]) -> Found:
    known, status = current(credentials), observed.client.status.secret
    unchanged = (
        known is not None
        and known.pepper in observed.peppers
        and status is not None
        and (status.name, status.resource_version) == (secret.name, secret.resource_version)
        and metadata_right(observed.client, observed.issuer, secret)
    )
    return Found.RIGHT if unchanged else Found.UNREAD


def _from_bytes(observed: Observed, read: SecretRead, credentials: list[Credential], last_id: int) -> Found:
    known = current(credentials)
    if read.immutable or read.type != CREDENTIALS_SECRET_TYPE:
        return Found.FOREIGN
    if read.stamp is not None and read.stamp.id > last_id:
        return Found.NEWER
    if known is None or not read.digests:
        return Found.EDITED
    if known.pepper not in observed.peppers:
        return Found.REKEYED if _untouched(observed, read, known) else Found.EDITED
    if not same_digest(read.digests[known.pepper], known.digest):
        return Found.EDITED
    right = (
        read.stamp is not None
        and read.stamp.id == known.id
        and read.public_data_right
        and metadata_right(observed.client, observed.issuer, read.metadata)
    )
    return Found.RIGHT if right else Found.DRIFTED


def _untouched(observed: Observed, read: SecretRead, known: Credential) -> bool:
    """Whether the bytes are those of the known credential, where no digest can tell (rules 7 and 25).

    Either nobody wrote the Secret since it was last found right, or an operator has put its MAC on it anew.
    """
    status = observed.client.status.secret
    version = (read.metadata.name, read.metadata.resource_version)
    same_version = status is not None and (status.name, status.resource_version) == version
    return same_version or (read.stamp is not None and read.stamp.id == known.id)


@dataclass(frozen=True)
class SecretSituation:
    """What the rules about the Secret look at; each part of it is worked out once."""

    observed: Observed
    now: datetime
    wish: DesiredStatus
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

    @cached_property
    def current(self) -> Credential | None:
        return current(self.credentials)

    @cached_property
    def acting(self) -> bool:
        """Whether what falls due is done now; while suspended, held or retired it waits (rule 3)."""
        return self.effective in ACCEPTS_TOKENS

    @cached_property
    def moved(self) -> bool:
        """Whether ``spec.secret.name`` was changed and the Secret of that name does not hold the current credential."""
        status = self.observed.client.status.secret
        if self.current is None or status is None or self.found in (Found.RIGHT, Found.DRIFTED):
            return False
        return status.name != self.observed.client.secret_name

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
        needed = self.wish is not DesiredStatus.RETIRED and (self.acting or self.current is None)
        return needed and (self.found is Found.FOREIGN or self.conflict_until is not None)


def cause_of_rotation(s: SecretSituation) -> Cause | None:
    """Why a secret is to be issued now, or None (rules 3, 4, 5 and 6). The first cause that applies is told."""
    return _due_cause(s) if s.crowded_until is None else None


def _due_cause(s: SecretSituation) -> Cause | None:
    if s.spec_problem or s.found in (Found.UNREAD, Found.FOREIGN):
        return None
    if s.current is None:
        return None if s.wish is DesiredStatus.RETIRED else Cause.FIRST
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
_ASKED_FOR: _Causes = ((_other_revision, Cause.REVISION), (_requested, Cause.REQUEST))

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


def _remove_when_destroyed(s: SecretSituation) -> Step | None:
    """The end of a retirement takes the Secret away (rule 8)."""
    secret = secret_metadata(s.observed)
    if not s.destroyed or s.wish is not DesiredStatus.RETIRED or secret is None or s.found is Found.FOREIGN:
        return None
    return DeleteSecret(secret.name, secret.uid, secret.resource_version)


def _read(s: SecretSituation) -> Step | None:
    """Only a GET tells what is in a changed Secret, and that a missing one is really gone (rule 6)."""
    if s.destroyed and s.wish is DesiredStatus.RETIRED:
        return None
    maybe_gone = s.found is Found.UNSEEN and s.current is not None and not s.moved
    return ReadSecret(s.observed.client.secret_name) if maybe_gone or s.found is Found.UNREAD else None


def _remove_leftover(s: SecretSituation) -> Step | None:
    """The Secret of an earlier client of the same name is never used again (rules 6 and 11)."""
    secret = secret_metadata(s.observed)
    if s.found is not Found.LEFTOVER or secret is None:
        return None
    return DeleteSecret(secret.name, secret.uid, secret.resource_version)


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
    """A Secret left under an earlier name goes once nothing in it is valid any more."""
    overlapping = any(c.state is CredentialState.PREVIOUS for c in s.credentials)
    if not s.observed.other_secrets or not (s.destroyed or (s.acting and not overlapping and not s.moved)):
        return None
    other = s.observed.other_secrets[0]
    return DeleteSecret(other.name, other.uid, other.resource_version)


_STEPS: tuple[Callable[[SecretSituation], Step | None], ...] = (
    _remove_when_destroyed,
    _read,
    _remove_leftover,
    _issue,
    _repair,
    _remove_moved,
)


def _new_stamp(s: SecretSituation, cause: Cause) -> Stamp:
    client, issued = s.observed.client, timing.whole_second(s.now)
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


def secret_metadata(observed: Observed) -> SecretMetadata | None:
    """The metadata of the Secret, however it is known; None when there is none or nobody knows."""
    match observed.secret:
        case SecretMetadata() as metadata:
            return metadata
        case SecretRead() as read:
            return read.metadata
        case _:
            return None
