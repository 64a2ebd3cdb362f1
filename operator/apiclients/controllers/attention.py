"""Who needs somebody, as metrics: clients that are stalled or not ready, secrets that expire, contracts that end.

Few series of each. What is kept is what the object said last; a scrape costs as much as there are clients.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apiclients.kube.objects import JsonObject
from apiclients.resources.apiclient import CredentialState
from apiclients.resources.conditions import ConditionType
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.fields import parse_time
from apiclients.resources.refs import NamespacedName

#: Series of one metric: whoever makes more clients than that stall costs Prometheus no more.
MOST_SERIES = 1000
_PREFIX = "apiclient_operator_"
#: The owner as well, so that an alert finds whom it concerns; empty where spec names none.
_LABELS = ["client_namespace", "client", "owner"]
_CONTRACT_LABELS = ["contract_namespace", "contract", "client", "owner"]


#: The values of the labels of one series.
_Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What matters of one client."""

    owner: str
    stalled: str | None
    not_ready: str | None
    #: When the current secret expires, in seconds since the epoch.
    expires: float | None


@dataclass(frozen=True, slots=True)
class _End:
    """When a contract in force ends, in seconds since the epoch, and whose it is."""

    time: float
    client: str


@dataclass(frozen=True, slots=True)
class _Times:
    """A metric of times in seconds since the epoch."""

    name: str
    text: str
    labels: list[str]


_EXPIRY = _Times("secret_expires_timestamp_seconds", "When the current secret of the client expires", _LABELS)
_END = _Times("contract_ends_timestamp_seconds", "When a contract in force ends by its endTime", _CONTRACT_LABELS)


class Attention(Collector):
    """The standing of every client, and the end of every contract that has one."""

    def __init__(self) -> None:
        self._clients: dict[NamespacedName, _Standing] = {}
        self._ends: dict[NamespacedName, _End] = {}

    def note(self, key: NamespacedName, raw: JsonObject | None) -> None:
        """A client has come, changed or gone."""
        if raw is None:
            self._clients.pop(key, None)
        else:
            self._clients[key] = _standing(raw)

    def note_contract(self, key: NamespacedName, raw: JsonObject | None) -> None:
        """A contract has come, changed or gone. One that is not in force has nothing to end."""
        ends = _end_of_contract(raw) if raw is not None else None
        if ends is None:
            self._ends.pop(key, None)
        else:
            self._ends[key] = ends

    def collect(self) -> Iterator[Metric]:
        """The metrics, those that are worst left out last: first by name, and the secrets that expire first."""
        known: list[tuple[_Labels, _Standing]] = [((*key, one.owner), one) for key, one in self._clients.items()]
        stalled = sorted((labels, one.stalled) for labels, one in known if one.stalled is not None)
        not_ready = sorted((labels, one.not_ready) for labels, one in known if one.not_ready is not None)
        yield _by_reason("client_stalled", "1 for a client that waits for a person, by reason.", stalled)
        yield _by_reason("client_not_ready", "1 for a client that is not Ready, by reason.", not_ready)
        yield _by_count("clients_stalled", "Clients that wait for a person, by reason.", stalled)
        yield _by_count("clients_not_ready", "Clients that are not Ready, by reason.", not_ready)
        yield _first(_EXPIRY, ((one.expires, labels) for labels, one in known if one.expires is not None))
        yield _first(_END, ((end.time, self._labels_of(key, end)) for key, end in self._ends.items()))

    def _labels_of(self, key: NamespacedName, end: _End) -> _Labels:
        client = self._clients.get((key[0], end.client))
        return (*key, end.client, client.owner if client is not None else "")


def _by_reason(name: str, text: str, found: list[tuple[_Labels, str]]) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}{name}", f"{text} At most {MOST_SERIES}.", labels=[*_LABELS, "reason"])
    for labels, reason in found[:MOST_SERIES]:
        family.add_metric([*labels, reason], 1)
    return family


def _by_count(name: str, text: str, found: list[tuple[_Labels, str]]) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}{name}", text, labels=["reason"])
    reasons = [reason for _, reason in found]
    for reason in sorted(set(reasons)):
        family.add_metric([reason], reasons.count(reason))
    return family


def _first(made: _Times, found: Iterable[tuple[float, _Labels]]) -> Metric:
    text = f"{made.text}; the {MOST_SERIES} that come first."
    family = GaugeMetricFamily(f"{_PREFIX}{made.name}", text, labels=made.labels)
    for time, labels in heapq.nsmallest(MOST_SERIES, found):
        family.add_metric([*labels], time)
    return family


def _end_of_contract(raw: JsonObject) -> _End | None:
    status, ends = raw.get("status"), _seconds(_spec(raw).get("endTime"))
    active = isinstance(status, dict) and status.get("observedStatus") == ContractStatusName.ACTIVE
    return _End(ends, str(_spec(raw).get("clientName", ""))) if active and ends is not None else None


def _spec(raw: JsonObject) -> Mapping[str, Any]:
    """The spec, also where something else stands there."""
    found = raw.get("spec")
    return found if isinstance(found, dict) else {}


def _standing(raw: JsonObject) -> _Standing:
    status = raw.get("status")
    conditions = {c.get("type"): c for c in _objects(status, "conditions")}
    stalled, ready = conditions.get(ConditionType.STALLED), conditions.get(ConditionType.READY)
    current = [c for c in _objects(status, "credentials") if c.get("state") == CredentialState.CURRENT]
    return _Standing(
        owner=str(_spec(raw).get("owner", "")),
        stalled=str(stalled.get("reason")) if stalled is not None and stalled.get("status") == "True" else None,
        not_ready=str(ready.get("reason")) if ready is not None and ready.get("status") != "True" else None,
        expires=_seconds(current[0].get("expiresTime")) if current else None,
    )


def _objects(status: object, name: str) -> list[Mapping[str, Any]]:
    """A list of objects in a status, also where somebody wrote something else there."""
    found = status.get(name) if isinstance(status, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _seconds(text: object) -> float | None:
    try:
        return parse_time(text).timestamp() if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None
