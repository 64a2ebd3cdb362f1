"""The operator's metrics. Labels never name a credential or a secret."""

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from apiclients import __version__
from apiclients.controllers.lanes import Lane
from apiclients.engine.wakes import Wake
from apiclients.kube.single_reads import Where

_PREFIX = "apiclient_operator"
_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


class OperatorMetrics:
    """All metrics of one operator process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)  # so that every collector can be asked for by name
        info = Gauge(f"{_PREFIX}_build_info", "Version of the operator.", ["version"], registry=self.registry)
        info.labels(version=__version__).set(1)
        self.leading = Gauge(f"{_PREFIX}_leading", "1 while this replica leads.", registry=self.registry)
        self._reconciles = Counter(
            f"{_PREFIX}_reconcile",
            "Reconciles by result: success, retry, or error for a bug.",
            ["kind", "result"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            f"{_PREFIX}_reconcile_duration_seconds",
            "Time of one reconcile.",
            ["kind"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._wakes = Counter(
            f"{_PREFIX}_wakes", "Objects to look at again, by what changed.", ["kind", "reason"], registry=self.registry
        )
        self._requests = Counter(
            f"{_PREFIX}_api_requests",
            "Requests to the API server.",
            ["verb", "resource", "code"],
            registry=self.registry,
        )
        self._issued = Counter(
            f"{_PREFIX}_credentials_issued", "Secrets issued, by cause.", ["cause"], registry=self.registry
        )
        self._enforced = Histogram(
            f"{_PREFIX}_enforcement_duration_seconds",
            "From the operator's first look at a desired status or hold until it saw that all gates obey it.",
            ["effect"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.overlaps_unused = Counter(
            f"{_PREFIX}_overlaps_unused",
            "Overlaps that have ended in which nobody used the previous secret, as far as gates have reported.",
            registry=self.registry,
        )
        self._lost = Counter(
            f"{_PREFIX}_lost_events",
            "Changes that no watch delivered and a read from etcd found, by where they were lost.",
            ["kind", "where"],
            registry=self.registry,
        )
        self._healed = Counter(
            f"{_PREFIX}_healed",
            "Statuses written again so that every watcher hears of what the API server's watch cache had lost.",
            ["kind"],
            registry=self.registry,
        )
        self.missed = Counter(
            f"{_PREFIX}_missed_changes",
            "Changes that a list found and the watch did not deliver until the next list.",
            registry=self.registry,
        )

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is computed when it is asked for."""
        Gauge(f"{_PREFIX}_{name}", text, registry=self.registry).set_function(value)

    def gauge_by_lane(self, name: str, text: str, value: Callable[[Lane], float]) -> None:
        """A gauge for each lane of the work queue, computed when it is asked for."""
        gauge = Gauge(f"{_PREFIX}_{name}", text, ["lane"], registry=self.registry)
        for lane in Lane:
            gauge.labels(lane.label).set_function(partial(value, lane))

    def begin_at_zero(self, kind: str) -> None:
        """Export what alerts watch before there is any: `increase()` does not see a series that begins at 1."""
        self._reconciles.labels(kind, "error")
        for where in Where:
            self._lost.labels(kind, where)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """Count one reconcile."""
        self._reconciles.labels(kind, result).inc()
        self._seconds.labels(kind).observe(seconds)

    def woken(self, wake: Wake) -> None:
        """Count one object that has to be looked at again."""
        self._wakes.labels(wake.ref.kind, wake.reason).inc()

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:  # noqa: ARG002 - signature
        """Count one request to the API server."""
        self._requests.labels(verb, resource, str(code)).inc()

    def enforced(self, seconds: float, refused: bool) -> None:
        """All gates obey: they refuse a client, or let it in."""
        self._enforced.labels("refuse" if refused else "admit").observe(seconds)

    def lost_event(self, kind: str, where: str) -> None:
        """Count a change of which no watch told."""
        self._lost.labels(kind, where).inc()

    def healed(self, kind: str) -> None:
        """Count a status that was written again."""
        self._healed.labels(kind).inc()

    def issued(self, cause: str) -> None:
        """Count a secret that was issued."""
        self._issued.labels(cause).inc()
