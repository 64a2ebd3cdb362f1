"""What Prometheus is told. Numbers are copied when somebody scrapes and rendered off the event loop."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apiclients.gate.tally import Tally
from apiclients.lifecycle.access import ClientView

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "apiclient_gate_"
_EFFECT_BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """The state of the gate at the moment of a scrape; times in seconds."""

    version: str
    ready: bool
    staleness: float | None
    clock_offset: float | None
    proofs: int
    failed_proofs: int
    lost_events: int
    resource_version: int
    clients: int
    unreadable: int
    keys_damaged: bool
    cache_entries: int
    cache_hits: int
    cache_misses: int


class Metrics:
    """The metrics of this process, in a registry of their own."""

    def __init__(
        self, tally: Tally, clients: Mapping[str, ClientView], read: Callable[[], Reading] | None = None
    ) -> None:
        """``clients`` by UID: series of others are left out. ``read`` may be set later, before the first scrape."""
        self._tally = tally
        self._clients = clients
        self._lock = asyncio.Lock()
        self.read = read
        self._effect = Histogram(
            _PREFIX + "event_to_effect_seconds",
            "Time from the arrival of a watch event of an ApiClient until checks obey it.",
            registry=None,
            buckets=_EFFECT_BUCKETS,
        )

    def took_effect(self, seconds: float) -> None:
        """A watch event took so long from its arrival to its effect.

        The way to here cannot be measured here: the times that the API server writes have a resolution of a second.
        """
        self._effect.observe(seconds)

    async def render(self) -> bytes:
        """The exposition text; one at a time, so that however many scrape, checks go on."""
        async with self._lock:
            snapshot = _Snapshot(self._tally, self._clients, self.read() if self.read else None)
            return await asyncio.to_thread(self._render, snapshot)

    def _render(self, snapshot: "_Snapshot") -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self._effect)
        registry.register(snapshot)
        return generate_latest(registry)


class _Snapshot(Collector):
    """Copies of all numbers, so that another thread can read them."""

    def __init__(self, tally: Tally, clients: Mapping[str, ClientView], reading: Reading | None) -> None:
        self._checks, self._tokens = Counter(tally.checks), Counter(tally.tokens)
        self._introspections = Counter(tally.introspections)
        self._crashes = tally.crashes
        self._uses, self._credential_uses = tally.last_uses(), tally.last_credential_uses()
        self._clients = clients
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        yield _by_outcome("checks", "Checks by verdict and reason.", "verdict", self._checks)
        yield _by_outcome("tokens", "Token requests by outcome and reason.", "outcome", self._tokens)
        yield _by_outcome("introspections", "Introspections by outcome and reason.", "outcome", self._introspections)
        yield _counter("crashes", "Requests that ended in an unexpected error.", self._crashes)
        yield from self._last_use()
        if self._reading is not None:
            yield from _state(self._reading)

    def _last_use(self) -> Iterator[Metric]:
        clients = GaugeMetricFamily(
            _PREFIX + "client_last_use_timestamp_seconds",
            "When a token or a secret of the client was last accepted by this replica.",
            labels=["namespace", "name"],
        )
        credentials = GaugeMetricFamily(
            _PREFIX + "credential_last_use_timestamp_seconds",
            "When the credential was last accepted by this replica.",
            labels=["namespace", "name", "credential"],
        )
        for uid, used in self._uses.items():
            view = self._clients.get(uid)
            if view is not None:
                clients.add_metric([view.namespace, view.name], used)
                known = {credential.id for credential in view.credentials}
                for id_, used_credential in self._credential_uses.get(uid, {}).items():
                    if id_ in known:
                        credentials.add_metric([view.namespace, view.name, str(id_)], used_credential)
        yield clients
        yield credentials


def _state(reading: Reading) -> Iterator[Metric]:
    info = GaugeMetricFamily(_PREFIX + "build_info", "Version of this program.", labels=["version"])
    info.add_metric([reading.version], 1)
    yield info
    yield _gauge("ready", "1 if this replica decides.", float(reading.ready))
    staleness = math.inf if reading.staleness is None else reading.staleness
    yield _gauge("staleness_seconds", "Seconds since the start of the last freshness proof.", staleness)
    offset = math.nan if reading.clock_offset is None else reading.clock_offset
    yield _gauge("clock_offset_seconds", "This clock minus the API server's.", offset)
    proofs = Counter({("ok", ""): reading.proofs, ("failed", ""): reading.failed_proofs})
    yield _by_outcome("freshness_proofs", "Freshness proofs by outcome.", "outcome", proofs, reasons=False)
    yield _counter("lost_events", "Changes that the watch did not deliver and a list found.", reading.lost_events)
    yield _gauge("resource_version", "Everything up to this resourceVersion is applied.", reading.resource_version)
    yield _gauge("clients", "Clients that this replica knows.", reading.clients)
    yield _gauge("unreadable_clients", "ApiClients that cannot be read and are denied.", reading.unreadable)
    yield _gauge("keys_damaged", "1 if the keys Secret is missing or damaged.", float(reading.keys_damaged))
    yield _gauge("signature_cache_entries", "Tokens in the cache of verified signatures.", reading.cache_entries)
    yield _counter("signature_cache_hits", "Look-ups that found a verified signature.", reading.cache_hits)
    yield _counter("signature_cache_misses", "Look-ups that did not.", reading.cache_misses)


def _by_outcome(
    name: str, text: str, label: str, counts: Mapping[tuple[str, str], int], *, reasons: bool = True
) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, text, labels=[label, "reason"] if reasons else [label])
    for (outcome, reason), count in counts.items():
        family.add_metric([outcome, reason] if reasons else [outcome], count)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)
