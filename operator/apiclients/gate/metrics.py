"""What Prometheus is told. Numbers are copied when somebody scrapes and rendered off the event loop."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apiclients.gate.routes import Routes
from apiclients.gate.tally import Tally
from apiclients.kube.kinds import API_CLIENTS
from apiclients.lifecycle.access import ClientView

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "apiclient_gate_"
_EFFECT_BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """The state of the gate at the moment of a scrape; times in seconds, mappings by plural of the kind."""

    version: str
    ready: bool
    staleness: float | None
    clock_offset: float | None
    proofs: int
    failed_proofs: int
    lost_events: Mapping[str, int]
    applied: Mapping[str, int]
    objects: Mapping[str, int]
    unreadable: Mapping[str, int]
    clients: int
    keys_damaged: bool
    cache_entries: int
    cache_hits: int
    cache_misses: int


class Metrics:
    """The metrics of this process, in a registry of their own."""

    def __init__(
        self,
        tally: Tally,
        clients: Mapping[str, ClientView],
        routes: Routes,
        read: Callable[[], Reading] | None = None,
    ) -> None:
        """``clients`` by UID: series of others are left out. ``read`` may be set later, before the first scrape."""
        self._tally = tally
        self._clients = clients
        self._routes = routes
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
            snapshot = _Snapshot(self._tally, self._clients, self._routes, self.read() if self.read else None)
            return await asyncio.to_thread(self._render, snapshot)

    def _render(self, snapshot: "_Snapshot") -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self._effect)
        registry.register(snapshot)
        return generate_latest(registry)


class _Snapshot(Collector):
    """Copies of all numbers, so that another thread can read them."""

    def __init__(
        self, tally: Tally, clients: Mapping[str, ClientView], routes: Routes, reading: Reading | None
    ) -> None:
        self._checks = {"check": Counter(tally.checks), "authz": Counter(tally.calls)}
        self._tokens = Counter(tally.tokens)
        self._introspections = Counter(tally.introspections)
        self._crashes = tally.crashes
        self._uses, self._credential_uses = tally.last_uses(), tally.last_credential_uses()
        self._clients = clients
        known = routes.known()
        self._calls = [(api.namespace, api.name, api.allowed, api.denied) for api in known if api.view is not None]
        self._contract_uses = [use for api in known for use in api.contract_uses()]
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        yield self._all_checks()
        yield _by_outcome("tokens", "Token requests by outcome and reason.", "outcome", self._tokens)
        yield _by_outcome("introspections", "Introspections by outcome and reason.", "outcome", self._introspections)
        yield _counter("crashes", "Requests that ended in an unexpected error.", self._crashes)
        yield self._calls_of_apis()
        yield from self._last_use()
        yield self._last_use_of_contracts()
        if self._reading is not None:
            yield from _state(self._reading)

    def _all_checks(self) -> Metric:
        family = CounterMetricFamily(
            _PREFIX + "checks",
            "Checks of tokens (endpoint check) and of calls to Apis (authz) by verdict and reason.",
            labels=["endpoint", "verdict", "reason"],
        )
        for endpoint, counts in self._checks.items():
            for (verdict, reason), count in counts.items():
                family.add_metric([endpoint, verdict, reason], count)
        return family

    def _calls_of_apis(self) -> Metric:
        family = CounterMetricFamily(
            _PREFIX + "api_calls", "Calls to each Api by verdict.", labels=["namespace", "name", "verdict"]
        )
        for namespace, name, allowed, denied in self._calls:
            family.add_metric([namespace, name, "allow"], allowed)
            family.add_metric([namespace, name, "deny"], denied)
        return family

    def _last_use_of_contracts(self) -> Metric:
        family = GaugeMetricFamily(
            _PREFIX + "contract_last_use_timestamp_seconds",
            "When a call under the contract was last allowed by this replica.",
            labels=["namespace", "name"],
        )
        for (namespace, name), used in self._contract_uses:
            family.add_metric([namespace, name], used)
        return family

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
    lost = CounterMetricFamily(
        _PREFIX + "lost_events", "Changes that a watch did not deliver and a list found.", labels=["kind"]
    )
    for kind, count in reading.lost_events.items():
        lost.add_metric([kind], count)
    yield lost
    version = reading.applied.get(API_CLIENTS.plural, 0)
    yield _gauge("resource_version", "Everything of ApiClients up to this resourceVersion is applied.", version)
    text = "Everything of this kind up to this resourceVersion is applied."
    yield _by_kind("applied_resource_version", text, reading.applied)
    yield _by_kind("objects", "Objects that this replica has been told of.", reading.objects)
    yield _by_kind("unreadable_objects", "Objects that cannot be read, and so deny.", reading.unreadable)
    yield _gauge("clients", "Clients that this replica knows.", reading.clients)
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


def _by_kind(name: str, text: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, text, labels=["kind"])
    for kind, value in values.items():
        family.add_metric([kind], value)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)
