"""Which keys sign, which are published, when a new one is due and when an old one may go (DESIGN rule 25)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from apiclients.resources.keys import Algorithm, KeyRing, Pepper, SigningKey

#: The longest that any token lives.
MAX_TOKEN_LIFETIME = timedelta(hours=72)
#: Clocks may differ, and tokens are stamped with whole seconds: a key outlives its last token by this.
KEY_MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """How signing keys are renewed."""

    algorithm: Algorithm = Algorithm.ES256
    #: A signing key is replaced at this age.
    lifetime: timedelta = timedelta(days=90)
    #: How long verifiers may keep a JWKS, and how stale a gate may be: a new key signs only after both.
    publication: timedelta = timedelta(minutes=10)


class KeyStep(StrEnum):
    """What is to be done about keys."""

    KEEP = "keep"
    CREATE = "create"
    #: The keys are gone while clients hold credentials that depend on them: a person has to restore or re-key.
    LOST = "lost"
    RENEW = "renew"


def key_step(
    ring: KeyRing | None, *, credentials_exist: bool, rekey: bool, now: datetime, policy: KeyPolicy
) -> KeyStep:
    """Keys are made only while no client has credentials, or where a person asked to re-key (rule 25)."""
    if ring is None:
        return KeyStep.LOST if credentials_exist and not rekey else KeyStep.CREATE
    return KeyStep.RENEW if renewed_due(ring, now, policy) or outlived(ring, now) else KeyStep.KEEP


def renewed_due(ring: KeyRing, now: datetime, policy: KeyPolicy) -> bool:
    """Whether the newest signing key is old enough to be followed, or of another algorithm than configured."""
    newest = ring.signing_keys[-1]
    return now >= newest.created_time + policy.lifetime or newest.algorithm is not policy.algorithm


def outlived(ring: KeyRing, now: datetime) -> tuple[SigningKey, ...]:
    """Signing keys whose last token has died: the next key has been active for the longest life of a token."""
    return tuple(
        key
        for key, successor in zip(ring.signing_keys, ring.signing_keys[1:], strict=False)
        if now >= successor.active_from + MAX_TOKEN_LIFETIME + KEY_MARGIN
    )


def active_from(now: datetime, policy: KeyPolicy) -> datetime:
    """When a key that is published now may sign."""
    return now + policy.publication


def signing_key(ring: KeyRing, now: datetime) -> SigningKey:
    """The newest key that is active; the oldest when none is yet (a fresh ring)."""
    active = [key for key in ring.signing_keys if key.active_from <= now]
    return active[-1] if active else ring.signing_keys[0]


def current_pepper(ring: KeyRing) -> Pepper:
    """The pepper that keys new digests."""
    return ring.peppers[-1]
