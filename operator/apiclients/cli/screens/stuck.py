"""Which objects are stuck: the operator does not look at them, keeps trying, or waits for people. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apiclients.cli.screens.text import clean, span
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.replicas import time_or_none

#: The operator has looked at everything within this time, also after a restart.
_UNSEEN = timedelta(minutes=1)
#: What it tries for longer needs somebody.
_TRYING = timedelta(minutes=5)
_MOST = 10
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Stuck:
    """One object, or the number of those that are not shown."""

    what: str
    fix: str


def stuck_clients(clients: Sequence[JsonObject], now: datetime) -> list[Stuck]:
    """Clients that are stuck, the first ones by name."""
    return _first("ApiClient", clients, now)


def stuck_contracts(contracts: Sequence[JsonObject], now: datetime) -> list[Stuck]:
    """Contracts that the operator does not look at. What it waits for in others is nobody's fault."""
    return _first("Contract", [obj for obj in contracts if _unseen_for(obj, now) is not None], now)


def _first(kind: str, objects: Iterable[JsonObject], now: datetime) -> list[Stuck]:
    found = [(obj, why) for obj in objects if (why := _why(obj, now)) is not None]
    lines = [_line(kind, obj, why) for obj, why in found[:_MOST]]
    if len(found) > _MOST:
        lines.append(
            Stuck(f"{len(found) - _MOST} more of kind {kind} are stuck", "kubectl apiclient get -A --not-ready")
        )
    return lines


def _line(kind: str, obj: JsonObject, why: str) -> Stuck:
    meta = obj["metadata"]
    client = meta["name"] if kind == "ApiClient" else obj["spec"].get("clientName", "")
    short = why if len(why) <= _LONGEST else why[: _LONGEST - 1] + "…"
    fix = f"kubectl apiclient explain {client} -n {meta['namespace']}"
    return Stuck(f"{kind} {meta['namespace']}/{meta['name']}: {short}", fix)


def _why(obj: JsonObject, now: datetime) -> str | None:
    unseen = _unseen_for(obj, now)
    if unseen is not None:
        return f"the operator has not reconciled its latest change for {span(unseen)}"
    conditions = {c["type"]: c for c in (obj.get("status") or {}).get("conditions") or []}
    stalled, trying = conditions.get("Stalled"), conditions.get("Reconciling")
    if stalled is not None and stalled["status"] == "True":
        return f"stalled ({stalled['reason']}): {clean(stalled.get('message', ''))}"
    since = time_or_none(trying.get("lastTransitionTime")) if trying is not None else None
    if trying is not None and since is not None and now - since > _TRYING:
        return f"tried for {span(now - since)} ({trying['reason']}): {clean(trying.get('message', ''))}"
    return None


def _unseen_for(obj: JsonObject, now: datetime) -> timedelta | None:
    """How long the operator has not looked at the latest spec, if that is too long."""
    status, generation = obj.get("status") or {}, obj["metadata"].get("generation", 0)
    seen = [
        status.get("observedGeneration", -1),
        *(c.get("observedGeneration", 0) for c in status.get("conditions") or []),
    ]
    changed = _changed(obj)
    if max(seen) >= generation or changed is None or now - changed <= _UNSEEN:
        return None
    return now - changed


def _changed(obj: JsonObject) -> datetime | None:
    """When somebody last wrote anything but status."""
    meta = obj["metadata"]
    entries = [entry for entry in meta.get("managedFields") or [] if not entry.get("subresource")]
    times = [time_or_none(entry.get("time")) for entry in entries] + [time_or_none(meta.get("creationTimestamp"))]
    return max((time for time in times if time is not None), default=None)
