"""Holds: which clients they stop, and for how long."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apiclients.lifecycle.timing import CLOCK_RETRY
from apiclients.lifecycle.verdicts import Verdict, told
from apiclients.resources.conditions import REASONS, ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.hold import MAX_STOPPED_NAMES, ApiClientHoldStatus
from apiclients.resources.objects import ApiClientHold, Metadata
from apiclients.resources.selectors import LabelSelector


@dataclass(frozen=True, slots=True)
class HoldView:
    """Whom a hold speaks of, and until when, in seconds since the epoch."""

    namespace: str
    name: str
    client_name: str | None
    selector: LabelSelector | None
    expires: float | None


def hold_view(hold: ApiClientHold) -> HoldView:
    """What decisions need of a hold."""
    expires = hold.spec.expires_time
    return HoldView(
        namespace=hold.metadata.namespace,
        name=hold.metadata.name,
        client_name=hold.spec.client_name,
        selector=hold.spec.selector,
        expires=expires.timestamp() if expires is not None else None,
    )


def matches(hold: HoldView, namespace: str, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a hold speaks of a client: by name, or by labels, in its own namespace."""
    if hold.namespace != namespace:
        return False
    if hold.client_name is not None:
        return hold.client_name == name
    return hold.selector is not None and hold.selector.matches(labels)


def in_force(hold: HoldView, now: float, *, clock_trusted: bool = True) -> bool:
    """Whether a hold stops anybody now. A clock that cannot be trusted ends no hold (rule 26)."""
    return hold.expires is None or not clock_trusted or now < hold.expires


def holding(
    holds: Iterable[ApiClientHold], client: Metadata, now: datetime, *, clock_trusted: bool = True
) -> list[ApiClientHold]:
    """The holds that stop a client now, by name. One is enough; they stack."""
    found = [
        hold
        for hold in holds
        if matches(view := hold_view(hold), client.namespace, client.name, client.labels)
        and in_force(view, now.timestamp(), clock_trusted=clock_trusted)
    ]
    return sorted(found, key=lambda hold: hold.metadata.name)


@dataclass(frozen=True, slots=True)
class HoldDecision:
    """What the status of a hold is to be, and when it ends."""

    status: ApiClientHoldStatus
    due: datetime | None


def decide_hold(
    hold: ApiClientHold, clients: Sequence[Metadata], now: datetime, *, clock_trusted: bool
) -> HoldDecision:
    """The status of a hold: whom it stops. ``clients`` are those that it matches."""
    holds = in_force(hold_view(hold), now.timestamp(), clock_trusted=clock_trusted)
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
    return HoldDecision(status, _due(hold, now) if holds else None)


def _due(hold: ApiClientHold, now: datetime) -> datetime | None:
    """When it ends, or when to ask the clock again that said so and cannot be trusted."""
    ends = hold.spec.expires_time
    return ends if ends is None or ends > now else now + CLOCK_RETRY


def _holding(hold: ApiClientHold, count: int) -> Verdict:
    until = f" until {format_time(hold.spec.expires_time)}" if hold.spec.expires_time else ""
    return Verdict(True, Reason.HOLDING, f"The hold stops {count} client(s){until}: {hold.spec.reason}")


def _expired(hold: ApiClientHold) -> str:
    when = format_time(hold.spec.expires_time) if hold.spec.expires_time else ""
    return f"The hold expired at {when}." if when else REASONS[Reason.HOLD_EXPIRED]
