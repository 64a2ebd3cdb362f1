"""The operator's metrics."""

from prometheus_client import generate_latest

from apiclients.controllers.metrics import OperatorMetrics
from apiclients.engine.wakes import Wake, WakeReason
from apiclients.resources.refs import ObjectRef
from tests.toolkit.scraping import SCRAPERS, labels_in


def test_labels_are_those_of_no_scraper() -> None:
    metrics = OperatorMetrics()
    metrics.reconciled("ApiClient", "success", 0.1)
    metrics.woken(Wake(ObjectRef("ApiClient", "team-a", "billing"), WakeReason.DUE))
    metrics.requested("GET", "apiclients", 200, 0.1)
    metrics.issued("First")
    labels = labels_in(generate_latest(metrics.registry).decode())
    assert labels >= {"kind", "result", "reason", "verb", "resource", "code", "cause", "version"}
    assert not labels & SCRAPERS
