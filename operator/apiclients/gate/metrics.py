"""The gate's metrics. Numbers are copied when somebody scrapes and rendered off the event loop."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apiclients.engine.contract_index import contract_key
from apiclients.gate.state.access import AccessTable
from apiclients.gate.state.tally import Tally
from apiclients.gate.state.verification import Outcome
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.single_reads import Where
from apiclients.lifecycle.access import ClientView

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "apiclient_gate_"
_LAG_BUCKETS = (0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0, 5.0)
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
    #: By plural of the kind and where they were lost.
    lost_events: Mapping[tuple[str, Where], int]
    #: None without verification.
    verified_age: float | None
    to_verify: int
    verifications: Mapping[Outcome, int]
    #: The same of tokens: that they are not revoked.
    verified_token_age: float | None
    tokens_to_verify: int
    tokens_passed_over: int
    applied: Mapping[str, int]
    objects: Mapping[str, int]
    unreadable: Mapping[str, int]
    clients: int
    #: Namespaces whose clients are all refused, and why.
    refused_namespaces: Sequence[tuple[str, str]]
    keys_damaged: bool
    cache_entries: int
    cache_hits: int
    cache_misses: int
    #: Tokens that named a key which is not known, by the name of the TokenIssuer.
    unknown_keys: Mapping[str, int]


class Metrics:
    """The metrics of this process, in a registry of their own."""

    def __init__(
        self,
        tally: Tally,
        clients: Mapping[str, ClientView],
        access: AccessTable,
        read: Callable[[], Reading] | None = None,
    ) -> None:
        """``clients`` by UID: series of others are left out. ``read`` may be set later, before the first scrape."""
        self._tally = tally
        self._clients = clients
        self._access = access
        self._lock = asyncio.Lock()
        self.read = read
        self._effect = Histogram(
            _PREFIX + "event_to_effect_seconds",
            "Time from the arrival of a watch event of an ApiClient until checks obey it.",
            registry=None,
            buckets=_EFFECT_BUCKETS,
        )

        self._lag = Histogram(
            _PREFIX + "event_loop_lag_seconds",
            "By how much the event loop was late, measured 20 times a second: how long work keeps requests waiting.",
            registry=None,
            buckets=_LAG_BUCKETS,
        )

    def loop_was_late(self, seconds: float) -> None:
        """The event loop was late by so much."""
        self._lag.observe(seconds)

    def took_effect(self, seconds: float) -> None:
        """A watch event took so long from its arrival to its effect.

        The way to here cannot be measured here: the times that the API server writes have a resolution of a second.
        """
        self._effect.observe(seconds)

    async def render(self) -> bytes:
        """The exposition text; one at a time, so that however many scrape, checks go on."""
        async with self._lock:
            snapshot = _Snapshot(self._tally, self._clients, self._access, self.read() if self.read else None)
            return await asyncio.to_thread(self._render, snapshot)

    def _render(self, snapshot: "_Snapshot") -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self._effect)
        registry.register(self._lag)
        registry.register(snapshot)
        return generate_latest(registry)


class _Snapshot(Collector):
    """Copies of all numbers, so that another thread can read them."""

    def __init__(
        self, tally: Tally, clients: Mapping[str, ClientView], access: AccessTable, reading: Reading | None
    ) -> None:
        self._checks = {"check": Counter(tally.checks), "authz": Counter(tally.calls)}
        self._tokens = Counter(tally.tokens)
        self._introspections = Counter(tally.introspections)
        self._revocations = Counter(tally.revocations)
        self._crashes = tally.crashes
        self._denials = {uid: Counter(counts) for uid, counts in tally.denials.items()}
        self._uses, self._credential_uses = tally.last_uses(), tally.last_credential_uses()
        self._clients = clients
        there = (api for api in access.known() if api.there)
        self._calls = [(api.namespace, api.name, api.use.allowed, api.use.denied) for api in there]
        self._contract_uses = [(contract_key(view), used) for view, used in access.contract_uses(clients)]
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        yield self._all_checks()
        yield _by_outcome("tokens", "Token requests by outcome and reason.", "outcome", self._tokens)
        yield _by_outcome("introspections", "Introspections by outcome and reason.", "outcome", self._introspections)
        yield _by_outcome(
            "revocations", "Requests to revoke a token by outcome and reason.", "outcome", self._revocations
        )
        yield _counter("crashes", "Requests that ended in an unexpected error.", self._crashes)
        yield self._calls_of_apis()
        yield self._denials_of_clients()
        yield from self._last_use()
        yield self._last_use_of_contracts()
        if self._reading is not None:
            yield from _state(self._reading)

    def _all_checks(self) -> Metric:
        family = CounterMetricFamily(
            _PREFIX + "checks",
            "Checks of tokens (handler check) and of calls to Apis (authz) by verdict and reason.",
            labels=["handler", "verdict", "reason"],
        )
        for handler, counts in self._checks.items():
            for (verdict, reason), count in counts.items():
                family.add_metric([handler, verdict, reason], count)
        return family

    def _calls_of_apis(self) -> Metric:
        family = CounterMetricFamily(
            _PREFIX + "api_calls", "Calls to each Api by verdict.", labels=["api_namespace", "api", "verdict"]
        )
        for namespace, name, allowed, denied in self._calls:
            family.add_metric([namespace, name, "allow"], allowed)
            family.add_metric([namespace, name, "deny"], denied)
        return family

    def _denials_of_clients(self) -> Metric:
        family = CounterMetricFamily(
            _PREFIX + "client_denials",
            "Denials of each client by reason.",
            labels=["client_namespace", "client", "reason"],
        )
        for uid, counts in self._denials.items():
            view = self._clients.get(uid)
            if view is None:
                continue
            for reason, count in counts.items():
                family.add_metric([view.namespace, view.name, reason], count)
        return family

    def _last_use_of_contracts(self) -> Metric:
        family = GaugeMetricFamily(
            _PREFIX + "contract_last_use_timestamp_seconds",
            "When a call under the contract was last allowed by this replica.",
            labels=["contract_namespace", "contract"],
        )
        for (namespace, name), used in self._contract_uses:
            family.add_metric([namespace, name], used)
        return family

    def _last_use(self) -> Iterator[Metric]:
        clients = GaugeMetricFamily(
            _PREFIX + "client_last_use_timestamp_seconds",
            "When a token or a secret of the client was last accepted by this replica.",
            labels=["client_namespace", "client"],
        )
        credentials = GaugeMetricFamily(
            _PREFIX + "credential_last_use_timestamp_seconds",
            "When the credential was last accepted by this replica.",
            labels=["client_namespace", "client", "credential"],
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
    yield from _verification(reading)
    yield _lost_events(reading.lost_events)
    version = reading.applied.get(API_CLIENTS.plural, 0)
    yield _gauge("resource_version", "Everything of ApiClients up to this resourceVersion is applied.", version)
    text = "Everything of this kind up to this resourceVersion is applied."
    yield _by_kind("applied_resource_version", text, reading.applied)
    yield _by_kind("objects", "Objects that this replica knows.", reading.objects)
    yield _by_kind("unreadable_objects", "Objects that cannot be read, and so deny.", reading.unreadable)
    yield _gauge("clients", "Clients that this replica knows.", reading.clients)
    yield _refused_namespaces(reading.refused_namespaces)
    yield _gauge("keys_damaged", "1 if the keys Secret is missing or damaged.", float(reading.keys_damaged))
    yield _gauge("signature_cache_entries", "Tokens in the cache of verified signatures.", reading.cache_entries)
    yield _counter("signature_cache_hits", "Look-ups that found a verified signature.", reading.cache_hits)
    yield _counter("signature_cache_misses", "Look-ups that did not.", reading.cache_misses)
    unknown = CounterMetricFamily(
        _PREFIX + "issuer_unknown_keys", "Tokens of a TokenIssuer with a key that nobody knows.", labels=["issuer"]
    )
    for issuer, count in reading.unknown_keys.items():
        unknown.add_metric([issuer], count)
    yield unknown


def _verification(reading: Reading) -> Iterator[Metric]:
    age = math.nan if reading.verified_age is None else reading.verified_age
    text = "For how long a yes has rested on an object without that it was verified; not a number without verification."
    yield _gauge("verified_age_seconds", text, age)
    yield _gauge("objects_to_verify", "Objects on which a yes has rested since they were verified.", reading.to_verify)
    outcomes = Counter({(outcome.value, ""): count for outcome, count in reading.verifications.items()})
    yield _by_outcome("verifications", "Objects read again, by what was found.", "outcome", outcomes, reasons=False)
    age = math.nan if reading.verified_token_age is None else reading.verified_token_age
    text = "For how long a token has been used without that it was verified not to be revoked; not a number as above."
    yield _gauge("verified_token_age_seconds", text, age)
    yield _gauge(
        "tokens_to_verify", "Tokens used since they were verified not to be revoked.", reading.tokens_to_verify
    )
    text = "Tokens that were used and are not verified before they are used again: too many were waiting."
    yield _counter("tokens_passed_over", text, reading.tokens_passed_over)


def _lost_events(lost: Mapping[tuple[str, Where], int]) -> Metric:
    family = CounterMetricFamily(
        _PREFIX + "lost_events",
        "Changes that a watch did not deliver and a list or a read found, by where they were lost.",
        labels=["kind", "where"],
    )
    for kind in dict.fromkeys(kind for kind, _ in lost):
        for where in Where:
            family.add_metric([kind, where], lost.get((kind, where), 0))
    return family


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


def _refused_namespaces(refused: Sequence[tuple[str, str]]) -> Metric:
    family = GaugeMetricFamily(
        _PREFIX + "refused_namespaces",
        "1 for a namespace whose clients are all refused: it is over its budget, or has too many holds.",
        labels=["client_namespace", "reason"],
    )
    for namespace, reason in refused:
        family.add_metric([namespace, reason], 1)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)
