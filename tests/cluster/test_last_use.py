"""Last use, from the call at a gate to the status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apiclients.resources.fields import parse_time
from apiclients.resources.names import USAGE_LEASE_SELECTOR
from demo.calls import ask_token
from demo.service import Service
from tests.toolkit.objects import SYSTEM
from tests.toolkit.product import Product, Team
from tests.toolkit.waiting import eventually, settled

RESOLUTION = timedelta(hours=1)


@pytest.fixture
def gate(product: Product) -> Iterator[Service]:
    """One more gate, which reports often."""
    started = product.stage.gate(6, options=["--usage-interval", "1"]).start()
    yield started
    started.stop()


def test_a_status_says_when_client_and_secret_were_last_used_and_stays_while_nothing_changes(
    team: Team, gate: Service
) -> None:
    billing, idle = team.declare("billing"), team.declare("idle")
    team.product.until_secret_works(billing.credentials())  # at the other gates, which report later
    endpoint = f"{str(gate.ready_url).removesuffix('/readyz')}/token"
    began = datetime.now(UTC)
    credentials = billing.credentials()
    credentials = replace(credentials, token_endpoint=endpoint)
    eventually("the gate issues a token", lambda: ask_token(credentials).status == 200)

    told = billing.wait("is reported", lambda obj: "lastUsedTime" in obj["status"])["status"]
    times = [parse_time(told["lastUsedTime"]), parse_time(told["credentials"][0]["lastUsedTime"])]
    assert all(began - RESOLUTION <= time <= datetime.now(UTC) for time in times), told
    assert "lastUsedTime" not in idle.status()
    version = billing.until_enforced()["metadata"]["resourceVersion"]
    assert settled(
        "its status is written once an hour", lambda: billing.get()["metadata"]["resourceVersion"] == version
    )


def test_what_a_gate_has_not_reported_yet_it_reports_at_its_end(team: Team, product: Product) -> None:
    ending = product.stage.gate(6, options=["--usage-interval", "3600"]).start()
    billing = team.declare("billing")
    credentials = billing.credentials()
    endpoint = f"{str(ending.ready_url).removesuffix('/readyz')}/token"
    credentials = replace(credentials, token_endpoint=endpoint)
    eventually("the gate issues a token", lambda: ask_token(credentials).status == 200)
    assert ending.stop() == 0
    billing.wait("is reported", lambda obj: "lastUsedTime" in obj["status"])
    leases = [
        lease["metadata"]["name"] for lease in product.admin.list("leases", SYSTEM, labelSelector=USAGE_LEASE_SELECTOR)
    ]
    assert not [name for name in leases if "gate-6" in name]
