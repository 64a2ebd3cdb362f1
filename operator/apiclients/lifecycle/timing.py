"""Times that follow from a spec: defaults that depend on other fields, and whether they can be obeyed."""

from datetime import UTC, datetime, timedelta
from math import ceil

from apiclients.resources.apiclient import ApiClientSpec, SecretSpec
from apiclients.resources.fields import format_duration, format_time

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


def spec_problem(spec: ApiClientSpec, now: datetime) -> str | None:
    """What in a spec cannot be obeyed and what to change, in one sentence; None when all is well.

    These are the things that a CRD must not refuse: a 422 makes some GitOps tools delete and recreate (rule 27).
    """
    secret, not_before = spec.secret, spec.tokens.not_before
    lifetime = format_duration(secret.lifetime)
    if secret.renew_before is not None and secret.renew_before >= secret.lifetime:
        return (
            f"spec.secret.renewBefore ({format_duration(secret.renew_before)}) must be less than "
            f"spec.secret.lifetime ({lifetime}): lower renewBefore or remove it"
        )
    if secret.overlap is not None and secret.overlap >= secret.lifetime:
        return (
            f"spec.secret.overlap ({format_duration(secret.overlap)}) must be less than "
            f"spec.secret.lifetime ({lifetime}): lower overlap or remove it"
        )
    if not_before is not None and demanded_not_before(ceil(not_before.timestamp()), now.timestamp()) is None:
        return (
            f"spec.tokens.notBefore ({format_time(not_before)}) lies in the future: "
            "set a time that has passed, such as the present"
        )
    return None


def whole_second(now: datetime) -> datetime:
    """The second that has begun."""
    return now.astimezone(UTC).replace(microsecond=0)


def next_second(now: datetime) -> datetime:
    """The present, rounded up to whole seconds."""
    begun = whole_second(now)
    return begun if now == begun else begun + timedelta(seconds=1)


def demanded_not_before(spec_not_before: int | None, now: float) -> int | None:
    """What spec demands by now. A future value is not obeyed before its time; the operator says so (rule 10)."""
    return spec_not_before if spec_not_before is not None and spec_not_before <= ceil(now) else None
