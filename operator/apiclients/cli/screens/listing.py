"""What ``get`` lists: one line per client, and the filters."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatch

from apiclients.cli.screens.contracts import ContractLine, condition, is_unused
from apiclients.cli.screens.foresight import effective, observed
from apiclients.cli.screens.text import NONE, UNKNOWN, age, clean, last_used, until
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.credentials import current
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.objects import ApiClient, ApiClientHold, InvalidObjectError, Metadata


@dataclass(frozen=True, slots=True)
class ClientLine:
    """One client of a list."""

    namespace: str
    name: str
    client: str
    version: str | None
    owner: str | None
    desired_status: str
    effective_status: str
    ready: str
    reason: str
    message: str
    active_contracts: int | None
    pending_contracts: int | None
    secret_expires: datetime | None
    holds: tuple[str, ...]
    client_id: str
    created: datetime | None
    #: By any gate, to the hour.
    last_used: datetime | None
    #: Whether the operator waits for people.
    stalled: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """What people look for. Everything that is set has to hold."""

    names: tuple[str, ...] = ()
    not_ready: bool = False
    held: bool = False
    expiring: timedelta | None = None
    owner: str | None = None
    status: str | None = None
    unused: timedelta | None = None

    def lets(self, line: ClientLine, now: datetime) -> bool:
        """Whether a client is one of those looked for."""
        expires = line.secret_expires
        soon = self.expiring is None or (expires is not None and expires - now <= self.expiring)
        owned = self.owner is None or fnmatch((line.owner or "").lower(), self.owner.lower())
        return (
            soon
            and owned
            and (not self.names or line.name in self.names)
            and (not self.not_ready or line.ready != "True")
            and (not self.held or bool(line.holds))
            and (self.unused is None or is_unused(self.unused, line.last_used, line.created, now))
            and (self.status is None or line.effective_status.lower() == self.status.lower())
        )


class SortKey(StrEnum):
    """What a list of clients can be sorted by; names break ties, and what is not known comes last."""

    NAME = "name"
    AGE = "age"
    EXPIRES = "expires"
    STATUS = "status"
    OWNER = "owner"
    CONTRACTS = "contracts"
    LAST_USED = "last-used"


def sort_key(line: ClientLine, key: SortKey) -> tuple[bool, str | datetime | int, str, str]:
    """The place of a client: the youngest, the soonest to expire, the most contracts and the never used first."""
    name = (line.name, line.namespace)
    match key:
        case SortKey.NAME:
            return (False, line.name, *name)
        case SortKey.STATUS:
            return (False, line.effective_status, *name)
        case SortKey.OWNER:
            return (line.owner is None, line.owner or "", *name)
        case SortKey.EXPIRES:
            return (line.secret_expires is None, line.secret_expires or "", *name)
        case SortKey.AGE:
            return (line.created is None, -_seconds(line.created), *name)
        case SortKey.LAST_USED:
            return (line.last_used is not None, -_seconds(line.last_used), *name)
        case SortKey.CONTRACTS:
            return (line.active_contracts is None, -(line.active_contracts or 0), *name)


def _seconds(time: datetime | None) -> int:
    return int(time.timestamp()) if time is not None else 0


def client_lines(raw: Iterable[JsonObject], holds: Iterable[ApiClientHold], now: datetime) -> list[ClientLine]:
    """One line per object, in their order; also for those that this version cannot read."""
    by_namespace = defaultdict[str, list[ApiClientHold]](list)
    for hold in holds:
        by_namespace[hold.metadata.namespace].append(hold)
    return [_line(obj, by_namespace[obj["metadata"].get("namespace", "")], now) for obj in raw]


def _line(obj: JsonObject, holds: Sequence[ApiClientHold], now: datetime) -> ClientLine:
    try:
        client = ApiClient.from_object(obj)
    except InvalidObjectError as error:
        return _unreadable(obj, str(error))
    meta, spec, status = client.metadata, client.spec, client.status
    seen = observed(client, None, holds, now)
    ready = condition(status.conditions, ConditionType.READY)
    known = current(status.credentials)
    unseen = status.observed_generation != meta.generation
    return ClientLine(
        namespace=meta.namespace,
        name=meta.name,
        client=spec.client or meta.name,
        version=spec.version,
        owner=spec.owner,
        desired_status=spec.desired_status,
        effective_status=effective(seen, now).reason,
        ready="Unknown" if ready is None or (unseen and ready.status == "True") else ready.status,
        reason=ready.reason if ready is not None else UNKNOWN,
        message=ready.message if ready is not None else "The operator has not reconciled it yet.",
        active_contracts=status.contracts.active if status.contracts is not None else None,
        pending_contracts=status.contracts.pending if status.contracts is not None else None,
        secret_expires=known.expires_time if known is not None else None,
        holds=tuple(hold.name for hold in seen.holds),
        client_id=client.client_id,
        created=meta.creation_time,
        last_used=status.last_used_time,
        stalled=_stalled(client),
    )


def _stalled(client: ApiClient) -> bool:
    found = condition(client.status.conditions, ConditionType.STALLED)
    return found is not None and found.status == "True"


def _unreadable(obj: JsonObject, problem: str) -> ClientLine:
    meta = Metadata.from_object(obj)
    return ClientLine(
        namespace=meta.namespace,
        name=meta.name,
        client=meta.name,
        version=None,
        owner=None,
        desired_status=UNKNOWN,
        effective_status=UNKNOWN,
        ready="False",
        reason=Reason.UNREADABLE,
        message=problem,
        active_contracts=None,
        pending_contracts=None,
        secret_expires=None,
        holds=(),
        client_id=UNKNOWN,
        created=meta.creation_time,
        last_used=None,
        stalled=False,
    )


def client_table(lines: Sequence[ClientLine], now: datetime, *, wide: bool, namespaces: bool) -> list[tuple[str, ...]]:
    """The rows of the table, its header first."""
    header = ["NAME", "DESIRED", "STATUS", "READY", "REASON", "CONTRACTS", "EXPIRES", "AGE"]
    header += ["CLIENT", "VERSION", "OWNER", "LAST-USED", "HOLDS", "CLIENT-ID", "MESSAGE"] if wide else []
    rows = [header, *(_client_cells(line, now, wide=wide) for line in lines)]
    return _with_namespace(rows, [line.namespace for line in lines], shown=namespaces)


def _client_cells(line: ClientLine, now: datetime, *, wide: bool) -> list[str]:
    contracts = UNKNOWN if line.active_contracts is None else str(line.active_contracts)
    if line.pending_contracts:
        contracts += f"+{line.pending_contracts}"
    expires = until(line.secret_expires, now) if line.secret_expires is not None else NONE
    cells = [line.name, line.desired_status, line.effective_status, line.ready, line.reason, contracts, expires]
    cells.append(age(line.created, now))
    if wide:
        holds = ",".join(line.holds) or NONE
        used = last_used(line.last_used, now)
        cells += [line.client, line.version or NONE, clean(line.owner or NONE), used, holds, line.client_id]
        cells.append(clean(line.message))
    return cells


def contract_table(
    lines: Sequence[ContractLine], now: datetime, *, wide: bool, namespaces: bool
) -> list[tuple[str, ...]]:
    """The rows of the table, its header first."""
    header = ["NAME", "CLIENT", "API", "PLAN", "IN-FORCE", "STATUS", "APPROVAL", "AGE"]
    header += ["LAST-USED", "REASON", "MESSAGE"] if wide else []
    rows = [header]
    for line in lines:
        cells = [line.name, line.client, line.api, line.plan, line.plan_in_force or NONE, line.status]
        cells += [line.approval if line.approval != "-" else NONE, age(line.created, now)]
        if wide:
            cells += [last_used(line.last_used, now), line.reason or UNKNOWN, clean(line.problem or NONE)]
        rows.append(cells)
    return _with_namespace(rows, [line.namespace for line in lines], shown=namespaces)


def _with_namespace(rows: list[list[str]], namespaces: list[str], *, shown: bool) -> list[tuple[str, ...]]:
    if not shown:
        return [tuple(row) for row in rows]
    return [(name, *row) for name, row in zip(["NAMESPACE", *namespaces], rows, strict=True)]
