"""What is found under the name of a client's Secret, and whose it is (rules 6, 7 and 11)."""

from dataclasses import replace
from enum import StrEnum

from apiclients.lifecycle.credentials import current
from apiclients.lifecycle.digests import same_digest
from apiclients.lifecycle.manifest import metadata_right
from apiclients.lifecycle.observation import (
    Observed,
    SecretAbsent,
    SecretMetadata,
    SecretRead,
    SecretSeen,
    SecretUnseen,
    client_as_owner,
)
from apiclients.resources.apiclient import Credential
from apiclients.resources.names import CREDENTIALS_SECRET_TYPE


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
            return whose_bytes(observed, read) or _from_bytes(observed, read, credentials, last_id)


def _whose(observed: Observed, secret: SecretMetadata) -> Found | None:
    """FOREIGN or LEFTOVER, or None for a Secret of this very client. Nothing else is ever taken over (rule 6).

    One without owners is the client's that its annotation names: a restore puts it back so.
    """
    whose, client = secret.owner or secret.issued_for, client_as_owner(observed.client.metadata)
    if whose is None:
        return Found.FOREIGN
    if whose.uid == client.uid:
        return None
    return Found.LEFTOVER if replace(whose, uid=client.uid) == client else Found.FOREIGN


def whose_bytes(observed: Observed, read: SecretRead) -> Found | None:
    """As :func:`_whose`, of a Secret that was read: what the operator did not make it neither deletes nor believes."""
    whose = _whose(observed, read.metadata)
    owned = whose is None and read.metadata.owner is not None
    return whose if owned or read.genuine else Found.FOREIGN


def why_foreign(secret: SecretSeen) -> str:
    """What of a Secret says that it is not the client's, for people: "is immutable"."""
    metadata = secret.metadata if isinstance(secret, SecretRead) else secret
    if isinstance(metadata, SecretMetadata) and metadata.owner is not None:
        whose = f"belongs to {metadata.owner.kind} {metadata.owner.name}"
    elif isinstance(metadata, SecretMetadata) and metadata.issued_for is not None:
        whose = f"was issued for an ApiClient {metadata.issued_for.name} (UID {metadata.issued_for.uid})"
    else:
        whose = "is not this client's"
    if not isinstance(secret, SecretRead):
        return whose
    if secret.type != CREDENTIALS_SECRET_TYPE:
        return f"is of type {secret.type}"
    if secret.immutable:
        return "is immutable"
    return whose if secret.genuine else f"{whose}, and the operator's keys do not verify it"


def _from_metadata(observed: Observed, secret: SecretMetadata, credentials: list[Credential]) -> Found:
    known, status = current(credentials), observed.client.status.secret
    unchanged = (
        known is not None
        and known.pepper in observed.peppers
        and status is not None
        and (status.name, status.resource_version) == (secret.name, secret.resource_version)
        and metadata_right(observed.client, observed.issuer, observed.template, secret)
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
        and metadata_right(observed.client, observed.issuer, observed.template, read.metadata)
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


def secret_metadata(observed: Observed) -> SecretMetadata | None:
    """The metadata of the Secret, however it is known; None when there is none or nobody knows."""
    match observed.secret:
        case SecretMetadata() as metadata:
            return metadata
        case SecretRead() as read:
            return read.metadata
        case _:
            return None
