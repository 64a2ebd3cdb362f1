"""A client from its first line to its plan, by what the plugin prints: ``create``, ``approve``, ``reject``."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from tests.cli.declared import declare_api
from tests.cli.plugin import Plugin
from tests.toolkit.product import Product, Team
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.cluster


def pending(team: Team, api: str) -> str:
    """What waits for an Api."""
    return team.kubectl("get", "api", api, "-o", "jsonpath={.status.pendingContracts[*].name}")


def test_from_the_first_line_to_the_plan(team: Team, plugin: Plugin, tmp_path: Path) -> None:
    declare_api(team, "orders", {"name": "basic"}, {"name": "gold", "approval": "Manual"})
    asked = plugin.run(
        "create", "billing", "--owner", "team@example.com", "--contract", f"{team.namespace}/orders:gold"
    )
    assert asked.returncode == 0
    assert "billing-orders (plan gold of Api" in asked.stderr
    team.kubectl("apply", "-f", "-", input=asked.stdout)
    eventually("it waits for approval", lambda: pending(team, "orders") == "billing-orders")
    assert "already" in plugin.fails("create", "billing")

    assert "billing-orders of billing: plan gold" in plugin.fails("approve")
    made = plugin.ok("approve", "billing-orders")
    (tmp_path / "approval.yaml").write_text(made)
    team.kubectl("apply", "-f", str(tmp_path / "approval.yaml"))
    team.kubectl("wait", "contract/billing-orders", "--for=condition=Active", "--timeout=60s")
    again = plugin.run("approve", f"{team.namespace}/billing-orders")
    assert (again.returncode, again.stdout) == (0, "")
    assert "says so already" in again.stderr

    patch = plugin.ok("reject", "billing-orders", "--reason", "The quota is used up: wait", "-f", str(tmp_path))
    assert "-  decision: Approved" in patch
    assert '+  reason: "The quota is used up: wait"' in patch
    rejected = yaml.safe_load(plugin.ok("reject", "billing-orders", "--reason", "Used up", "-f", str(Path(__file__))))
    assert rejected["spec"]["decision"] == "Rejected"
    team.kubectl("apply", "-f", "-", input=yaml.safe_dump(rejected))
    team.kubectl("wait", "contract/billing-orders", "--for=jsonpath={.status.observedStatus}=Rejected", "--timeout=60s")
    assert "give one for this with --reason" in plugin.fails("approve", "billing-orders")


def test_the_owner_of_an_api_needs_no_right_where_the_contract_is(team: Team, plugin: Plugin, running: Product) -> None:
    """By what waits in the status of the Api."""
    consumer = f"{team.namespace}-consumer"
    team.kubectl("create", "namespace", consumer)
    api = {"apiVersion": "apiclients.dev/v1alpha1", "kind": "Api", "metadata": {"name": "orders"}}
    plans = [{"name": "gold", "approval": "Manual"}]
    api["spec"] = {"desiredStatus": "Published", "consumers": {"from": "All"}, "plans": plans}
    team.kubectl("apply", "-f", "-", input=yaml.safe_dump(api))
    there = dataclasses.replace(plugin, namespace=consumer)
    team.product.stage.cluster.kubectl(
        "apply", "-f", "-", input=there.ok("create", "billing", "--contract", f"{team.namespace}/orders:gold")
    )
    eventually("it waits for approval", lambda: pending(team, "orders") == "billing-orders")

    team.kubectl("create", "serviceaccount", "owner")
    account = f"--serviceaccount={team.namespace}:owner"
    team.kubectl("create", "rolebinding", "owner", "--clusterrole=apiclient-api-owner", account)
    config = running.stage.cluster.service_account_kubeconfig(team.namespace, "owner")
    owner = dataclasses.replace(plugin, kubeconfig=config)
    made = owner.ok("approve", f"{consumer}/billing-orders", "--reason", "Agreed")
    team.kubectl("apply", "-f", "-", input=made)
    words = ("wait", "-n", consumer, "contract/billing-orders", "--for=condition=Active", "--timeout=60s")
    team.product.stage.cluster.kubectl(*words)
    refused = owner.fails("approve", f"{consumer}/other")
    assert "you may not read it" in refused
    assert "Nothing waits for approval" in refused
