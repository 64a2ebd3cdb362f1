"""Times that follow from a spec: defaults that depend on other fields."""

from datetime import UTC, datetime, timedelta
from math import ceil

from apiclients.resources.apiclient import SecretSpec

#: How long secrets and tokens have to live at least, unless the operator's settings say less: each rotation is two
#: writes.
MIN_LIFETIME = timedelta(minutes=1)
#: How soon to look again while the clock cannot be trusted.
CLOCK_RETRY = timedelta(seconds=30)
_RENEW_BEFORE = timedelta(days=14)
_OVERLAP = timedelta(hours=24)


def renew_before(secret: SecretSpec) -> timedelta:
    """How long before its expiry a secret is expiring soon; unset: the smaller of 14 days and lifetime/3.

    In whole seconds, as all times in status are: a fraction would make a secret of one second old at once.
    """
    if secret.renew_before is not None:
        return secret.renew_before
    return min(_RENEW_BEFORE, timedelta(seconds=secret.lifetime // timedelta(seconds=3)))


def overlap(secret: SecretSpec) -> timedelta:
    """How long the previous secret stays valid; unset: the smaller of 24h and renewBefore."""
    return secret.overlap if secret.overlap is not None else min(_OVERLAP, renew_before(secret))


def whole_second(now: datetime) -> datetime:
    """The second that has begun."""
    return now.astimezone(UTC).replace(microsecond=0)


def next_second(now: datetime) -> datetime:
    """The present, rounded up to whole seconds."""
    begun = whole_second(now)
    return begun if now == begun else begun + timedelta(seconds=1)


def revoked_before(secret: SecretSpec, now: datetime) -> datetime | None:
    """Secrets and tokens issued before this are refused for good; None where spec does not ask for it by now."""
    wanted = secret.not_before
    if wanted is None or demanded_not_before(ceil(wanted.timestamp()), now.timestamp()) is None:
        return None
    return next_second(wanted)


def demanded_not_before(spec_not_before: int | None, now: float) -> int | None:
    """What spec demands by now. A future value is not obeyed before its time; the operator says so (rule 10)."""
    return spec_not_before if spec_not_before is not None and spec_not_before <= ceil(now) else None
