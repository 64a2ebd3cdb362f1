"""Revoked tokens (RFC 7009): which object names a token, who may revoke it, and how long that has to be remembered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from apiclients.lifecycle.access import MAX_TOKEN_SECONDS, ClientView, TokenClaims
from apiclients.resources.fields import MAX_TOKEN_LIFETIME
from apiclients.resources.objects import Metadata, TokenRevocation

#: How many TokenRevocations there may be, those that are over and not yet removed included: of one client, of the
#: clients of one namespace, and of all. Every proof of every gate lists them all.
MAX_OF_CLIENT = 100
MAX_OF_NAMESPACE = 500
MAX_OF_ALL = 2000
#: Clocks of gates and of the operator differ by up to 30 s each (rule 26): no token may outlive its revocation.
REMOVAL_DELAY = timedelta(minutes=5)
_NEVER = datetime.max.replace(tzinfo=UTC) - 2 * REMOVAL_DELAY


@dataclass(frozen=True, slots=True)
class RevocationView:
    """One TokenRevocation. That it is there refuses the token, whatever its times say."""

    name: str
    uid: str
    #: UID and namespace of the client are empty where they cannot be read.
    client_uid: str
    client_namespace: str
    #: From when on it is good for nothing.
    removable_time: datetime


@dataclass(frozen=True, slots=True)
class RevocationCounts:
    """How many TokenRevocations count when a client asks for another one."""

    of_client: int
    of_namespace: int
    of_all: int


class Revocable(StrEnum):
    """What becomes of a wish to revoke a token."""

    REVOKE = "revoke"
    #: It is refused already, or will be by nothing that anybody could change.
    NOTHING_TO_DO = "nothing_to_do"
    TOO_MANY = "too_many"


def fingerprint(token: bytes) -> str:
    """The name of the TokenRevocation of a JWT.

    What is signed is hashed and not the signature, of which there may be more than one spelling: the two of ECDSA, and
    those of lenient base64.
    """
    return sha256(token.rpartition(b".")[0]).hexdigest()


def latest_end(claims: TokenClaims, *, foreign: bool) -> int:
    """When a token ends at the latest, whatever becomes of objects, in seconds since the epoch.

    The end of a trusted issuer's token depends on ``spec.maxTokenLifetime``, which may be raised; not beyond this.
    """
    return claims.issued_at + MAX_TOKEN_SECONDS if foreign else claims.expires


def revocable(caller: ClientView, claims: TokenClaims, ends: int, now: float, others: RevocationCounts) -> Revocable:
    """Whether a client revokes a token that is not revoked yet, beside ``others`` that are."""
    if claims.uid != caller.uid or now >= ends:
        return Revocable.NOTHING_TO_DO
    full = others.of_client >= MAX_OF_CLIENT or others.of_namespace >= MAX_OF_NAMESPACE or others.of_all >= MAX_OF_ALL
    return Revocable.TOO_MANY if full else Revocable.REVOKE


def removable(revocations: Iterable[RevocationView], now: datetime) -> tuple[RevocationView, ...]:
    """Those that are good for nothing any more: the operator deletes them."""
    return tuple(one for one in revocations if now >= one.removable_time)


def revocation_view(revocation: TokenRevocation) -> RevocationView:
    """What gates and operator need of a TokenRevocation.

    No token that was there when it was made outlives the longest lifetime from then on, whoever wrote another end.
    """
    meta, spec = revocation.metadata, revocation.spec
    ends = min(spec.expires_time, _longest(meta))
    return RevocationView(meta.name, meta.uid, spec.client_uid, spec.client_namespace, ends + REMOVAL_DELAY)


def unreadable_revocation(raw: Mapping[str, Any]) -> RevocationView:
    """The most restrictive that one which cannot be read could be (rule 32): its name says which token it refuses."""
    meta = Metadata.from_object(raw)
    return RevocationView(meta.name, meta.uid, "", "", _longest(meta) + REMOVAL_DELAY)


def _longest(meta: Metadata) -> datetime:
    """An object of an API server has a creation time; what has none is kept."""
    return meta.creation_time + MAX_TOKEN_LIFETIME if meta.creation_time else _NEVER
