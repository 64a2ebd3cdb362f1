"""Builds manifests, live states and plans for the tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import yaml

from apiclients.plan.core import plan
from apiclients.plan.forecast import forecast
from apiclients.plan.live import LiveState, Workload, live_state
from apiclients.plan.manifests import Manifests, SourceFile, Tree, read_all
from apiclients.plan.model import Entry, Plan
from apiclients.plan.world import World
from apiclients.resources.names import API_VERSION
from apiclients.resources.objects import AnyObject

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
JsonObject = dict[str, Any]


def obj(kind: str, namespace: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> JsonObject:
    """One manifest."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": dict(spec),
    }


def client(name: str = "billing", status: str = "Available", *, namespace: str = "team-a", **spec: Any) -> JsonObject:
    """An ApiClient."""
    return obj("ApiClient", namespace, name, {"desiredStatus": status, **spec})


def api(name: str = "orders", status: str = "Published", *, namespace: str = "shop", **spec: Any) -> JsonObject:
    """An Api that every namespace may contract, with an automatic and a manual plan."""
    plans = [{"name": "gold"}, {"name": "manual", "approval": "Manual"}]
    return obj("Api", namespace, name, {"desiredStatus": status, "consumers": {"from": "All"}, "plans": plans, **spec})


def contract(
    name: str = "billing-orders",
    of: str = "billing",
    to: str = "orders",
    under: str = "gold",
    *,
    namespace: str = "team-a",
    provider: str = "shop",
) -> JsonObject:
    """A Contract."""
    spec = {"clientName": of, "api": {"namespace": provider, "name": to}, "plan": under}
    return obj("Contract", namespace, name, spec)


def approval(
    name: str = "yes",
    of: str = "billing-orders",
    decision: str = "Approved",
    *,
    by: str = "billing",
    to: str = "orders",
    under: str = "manual",
    namespace: str = "shop",
    consumer: str = "team-a",
) -> JsonObject:
    """A ContractApproval."""
    named = {"namespace": consumer, "name": of}
    return obj(
        "ContractApproval",
        namespace,
        name,
        {"contract": named, "client": by, "api": to, "plan": under, "decision": decision},
    )


def hold(name: str = "stop", of: str | None = "billing", *, namespace: str = "team-a", **spec: Any) -> JsonObject:
    """An ApiClientHold."""
    target = {"clientName": of} if of is not None else {}
    return obj("ApiClientHold", namespace, name, {**target, "reason": "leaked key", **spec})


def acknowledging(*names: str, grace: str | None = None) -> JsonObject:
    """The part of a spec that acknowledges contracts."""
    return {"retirement": {"acknowledgedContracts": list(names)} | ({"gracePeriod": grace} if grace else {})}


def tree(label: str, *objects: JsonObject, path: str = "clients/all.yaml") -> Tree:
    """Objects as one file."""
    return Tree(label, (SourceFile(path, yaml.safe_dump_all(objects, sort_keys=False)),))


def read(*trees: Tree) -> list[Manifests]:
    """Trees as manifests."""
    return read_all(trees)


@dataclass(frozen=True)
class Scene:
    """A cluster in which ``base`` was applied, and a change of the manifests."""

    base: tuple[JsonObject, ...]
    head: tuple[JsonObject, ...]
    #: Objects that are live without standing in the manifests.
    elsewhere: tuple[JsonObject, ...] = ()
    workloads: tuple[Workload, ...] | None = ()
    now: datetime = NOW

    @property
    def live(self) -> LiveState:
        """What the operator has made of base, and of what is elsewhere."""
        return live_of(*self.base, *self.elsewhere, workloads=self.workloads)

    def plan(self) -> Plan:
        """The plan with the live state."""
        base, head = read(tree("base", *self.base), tree("head", *self.head))
        return plan(base, head, self.live, self.now)

    def blind_plan(self) -> Plan:
        """The plan on manifests alone."""
        base, head = read(tree("base", *self.base), tree("head", *self.head))
        return plan(base, head, None, self.now)


def live_of(
    *objects: JsonObject, now: datetime = NOW, workloads: Iterable[Workload] | None = (), namespaces: Any = None
) -> LiveState:
    """A live state as the operator's decisions leave it."""
    return _live(world_after((), objects, None, now), now, workloads, namespaces)


def live_through(*steps: tuple[JsonObject, ...], now: datetime = NOW) -> LiveState:
    """A live state after several states of the manifests were applied one after the other."""
    live = live_of(*steps[0], now=now)
    for before, after in pairwise(steps):
        live = _live(world_after(before, after, live, now), now, (), None)
    return live


def planned(base: tuple[JsonObject, ...], head: tuple[JsonObject, ...], live: LiveState | None) -> Plan:
    """The plan for a live state that is not just what base makes."""
    one, other = read(tree("base", *base), tree("head", *head))
    return plan(one, other, live, NOW)


def _live(world: World, now: datetime, workloads: Iterable[Workload] | None, namespaces: Any) -> LiveState:
    raws = [raw(found) for name, found in sorted(world.objects.items()) if name not in world.assumed]
    labels = {name.namespace: {"kubernetes.io/metadata.name": name.namespace} for name in world.objects}
    return live_state(
        raws,
        source="cluster test",
        taken_time=now,
        namespace_labels=labels,
        workloads=workloads,
        namespaces=namespaces,
    )


def raw(found: AnyObject) -> JsonObject:
    """An object as the API server would hand it out."""
    meta = found.metadata
    metadata = {
        "name": meta.name,
        "namespace": meta.namespace,
        "uid": meta.uid,
        "generation": meta.generation,
        "resourceVersion": "1",
        "creationTimestamp": "2026-02-01T00:00:00Z",
        "labels": dict(meta.labels),
        "annotations": dict(meta.annotations),
    }
    body: JsonObject = {
        "apiVersion": API_VERSION,
        "kind": type(found).__name__,
        "metadata": metadata,
        "spec": found.spec.to_object(),
        "status": found.status.to_object(),
    }
    copied: JsonObject = json.loads(json.dumps(body))
    return copied


def entry(made: Plan, name: str, kind: str = "ApiClient") -> Entry:
    """The entry of an object; there must be exactly one."""
    (found,) = [one for one in made.entries if (one.object.kind, one.object.name) == (kind, name)]
    return found


def rules(made: Plan) -> set[str]:
    """The rules of new findings."""
    return {finding.rule for finding in made.new_findings}


def world_after(base: Iterable[JsonObject], head: Iterable[JsonObject], live: LiveState | None, now: datetime) -> World:
    """The world that plan foresees."""
    one, other = read(tree("base", *base), tree("head", *head))
    return forecast(one, other, live, now).after
