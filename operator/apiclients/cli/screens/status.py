"""What ``status`` shows of one client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apiclients.cli.cluster.gather import Around
from apiclients.cli.screens.contracts import ContractLine, condition, contract_line
from apiclients.cli.screens.foresight import Coming, coming, effective, of_client
from apiclients.cli.screens.overlapping import overlap_sentences
from apiclients.cli.screens.text import Mark
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.client_keys import usable_keys
from apiclients.lifecycle.effective import ACCEPTS_TOKENS, Effective
from apiclients.lifecycle.enforcement import REFUSED, Awaited, awaited_of, obeyed_by
from apiclients.lifecycle.features import NO_FEATURES, Feature, features_used
from apiclients.lifecycle.identities import claimed_subject
from apiclients.lifecycle.observation import Observed
from apiclients.lifecycle.replicas import Replica
from apiclients.resources.apiclient import Credential, CredentialState, Transition
from apiclients.resources.conditions import ConditionType
from apiclients.resources.fields import parse_time
from apiclients.resources.names import CREATED_BY_ANNOTATION
from apiclients.resources.objects import ApiClient, ApiClientHold
from apiclients.resources.selectors import LabelSelector

_MOST_EVENTS = 6
_MOST_HISTORY = 6

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
    #: When a token was last issued for it, to the hour.
    last_used: datetime | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class IdentityLine:
    """Tokens of another issuer that the client claims."""

    issuer: str
    subject: str
    #: None while the claim is not in force.
    since: datetime | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A public key of the client's own that can be used."""

    kid: str
    kind: str


@dataclass(frozen=True, slots=True)
class HoldLine:
    """One hold that stops the client now."""

    name: str
    #: The client's name, or that it is a selector or for all clients.
    by: str
    reason: str
    expires: datetime | None
    created: datetime | None
    #: The user who placed it, where that was recorded.
    author: str | None


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
class GateLine:
    """One gate, and whether it obeys what is desired of the client."""

    name: str
    version: str
    #: "obeys", "behind", "not ready", "not ready, refuses all" or "lost".
    state: str
    mark: Mark
    renewed: datetime | None


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
    #: By any gate, to the hour.
    last_used: datetime | None
    effective_status: str
    mark: Mark
    why: str
    desired_status: str
    #: What status says is in force, where it is something else than what spec asks for.
    desired_status_in_force: str | None
    observed_status: str | None
    #: The generation of spec that the operator has not looked at yet.
    unseen_generation: int | None
    conditions: tuple[ConditionLine, ...]
    contracts: tuple[ContractLine, ...]
    credentials: tuple[CredentialLine, ...]
    #: Sentences about overlaps that nobody needs any more.
    overlaps: tuple[str, ...]
    identities: tuple[IdentityLine, ...]
    keys: tuple[KeyLine, ...]
    #: None where the client is to have none.
    secret: str | None
    rotation: str
    token_lifetime: timedelta
    not_before: datetime | None
    #: When a retirement becomes, or became, final.
    final: datetime | None
    holds: tuple[HoldLine, ...]
    next: tuple[Coming, ...]
    #: What the condition Enforced says, and each gate, where their Leases may be read.
    enforced: str | None
    gates: tuple[GateLine, ...]
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
        last_used=status.last_used_time,
        effective_status=standing.reason,
        mark=effective_mark(standing.reason),
        why=standing.message,
        desired_status=spec.desired_status,
        desired_status_in_force=status.desired_status if differs else None,
        observed_status=status.observed_status,
        unseen_generation=unseen,
        conditions=condition_lines(around),
        contracts=tuple(contract_line(c, around.approvals) for c in sorted(around.contracts, key=_by_name)),
        credentials=tuple(_credential(c, around.now) for c in status.credentials),
        overlaps=overlap_sentences(around),
        identities=identity_lines(client),
        keys=_keys(client),
        secret=client.secret_name if spec.secret.issue else None,
        rotation=spec.secret.rotation,
        token_lifetime=spec.tokens.lifetime,
        not_before=status.tokens.not_before if status.tokens is not None else None,
        final=status.retirement.final_time if status.retirement is not None else None,
        holds=tuple(hold_line(hold) for hold in stopping(around, seen)),
        next=coming(seen, around.now, most=4) if unseen is None else (),
        enforced=_enforced(around),
        gates=gate_lines(around, seen),
        history=_history(status.history)[:_MOST_HISTORY],
        events=event_lines(around.events)[:_MOST_EVENTS],
        missing=tuple(map(str, around.unread)),
        now=around.now,
    )


def _enforced(around: Around) -> str | None:
    told = condition(around.client.status.conditions, ConditionType.ENFORCED)
    return told.message if told is not None else None


def gate_lines(around: Around, seen: Observed) -> tuple[GateLine, ...]:
    """Each gate, by name; none where the operator has not said yet what they have to obey."""
    awaited = awaited_by(around.client, NO_FEATURES.union(*(hold.features for hold in seen.holds)))
    if awaited is None:
        return ()
    return tuple(_gate(gate, awaited, around.now) for gate in around.gates or ())


def awaited_by(client: ApiClient, of_holds: frozenset[Feature]) -> Awaited | None:
    """What gates have to obey of a client and of the holds that stop it, which use these features.

    None where the operator has not said yet.
    """
    known = client.status.enforcement
    if known is None:
        return None
    return awaited_of(
        known,
        int(client.metadata.resource_version or 0),
        refuses=client.status.observed_status in REFUSED,
        features=features_used(client) | of_holds,
    )


def _gate(gate: Replica, awaited: Awaited, now: datetime) -> GateLine:
    if not gate.alive(now):
        state, mark = "lost", Mark.BAD
    elif obeyed_by(gate, awaited):
        state, mark = ("obeys", Mark.GOOD) if gate.ready else ("not ready, refuses all", Mark.WAITS)
    else:
        state, mark = "behind" if gate.ready else "not ready", Mark.WAITS
    return GateLine(gate.name, gate.version, state, mark, gate.renewed)


def _history(entries: Sequence[Transition]) -> tuple[HistoryLine, ...]:
    """The transitions, newest first."""
    return tuple(HistoryLine(t.time, t.from_status, t.to_status, t.reason, t.manager) for t in entries)


def effective_mark(reason: str) -> Mark:
    """The icon of an effective status, which goes by the reason of the condition Active."""
    known = {status.value: status for status in Effective}.get(reason)
    if known is None:
        return Mark.WAITS
    return _MARKS.get(known, Mark.GOOD if known in ACCEPTS_TOKENS else Mark.BAD)


def condition_lines(around: Around) -> tuple[ConditionLine, ...]:
    """The conditions of a client that people wait on."""
    kinds = (
        ConditionType.READY,
        ConditionType.ENFORCED,
        ConditionType.SECRET_READY,
        ConditionType.STALLED,
        ConditionType.RECONCILING,
    )
    found = [condition(around.client.status.conditions, kind) for kind in kinds]
    return tuple(
        ConditionLine(
            c.type, c.status, c.reason, c.message, c.last_transition_time, _condition_mark(c.type, c.status == "True")
        )
        for c in found
        if c is not None
    )


def identity_lines(client: ApiClient) -> tuple[IdentityLine, ...]:
    """The identities of a client, in the order of its spec."""
    known = {(one.issuer, one.subject): one.since for one in client.status.identities}
    claimed = ((one.issuer, claimed_subject(one, client.metadata.namespace)) for one in client.spec.identities)
    return tuple(
        IdentityLine(*claim, known.get(claim), Mark.GOOD if claim in known else Mark.BAD)
        for claim in dict.fromkeys(claimed)
    )


def _keys(client: ApiClient) -> tuple[KeyLine, ...]:
    found = usable_keys(client.spec.keys.jwks) if client.spec.keys is not None else ()
    return tuple(KeyLine(key.kid, " ".join(filter(None, (key.kty, key.crv, key.alg)))) for key in found)


def stopping(around: Around, seen: Observed) -> list[ApiClientHold]:
    """The holds that stop the client now, by name."""
    names = {hold.name for hold in seen.holds}
    return sorted((hold for hold in around.holds if hold.metadata.name in names), key=_by_name)


def hold_line(hold: ApiClientHold) -> HoldLine:
    """One hold."""
    spec = hold.spec
    return HoldLine(
        name=hold.metadata.name,
        by=spec.client_name or ("a selector" if spec.selector not in (None, LabelSelector()) else "all clients"),
        reason=spec.reason,
        expires=spec.expires_time,
        created=hold.metadata.creation_time,
        author=hold.metadata.annotations.get(CREATED_BY_ANNOTATION),
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
        last_used=credential.last_used_time,
        mark=Mark.BAD if expired else Mark.WAITS if waning else Mark.GOOD,
    )


def _condition_mark(kind: str, true: bool) -> Mark:
    if kind == ConditionType.STALLED:
        return Mark.BAD
    if kind == ConditionType.RECONCILING or (kind == ConditionType.ENFORCED and not true):
        return Mark.WAITS
    return Mark.GOOD if true else Mark.BAD


def _by_name(contract: Any) -> str:
    return str(contract.metadata.name)
