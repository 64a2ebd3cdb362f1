"""Last use, from the call at a gate to the status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from apiclients.resources.fields import parse_time
from apiclients.resources.names import USAGE_LEASE_SELECTOR
from demo.calls import ask_token, call
from demo.service import Service
from tests.cli.plugin import Plugin, install
from tests.toolkit.objects import SYSTEM, JsonObject
from tests.toolkit.product import Product, Team, url
from tests.toolkit.waiting import eventually, settled

RESOLUTION = timedelta(hours=1)
PLANS = [{"name": "basic", "scopes": ["orders.read"]}, {"name": "gold", "scopes": ["orders.read"]}]


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


def test_a_contract_says_when_it_was_last_used_and_so_does_a_plan_that_changes_it(
    team: Team, gate: Service, tmp_path: Path
) -> None:
    admin, billing, began = team.product.admin, team.declare("billing"), datetime.now(UTC)
    admin.apply("apis", team.namespace, "orders", {"desiredStatus": "Published", "plans": PLANS})
    spec = {"clientName": "billing", "api": {"namespace": team.namespace, "name": "orders"}, "plan": "basic"}
    admin.apply("contracts", team.namespace, "used", spec)

    def contract() -> JsonObject:
        return admin.get("contracts", team.namespace, "used")

    place = f"{url(gate)}/authz/{team.namespace}/orders"
    eventually("a call passes", lambda: call(place, billing.token()).status == 200)
    told = eventually("its use is reported", lambda: contract()["status"].get("lastUsedTime"))
    assert began - RESOLUTION <= parse_time(str(told)) <= datetime.now(UTC)
    version = contract()["metadata"]["resourceVersion"]
    eventually("another call passes", lambda: call(place, billing.token()).status == 200)
    assert settled("it is written once an hour", lambda: contract()["metadata"]["resourceVersion"] == version)

    plugin = Plugin(install(tmp_path), team.product.stage.cluster.kubeconfig, team.namespace)
    manifest = {**contract(), "spec": spec | {"plan": "gold"}, "metadata": {"name": "used"}}
    (tmp_path / "contract.yaml").write_text(yaml.safe_dump({k: v for k, v in manifest.items() if k != "status"}))
    assert "last used           less than an hour ago" in plugin.ok("plan", "-f", str(tmp_path / "contract.yaml"))
    assert "used <1h ago" in plugin.ok("status", "billing")
    assert plugin.ok("contracts", "--unused", "0s", "-o", "name").split() == ["contract.apiclients.dev/used"]
    assert plugin.ok("contracts", "--unused", "2h", "-o", "name") == ""
    admin.delete("contracts", team.namespace, "used")
    billing.wait("none is active", lambda obj: obj["status"]["contracts"]["active"] == 0)
