"""Which keys sign, which are published, when a new one is due and when an old one may go (DESIGN rule 25)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from apiclients.resources.fields import MAX_TOKEN_LIFETIME
from apiclients.resources.keys import MAX_KEYS, Algorithm, KeyRing, Pepper, SigningKey

#: Clocks may differ, and tokens are stamped with whole seconds: a key outlives its last token by this.
KEY_MARGIN = timedelta(hours=1)
#: How long the gate lets verifiers keep a JWKS.
JWKS_MAX_AGE = timedelta(minutes=5)
#: The longest that a gate may decide without a proof (its --max-staleness).
MAX_GATE_STALENESS = timedelta(minutes=5)
#: Every verifier and every gate knows a new key after this.
MIN_PUBLICATION = JWKS_MAX_AGE + MAX_GATE_STALENESS
MAX_PUBLICATION = timedelta(days=1)
#: A key is in the ring for its lifetime, the publication of the next, and its last token: six at once at this pace.
MIN_SIGNING_KEY_LIFETIME = timedelta(days=1)
MAX_SIGNING_KEY_LIFETIME = timedelta(days=3650)


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
    """Whether the newest signing key is old enough to be followed, or of another algorithm than configured.

    Never while the ring is full, whatever the policy says: more could not be stored or read.
    """
    return _aged(ring, now, policy) and not _full(ring, now)


def renewal_blocked(ring: KeyRing, now: datetime, policy: KeyPolicy) -> bool:
    """Whether a new key is due and has no room: none goes before its tokens, so the newest signs until there is."""
    return _aged(ring, now, policy) and _full(ring, now)


def _aged(ring: KeyRing, now: datetime, policy: KeyPolicy) -> bool:
    newest = ring.signing_keys[-1]
    return now >= newest.created_time + policy.lifetime or newest.algorithm is not policy.algorithm


def _full(ring: KeyRing, now: datetime) -> bool:
    return len(ring.signing_keys) - len(outlived(ring, now)) >= MAX_KEYS


def outlived(ring: KeyRing, now: datetime) -> tuple[SigningKey, ...]:
    """Signing keys whose last token has died: the next key has been active for the longest life of a token."""
    return tuple(
        key
        for key, successor in zip(ring.signing_keys, ring.signing_keys[1:], strict=False)
        if now >= successor.active_from + MAX_TOKEN_LIFETIME + KEY_MARGIN
    )


def renew(ring: KeyRing, now: datetime, policy: KeyPolicy, make: Callable[[datetime, datetime], SigningKey]) -> KeyRing:
    """The ring without outlived keys, and with a new one if it is due: `make` gets its creation and when it may sign.

    It holds at most MAX_KEYS signing keys if `ring` does.
    """
    dead = outlived(ring, now)
    keys = tuple(key for key in ring.signing_keys if key not in dead)
    if renewed_due(ring, now, policy):
        keys += (make(now, active_from(now, policy)),)
    return ring.model_copy(update={"signing_keys": keys})


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
