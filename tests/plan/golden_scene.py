"""One pull request with a bit of everything, on a cluster with a hold, drift and workloads: what golden files show."""

from __future__ import annotations

from datetime import timedelta

from apiclients.plan.core import plan
from apiclients.plan.live import Workload, live_state
from apiclients.plan.manifests import SourceFile, Tree, read_all
from apiclients.plan.model import Plan
from apiclients.resources.fields import format_time
from tests.plan.support import NOW, acknowledging, api, approval, client, contract, hold, live_of, tree

_BASE = (
    client("billing", owner="billing@example.com"),
    contract("billing-orders"),
    contract("billing-payments", to="payments", under="manual"),
    client("batch"),
    contract("batch-orders", "batch"),
    client("reports"),
    client("legacy"),
    client("storefront", version="1.0"),
    contract("storefront-orders", "storefront"),
    client("mobile"),
    client("stopped", "Suspended"),
)
_HEAD = (
    client("billing", "Retired", owner="billing@example.com", **acknowledging("billing-orders", "billing-old")),
    contract("billing-orders"),
    contract("billing-payments", to="payments", under="manual"),
    client("batch", "Suspended"),
    contract("batch-orders", "batch"),
    client("reports", tokens={"lifetime": "1h"}, secret={"revision": 2}),
    client("storefront-web", version="1.0"),
    contract("storefront-orders", "storefront-web", under="platinum"),
    client("mobile", "Retired", description="A | strange `text` with <b>markup</b> for @everybody ::error::"),
    client("stopped"),
    hold("mobile-stop", "mobile"),
)
_ELSEWHERE = (
    api(),
    api("payments"),
    approval("yes", "billing-payments", to="payments"),
    hold("night-shift", "stopped", expiresTime="2026-03-02T10:00:00Z"),
)
_BROKEN = "apiVersion: apiclients.dev/v1alpha1\nkind: ApiClient\nmetadata: {name: broken\n"
_WORKLOADS = (
    Workload("Deployment", "team-a", "web", ("billing-credentials", "storefront-credentials")),
    Workload("CronJob", "team-a", "nightly", ("mobile-credentials",)),
)


def golden_plan() -> Plan:
    """The plan."""
    live = live_of(*_BASE, *_ELSEWHERE, now=NOW - timedelta(minutes=10))
    objects = [dict(obj) for obj in live.objects.values()]
    for obj in objects:
        if obj["metadata"]["name"] == "reports":
            obj["spec"] = {**obj["spec"], "owner": "set by hand"}
        if obj["metadata"]["name"] == "billing" and obj["kind"] == "ApiClient":
            obj["status"] = {**obj["status"], "lastUsedTime": format_time(NOW - timedelta(hours=3, minutes=20))}
        if obj["metadata"]["name"] == "storefront-orders":
            obj["status"] = {**obj["status"], "lastUsedTime": format_time(NOW - timedelta(minutes=20))}
    live = live_state(
        objects,
        source="cluster prod-eu",
        taken_time=NOW - timedelta(seconds=38),
        namespace_labels=live.namespace_labels,
        workloads=_WORKLOADS,
    )
    head = tree("feature (9ab03d1)", *_HEAD, path="clients/team-a.yaml")
    broken = SourceFile("clients/broken.yaml", _BROKEN)
    base, other = read_all([tree("main (4f2c1e9)", *_BASE, path="clients/team-a.yaml"),
                            Tree(head.label, (*head.files, broken))])  # fmt: skip
    return plan(base, other, live, NOW)
