"""The operator's metrics."""

import aiohttp
from prometheus_client import generate_latest

from apiclients.controllers import health
from apiclients.controllers.attention import Attention
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


async def test_metrics_can_be_asked_for_by_name() -> None:
    metrics = OperatorMetrics()
    metrics.issued("First")
    attention = Attention()
    metrics.registry.register(attention)
    stalled = {"type": "Stalled", "status": "True", "reason": "SecretConflict"}
    attention.note(("team-a", "billing"), {"status": {"conditions": [stalled]}})
    runner = await health.serve("127.0.0.1", 0, metrics.registry, lambda: None)
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
        async with aiohttp.ClientSession() as session:
            names = "name[]=apiclient_operator_credentials_issued_total&name[]=apiclient_operator_clients_stalled"
            async with session.get(f"{url}?{names}") as response:
                some = await response.text()
            async with session.get(url) as response:
                everything = await response.text()
    finally:
        await runner.cleanup()
    assert _families(some) == {"apiclient_operator_credentials_issued_total", "apiclient_operator_clients_stalled"}
    assert _families(some) < _families(everything)


def _families(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
