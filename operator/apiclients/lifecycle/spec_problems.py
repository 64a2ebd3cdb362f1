"""What in a spec cannot be obeyed: a chain of small policies, of which the first that objects is reported.

These are things that a CRD must not refuse: a 422 makes some GitOps tools delete and recreate (rule 27).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from apiclients.lifecycle.jwks import DocumentError, read_jwks
from apiclients.lifecycle.timing import MIN_LIFETIME, demanded_not_before, renew_before
from apiclients.resources.apiclient import ApiClientSpec, Rotation
from apiclients.resources.fields import format_duration, format_time
from apiclients.resources.plan_rules import (
    FUTURE_NOT_BEFORE,
    INVALID_FIELD,
    LONG_OVERLAP,
    LONG_RENEW_BEFORE,
    PlanRule,
)


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """One thing that cannot be obeyed. What follows is decided by its rule and field, never by its message."""

    rule: PlanRule
    field: tuple[str, ...]
    #: What is wrong and what to change, in one sentence.
    message: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the policies look at."""

    spec: ApiClientSpec
    now: datetime
    min_lifetime: timedelta


def spec_problem(spec: ApiClientSpec, now: datetime, min_lifetime: timedelta = MIN_LIFETIME) -> SpecProblem | None:
    """The first thing in a spec that cannot be obeyed; None when all is well.

    ``min_lifetime`` is the operator's setting. A plan does not know it and goes by the default.
    """
    asked = _Asked(spec, now, min_lifetime)
    return next((found for policy in _POLICIES if (found := policy(asked)) is not None), None)


def _short_secret(asked: _Asked) -> SpecProblem | None:
    """Secrets that are renewed without a pause are paid for by everybody: the operator writes for all namespaces."""
    return _short(asked, ("spec", "secret", "lifetime"), asked.spec.secret.lifetime)


def _short_tokens(asked: _Asked) -> SpecProblem | None:
    return _short(asked, ("spec", "tokens", "lifetime"), asked.spec.tokens.lifetime)


def _short(asked: _Asked, field: tuple[str, ...], lifetime: timedelta) -> SpecProblem | None:
    if lifetime >= asked.min_lifetime:
        return None
    least = format_duration(asked.min_lifetime)
    message = (
        f"{'.'.join(field)} ({format_duration(lifetime)}) must be at least {least}: raise it "
        "(the operator's --min-lifetime-seconds sets the bound)"
    )
    return SpecProblem(INVALID_FIELD, field, message)


def _early_rotation(asked: _Asked) -> SpecProblem | None:
    """A rotation follows the one before after lifetime less renewBefore."""
    secret, least = asked.spec.secret, asked.min_lifetime / 2
    pause = secret.lifetime - renew_before(secret)
    if secret.rotation is Rotation.MANUAL or pause >= least:
        return None
    message = (
        f"spec.secret.renewBefore ({format_duration(renew_before(secret))}) leaves {format_duration(pause)} between "
        f"rotations, with a spec.secret.lifetime of {format_duration(secret.lifetime)}, and at least "
        f"{least.total_seconds():g}s are needed: lower renewBefore or raise lifetime"
    )
    return SpecProblem(LONG_RENEW_BEFORE, ("spec", "secret", "renewBefore"), message)


def _long_renew_before(asked: _Asked) -> SpecProblem | None:
    secret = asked.spec.secret
    if secret.renew_before is None or secret.renew_before < secret.lifetime:
        return None
    message = (
        f"spec.secret.renewBefore ({format_duration(secret.renew_before)}) must be less than "
        f"spec.secret.lifetime ({format_duration(secret.lifetime)}): lower renewBefore or remove it"
    )
    return SpecProblem(LONG_RENEW_BEFORE, ("spec", "secret", "renewBefore"), message)


def _long_overlap(asked: _Asked) -> SpecProblem | None:
    secret = asked.spec.secret
    if secret.overlap is None or secret.overlap < secret.lifetime:
        return None
    message = (
        f"spec.secret.overlap ({format_duration(secret.overlap)}) must be less than "
        f"spec.secret.lifetime ({format_duration(secret.lifetime)}): lower overlap or remove it"
    )
    return SpecProblem(LONG_OVERLAP, ("spec", "secret", "overlap"), message)


def _future_not_before(asked: _Asked) -> SpecProblem | None:
    """A future value is not obeyed before its time (rule 10)."""
    spec, now = asked.spec, asked.now.timestamp()
    for part, not_before in (("tokens", spec.tokens.not_before), ("secret", spec.secret.not_before)):
        if not_before is None or demanded_not_before(ceil(not_before.timestamp()), now) is not None:
            continue
        message = (
            f"spec.{part}.notBefore ({format_time(not_before)}) lies in the future: "
            "set a time that has passed, such as the present"
        )
        return SpecProblem(FUTURE_NOT_BEFORE, ("spec", part, "notBefore"), message)
    return None


def _no_way_in(asked: _Asked) -> SpecProblem | None:
    """A slip that would leave a client without any credential costs nothing: what is there stays."""
    if asked.spec.secret.issue or asked.spec.identities or asked.spec.keys is not None:
        return None
    message = (
        "spec.secret.issue is false and there are neither identities nor keys, so nobody could get in: "
        "name one in spec.identities or spec.keys, or set spec.secret.issue to true"
    )
    return SpecProblem(INVALID_FIELD, ("spec", "secret", "issue"), message)


def _unusable_keys(asked: _Asked) -> SpecProblem | None:
    """Quotes nothing: it may be a private key."""
    if asked.spec.keys is None:
        return None
    try:
        read_jwks(asked.spec.keys.jwks.encode())
    except DocumentError as error:
        return SpecProblem(INVALID_FIELD, ("spec", "keys", "jwks"), f"spec.keys.jwks {error}: correct it")
    return None


_POLICIES: tuple[Callable[[_Asked], SpecProblem | None], ...] = (
    _short_secret,
    _short_tokens,
    _long_renew_before,
    _early_rotation,
    _long_overlap,
    _future_not_before,
    _no_way_in,
    _unusable_keys,
)
