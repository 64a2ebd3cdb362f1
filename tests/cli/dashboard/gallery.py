"""A cluster with something of everything, for looking at the pages: pictures in docs/ and tests of all pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from apiclients.resources.fields import format_time
from tests.cli import samples
from tests.cli.dashboard.scene import Objects
from tests.cli.samples import JsonObject

#: Every page, by the name of its picture.
PAGES = {
    "clients": "/",
    "none": "/?q=nobody",
    "client": "/clients/team-a/billing-1.0",
    "held": "/clients/team-b/checkout-2.1",
    "rotate": "/clients/team-a/billing-1.0/rotate",
    "plan": "/contracts/team-a/invoices/plan?to=gold",
    "suspend": "/clients/team-a/billing-1.0/suspend",
    "retire": "/clients/team-a/billing-1.0/retire",
    "delete": "/clients/team-a/billing-1.0/delete",
    "approvals": "/approvals",
    "gates": "/gates",
    "timeline": "/timeline",
    "graph": "/graph",
    "neighbours": "/graph?client=team-a/billing-1.0",
    "missing": "/nothing",
}

_OTHERS = {
    "reports-1.0": ("team-a", "reports@example.com", {"desiredStatus": "Suspended"}, {"desiredStatus": "Suspended"}),
    "search-3.2": ("team-a", "search@example.com", {}, {"lastUsedTime": format_time(samples.ago(hours=5))}),
    "checkout-2.1": ("team-b", "checkout@example.com", {}, {"lastUsedTime": format_time(samples.ago(hours=1))}),
    "mobile-7.0": ("team-b", "mobile@example.com", {}, {"lastUsedTime": format_time(samples.ago(days=3))}),
    "invoicing-1.4": ("team-b", "billing@example.com", {}, {}),
    "assistant": ("team-c", "agents@example.com", {}, {}),
    "warehouse-1.0": ("team-c", "stock@example.com", {}, {"lastUsedTime": format_time(samples.ago(days=95))}),
    "tracking-2.0": ("team-c", "stock@example.com", {}, {}),
}
_LIFETIMES = {"mobile-7.0": 81, "warehouse-1.0": 91}
_MANIFEST = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata:
  name: billing-1.0
  namespace: team-a
spec:
  desiredStatus: Available
  client: billing
  version: "1.0"
  owner: billing@example.com
  secret: {revision: 1}
---
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata:
  name: invoices
  namespace: team-a
spec:
  clientName: billing-1.0
  api: {namespace: orders, name: invoices}
  plan: basic
"""


async def furnish(objects: Objects, repository: Path) -> None:
    """Put everything there, and the manifests of one client into the repository."""
    for name in ("invoices", "ledger", "stock"):
        await objects.put("apis", samples.api(name))
    await _billing(objects)
    for name, (namespace, owner, spec, status) in _OTHERS.items():
        await objects.put("apiclients", _client(name, namespace, owner, spec, status))
    waiting = _client("checkout-1.9", "team-b", "checkout@example.com", {}, {})
    await objects.put("apiclients", not_enforced(waiting, samples.ago(seconds=40)))
    held = samples.hold("leak", client_name="checkout-2.1", reason="Key found in a public repository")
    await objects.put("apiclientholds", _in(held, "team-b"))
    await objects.put("leases", samples.lease(samples.ago(seconds=3)))
    for gate in _gates():
        await objects.put("leases", gate)
    (repository / "clients").mkdir()
    (repository / ".git").mkdir()
    (repository / "clients" / "billing.yaml").write_text(_MANIFEST)


def _gates() -> list[JsonObject]:
    """One that is up to date, one that is behind, and one that is gone."""
    return [
        samples.gate_lease("gate-7d9f-2hx4k", applied=(10**6, 10**6)),
        samples.gate_lease("gate-7d9f-9qv7m", proved=1, applied=(10**6, 10)),
        samples.gate_lease("gate-6c41-x8r2p", renewed=260, proved=261, version="0.9.0"),
    ]


def not_enforced(client: JsonObject, since: datetime) -> JsonObject:
    """A client whose holds one of two gates has not applied yet."""
    status = client["status"]
    stamp = format_time(since)
    condition = {
        "type": "Enforced",
        "status": "False",
        "reason": "Waiting",
        "message": "1 of 2 gates; it waits for gate-7d9f-9qv7m.",
        "lastTransitionTime": stamp,
    }
    enforcement = {"generation": 3, "gates": 1, "livingGates": 2, "seenTime": stamp, "holdsVersion": "100"}
    conditions = [one for one in status["conditions"] if one["type"] != "Enforced"]
    return {**client, "status": {**status, "conditions": [*conditions, condition], "enforcement": enforcement}}


async def _billing(objects: Objects) -> None:
    """A client in the middle of things."""
    known = samples.busy()
    owner = samples.client(status=_stored(known.client.status))
    made = [
        samples.contract("invoices", in_force="basic"),
        samples.contract("ledger", plan="gold", in_force="basic"),
        samples.contract("stock", plan="gold"),
    ]
    contracts = [samples.decided_contract(one, owner, ()) for one in made]
    for contract in contracts:
        await objects.put("contracts", contract)
    await objects.put("apiclients", samples.decided_client(owner, contracts, (), samples.ago(hours=2)))
    for event in known.events:
        await objects.put("events", event)
    await objects.put("contracts", _in(_asks("assistant-orders", "assistant", "ledger"), "team-c"))


def _stored(status: Any) -> JsonObject:
    stored: JsonObject = status.to_object()
    return stored


def _asks(name: str, client: str, api: str) -> JsonObject:
    """A contract of another client that waits for plan gold."""
    owner = samples.client(client)
    raw = samples.contract(api, plan="gold")
    raw["spec"]["clientName"] = client
    made = samples.decided_contract(raw, owner, ())
    return {**made, "metadata": {**made["metadata"], "name": name}}


def _client(name: str, namespace: str, owner: str, spec: JsonObject, status: JsonObject) -> JsonObject:
    issued = samples.ago(days=_LIFETIMES.get(name, 20))
    known = {"credentials": [samples.credential(1, issued)], **status}
    made = samples.client(name, owner=owner, client=name.partition("-")[0], status=known, **spec)
    return _in(samples.decided_client(made, (), (), samples.NOW - timedelta(minutes=5)), namespace)


def _in(obj: JsonObject, namespace: str) -> JsonObject:
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}
