"""What ``status`` shows of one client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apiclients.cli.foresight import Coming, coming, effective, of_client
from apiclients.cli.gather import Around
from apiclients.cli.text import Mark
from apiclients.cli.views.contracts import ContractLine, condition, contract_line
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.effective import ACCEPTS_TOKENS, Effective
from apiclients.resources.apiclient import Credential, CredentialState, Transition
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.fields import parse_time
from apiclients.resources.objects import ApiClientHold

_MOST_EVENTS = 6
_MOST_HISTORY = 6
#: What holds and clocks do, and undo, without a change of spec.
_WITHOUT_SPEC = frozenset({Reason.HELD, Reason.EXPIRED})

_MARKS = {
    Effective.AVAILABLE: Mark.GOOD,
    Effective.EXPIRED: Mark.WAITS,
    Effective.PENDING: Mark.WAITS,
}


@dataclass(frozen=True, slots=True)
class CredentialLine:
    """One credential; never its secret nor its digest."""

    id: int
    state: str
    revision: int
    cause: str
    issued: datetime
    expires: datetime
    mark: Mark


@dataclass(frozen=True, slots=True)
class HoldLine:
    """One hold that stops the client now."""

    name: str
    #: The client's name, or the selector.
    by: str
    reason: str
    expires: datetime | None
    created: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One change of the observed status."""

    time: datetime
    before: str
    after: str
    reason: str
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class EventLine:
    """One Event about the client."""

    time: datetime | None
    type: str
    reason: str
    note: str
    count: int


@dataclass(frozen=True, slots=True)
class ConditionLine:
    """One condition."""

    type: str
    status: str
    reason: str
    message: str
    since: datetime
    mark: Mark


@dataclass(frozen=True, slots=True)
class StatusView:
    """The whole screen."""

    namespace: str
    name: str
    client: str
    version: str | None
    display_name: str | None
    owner: str | None
    client_id: str
    created: datetime | None
    effective_status: str
    mark: Mark
    why: str
    desired_status: str
    #: What status says is in force, where it is something else than what spec asks for.
    wish_in_force: str | None
    observed_status: str | None
    #: The generation of spec that the operator has not looked at yet.
    unseen_generation: int | None
    conditions: tuple[ConditionLine, ...]
    contracts: tuple[ContractLine, ...]
    credentials: tuple[CredentialLine, ...]
    secret: str
    rotation: str
    token_lifetime: timedelta
    not_before: datetime | None
    #: When a retirement becomes, or became, final.
    final: datetime | None
    holds: tuple[HoldLine, ...]
    next: tuple[Coming, ...]
    history: tuple[HistoryLine, ...]
    events: tuple[EventLine, ...]
    missing: tuple[str, ...]
    now: datetime


def status_view(around: Around) -> StatusView:
    """The screen about a client, from what was read."""
    client, seen = around.client, of_client(around)
    spec, status, meta = client.spec, client.status, client.metadata
    standing = effective(seen, around.now)
    unseen = meta.generation if status.observed_generation != meta.generation else None
    differs = status.desired_status not in (None, spec.desired_status)
    return StatusView(
        namespace=meta.namespace,
        name=meta.name,
        client=spec.client or meta.name,
        version=spec.version,
        display_name=spec.display_name,
        owner=spec.owner,
        client_id=client.client_id,
        created=meta.creation_time,
        effective_status=standing.reason,
        mark=effective_mark(standing.reason),
        why=standing.message,
        desired_status=spec.desired_status,
        wish_in_force=status.desired_status if differs else None,
        observed_status=status.observed_status,
        unseen_generation=unseen,
        conditions=condition_lines(around),
        contracts=tuple(contract_line(c, around.approvals) for c in sorted(around.contracts, key=_by_name)),
        credentials=tuple(_credential(c, around.now) for c in status.credentials),
        secret=client.secret_name,
        rotation=spec.secret.rotation,
        token_lifetime=spec.tokens.lifetime,
        not_before=status.tokens.not_before if status.tokens is not None else None,
        final=status.retirement.final_time if status.retirement is not None else None,
        holds=tuple(hold_line(hold) for hold in seen.holds),
        next=coming(seen, around.now, most=3) if unseen is None else (),
        history=_history(status.history)[:_MOST_HISTORY],
        events=event_lines(around.events)[:_MOST_EVENTS],
        missing=around.missing,
        now=around.now,
    )


def _history(entries: Sequence[Transition]) -> tuple[HistoryLine, ...]:
    """The transitions, newest first. Who last set spec is told only of those that spec made."""
    found = []
    for number, t in enumerate(entries):
        reasons = {one.reason for one in entries[number : number + 2]}
        manager = None if reasons & _WITHOUT_SPEC else t.manager
        found.append(HistoryLine(t.time, t.from_status, t.to_status, t.reason, manager))
    return tuple(found)


def effective_mark(reason: str) -> Mark:
    """The icon of an effective status, which goes by the reason of the condition Active."""
    known = {status.value: status for status in Effective}.get(reason)
    if known is None:
        return Mark.WAITS
    return _MARKS.get(known, Mark.GOOD if known in ACCEPTS_TOKENS else Mark.BAD)


def condition_lines(around: Around) -> tuple[ConditionLine, ...]:
    """The conditions of a client that people wait on."""
    kinds = (ConditionType.READY, ConditionType.SECRET_READY, ConditionType.STALLED, ConditionType.RECONCILING)
    found = [condition(around.client.status.conditions, kind) for kind in kinds]
    return tuple(
        ConditionLine(
            c.type, c.status, c.reason, c.message, c.last_transition_time, _condition_mark(c.type, c.status == "True")
        )
        for c in found
        if c is not None
    )


def hold_line(hold: ApiClientHold) -> HoldLine:
    """One hold."""
    spec = hold.spec
    return HoldLine(
        name=hold.metadata.name,
        by=spec.client_name if spec.client_name is not None else "a selector",
        reason=spec.reason,
        expires=spec.expires_time,
        created=hold.metadata.creation_time,
    )


def event_lines(events: tuple[JsonObject, ...]) -> tuple[EventLine, ...]:
    """Events, the latest first."""
    lines = [_event(event) for event in events]
    return tuple(sorted(lines, key=lambda line: line.time.timestamp() if line.time else 0.0, reverse=True))


def _event(event: Mapping[str, Any]) -> EventLine:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("eventTime"), event.get("deprecatedLastTimestamp"))
    return EventLine(
        time=next((parse_time(time) for time in times if time), None),
        type=event.get("type") or "Normal",
        reason=event.get("reason") or "",
        note=event.get("note") or "",
        count=series.get("count") or event.get("deprecatedCount") or 1,
    )


def _credential(credential: Credential, now: datetime) -> CredentialLine:
    expired = now >= credential.expires_time
    waning = credential.state is CredentialState.PREVIOUS
    return CredentialLine(
        id=credential.id,
        state="Expired" if expired else credential.state,
        revision=credential.revision,
        cause=credential.cause,
        issued=credential.issued_time,
        expires=credential.expires_time,
        mark=Mark.BAD if expired else Mark.WAITS if waning else Mark.GOOD,
    )


def _condition_mark(kind: str, true: bool) -> Mark:
    if kind == ConditionType.STALLED:
        return Mark.BAD
    if kind == ConditionType.RECONCILING:
        return Mark.WAITS
    return Mark.GOOD if true else Mark.BAD


def _by_name(contract: Any) -> str:
    return str(contract.metadata.name)
