"""Holds: which clients they stop, and for how long."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from apiclients.lifecycle.condition_state import ConditionState, build_conditions
from apiclients.lifecycle.features import ALL_OBEYED, NO_FEATURES, Feature, Lacking, features_used, gate_too_old
from apiclients.lifecycle.timing import CLOCK_RETRY
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.fields import format_time
from apiclients.resources.hold import MAX_SELECTING_HOLDS, MAX_STOPPED_NAMES, ApiClientHoldStatus
from apiclients.resources.objects import ApiClientHold, Metadata
from apiclients.resources.reasons import REASONS
from apiclients.resources.selectors import LabelSelector


@dataclass(frozen=True, slots=True)
class HoldView:
    """Whom a hold stops, until when in seconds since the epoch, and why."""

    namespace: str
    name: str
    client_name: str | None
    selector: LabelSelector | None
    expires: float | None
    reason: str = ""
    #: What of its spec only newer gates obey.
    features: frozenset[Feature] = NO_FEATURES

    @property
    def expires_time(self) -> datetime | None:
        """When it ends; None for never."""
        return datetime.fromtimestamp(self.expires, UTC) if self.expires is not None else None


def hold_view(hold: ApiClientHold) -> HoldView:
    """What decisions need of a hold.

    One for all clients has a selector that every client fits. So has one that says no client at all: the API server
    takes none, so it says it in a field that this version does not know.
    """
    spec, expires = hold.spec, hold.spec.expires_time
    everybody = spec.all_clients or (spec.client_name is None and spec.selector is None)
    return HoldView(
        namespace=hold.metadata.namespace,
        name=hold.metadata.name,
        client_name=spec.client_name if not everybody else None,
        selector=LabelSelector() if everybody else spec.selector,
        expires=expires.timestamp() if expires is not None else None,
        reason=spec.reason,
        features=features_used(hold),
    )


def matches(hold: HoldView, namespace: str, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a hold speaks of a client: by name, or by labels, in its own namespace."""
    if hold.namespace != namespace:
        return False
    if hold.client_name is not None:
        return hold.client_name == name
    return hold.selector is not None and hold.selector.matches(labels)


def too_many(selecting: int) -> bool:
    """Whether a namespace has so many holds that name no client that nobody is matched any more but all are held."""
    return selecting > MAX_SELECTING_HOLDS


@lru_cache(maxsize=256)
def too_many_holds(namespace: str) -> HoldView:
    """The hold that stands for all of them then, the most restrictive that they could be."""
    reason = (
        f"The namespace has more than {MAX_SELECTING_HOLDS} holds that name no client, so all of its clients are held: "
        "delete some of these holds"
    )
    return HoldView(namespace, "too-many-holds", None, LabelSelector(), None, reason)


def in_force(hold: HoldView, now: float, *, clock_trusted: bool = True) -> bool:
    """Whether a hold stops anybody now. A clock that cannot be trusted ends no hold (rule 26)."""
    return hold.expires is None or not clock_trusted or now < hold.expires


def holding(
    holds: Iterable[HoldView], client: Metadata, now: datetime, *, clock_trusted: bool = True
) -> list[HoldView]:
    """The holds that stop a client now, by name. One is enough; they stack."""
    matching = (hold for hold in holds if matches(hold, client.namespace, client.name, client.labels))
    return those_in_force(matching, now, clock_trusted=clock_trusted)


def those_in_force(holds: Iterable[HoldView], now: datetime, *, clock_trusted: bool = True) -> list[HoldView]:
    """Of the holds that match a client those that stop it now, by name."""
    found = (hold for hold in holds if in_force(hold, now.timestamp(), clock_trusted=clock_trusted))
    return sorted(found, key=lambda hold: hold.name)


@dataclass(frozen=True, slots=True)
class HoldDecision:
    """What the status of a hold is to be, and when it ends."""

    status: ApiClientHoldStatus
    due: datetime | None


def decide_hold(
    hold: ApiClientHold,
    clients: Iterable[str],
    now: datetime,
    *,
    clock_trusted: bool,
    gates_lacking: Lacking = ALL_OBEYED,
) -> HoldDecision:
    """The status of a hold: whom it stops. ``clients`` are the names of those that it matches."""
    holds = in_force(hold_view(hold), now.timestamp(), clock_trusted=clock_trusted)
    names = sorted(clients) if holds else []
    active = _holding(hold, len(names)) if holds else ConditionState(False, Reason.HOLD_EXPIRED, _expired(hold))
    too_old = gate_too_old(features_used(hold), gates_lacking) if holds else None
    ready = replace(too_old, holds=False) if too_old else ConditionState(True, active.reason, active.message)
    status = ApiClientHoldStatus(
        observed_generation=hold.metadata.generation,
        stopped_count=len(names),
        stopped_names=names[:MAX_STOPPED_NAMES],
        conditions=build_conditions(
            {ConditionType.READY: ready, ConditionType.ACTIVE: active, ConditionType.STALLED: too_old},
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


def _holding(hold: ApiClientHold, count: int) -> ConditionState:
    until = f" until {format_time(hold.spec.expires_time)}" if hold.spec.expires_time else ""
    return ConditionState(True, Reason.HOLDING, f"The hold stops {count} client(s){until}: {hold.spec.reason}")


def _expired(hold: ApiClientHold) -> str:
    when = format_time(hold.spec.expires_time) if hold.spec.expires_time else ""
    return f"The hold expired at {when}." if when else REASONS[Reason.HOLD_EXPIRED].message
