"""Holds: which clients they stop, and for how long."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from apiclients.lifecycle.verdicts import Verdict, told
from apiclients.resources.conditions import REASONS, ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.hold import MAX_STOPPED_NAMES, ApiClientHoldStatus
from apiclients.resources.objects import ApiClientHold, Metadata


def matches(hold: ApiClientHold, client: Metadata) -> bool:
    """Whether a hold speaks of a client: by name, or by labels, in its own namespace."""
    if hold.metadata.namespace != client.namespace:
        return False
    if hold.spec.client_name is not None:
        return hold.spec.client_name == client.name
    return hold.spec.selector is not None and hold.spec.selector.matches(client.labels)


def in_force(hold: ApiClientHold, now: datetime, *, clock_trusted: bool = True) -> bool:
    """Whether a hold stops anybody now. A clock that cannot be trusted ends no hold (rule 26)."""
    expires = hold.spec.expires_time
    return expires is None or not clock_trusted or now < expires


def holding(
    holds: Iterable[ApiClientHold], client: Metadata, now: datetime, *, clock_trusted: bool = True
) -> list[ApiClientHold]:
    """The holds that stop a client now, by name. One is enough; they stack."""
    matching = [h for h in holds if matches(h, client) and in_force(h, now, clock_trusted=clock_trusted)]
    return sorted(matching, key=lambda h: h.metadata.name)


@dataclass(frozen=True, slots=True)
class HoldDecision:
    """What the status of a hold is to be, and when it ends."""

    status: ApiClientHoldStatus
    due: datetime | None


def decide_hold(
    hold: ApiClientHold, clients: Sequence[Metadata], now: datetime, *, clock_trusted: bool
) -> HoldDecision:
    """The status of a hold: whom it stops. ``clients`` are those that it matches."""
    holds = in_force(hold, now, clock_trusted=clock_trusted)
    names = sorted(client.name for client in clients) if holds else []
    active = _holding(hold, len(names)) if holds else Verdict(False, Reason.HOLD_EXPIRED, _expired(hold))
    ready = Verdict(True, active.reason, active.message)
    status = ApiClientHoldStatus(
        observed_generation=hold.metadata.generation,
        stopped_count=len(names),
        stopped_names=names[:MAX_STOPPED_NAMES],
        conditions=told(
            {ConditionType.READY: ready, ConditionType.ACTIVE: active},
            hold.status.conditions,
            hold.metadata.generation,
            now,
        ),
    )
    return HoldDecision(status, hold.spec.expires_time if holds else None)


def _holding(hold: ApiClientHold, count: int) -> Verdict:
    until = f" until {format_time(hold.spec.expires_time)}" if hold.spec.expires_time else ""
    return Verdict(True, Reason.HOLDING, f"The hold stops {count} client(s){until}: {hold.spec.reason}")


def _expired(hold: ApiClientHold) -> str:
    when = format_time(hold.spec.expires_time) if hold.spec.expires_time else ""
    return f"The hold expired at {when}." if when else REASONS[Reason.HOLD_EXPIRED]
