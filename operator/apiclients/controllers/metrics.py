"""The operator's metrics. Labels never name a credential or a secret."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from apiclients import __version__
from apiclients.lifecycle.steps import CreateSecret, ReplaceSecret, Step

_PREFIX = "apiclient_operator"
_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


class OperatorMetrics:
    """All metrics of one operator process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        info = Gauge(f"{_PREFIX}_build_info", "Version of the operator.", ["version"], registry=self.registry)
        info.labels(version=__version__).set(1)
        self.leading = Gauge(f"{_PREFIX}_leading", "1 while this replica leads.", registry=self.registry)
        self._reconciles = Counter(
            f"{_PREFIX}_reconcile", "Reconciles by result.", ["kind", "result"], registry=self.registry
        )
        self._seconds = Histogram(
            f"{_PREFIX}_reconcile_duration_seconds",
            "Time of one reconcile.",
            ["kind"],
            buckets=_SECONDS,
            registry=self.registry,
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
        self.missed = Counter(
            f"{_PREFIX}_missed_changes", "Changes that a watch missed and a list found.", registry=self.registry
        )

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is computed when it is asked for."""
        Gauge(f"{_PREFIX}_{name}", text, registry=self.registry).set_function(value)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """Count one reconcile."""
        self._reconciles.labels(kind, result).inc()
        self._seconds.labels(kind).observe(seconds)

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:  # noqa: ARG002 - signature
        """Count one request to the API server."""
        self._requests.labels(verb, resource, str(code)).inc()

    def stepped(self, step: Step) -> None:
        """Count an issued secret."""
        if isinstance(step, CreateSecret | ReplaceSecret):
            self._issued.labels(step.stamp.cause).inc()
