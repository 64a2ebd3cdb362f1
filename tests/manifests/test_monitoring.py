"""Alerts and dashboard: each expression is PromQL, of metrics and labels that the programs export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from unittest.mock import Mock

import promql_parser
import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from apiclients.controllers.manager import Manager
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.engine.wakes import Wake, WakeReason
from apiclients.gate.main import Process
from apiclients.gate.state.refusals import NamespaceRefusals
from apiclients.kube.client import KubeClient
from apiclients.resources.refs import ObjectRef
from apiclients.settings.gate import GateSettings
from apiclients.settings.load import load
from apiclients.settings.operator import OperatorSettings
from tests.gate.support import CLIENT_ID, ISSUER, Caller, World, calling
from tests.manifests.rendered import MANIFESTS, ROOT, of_kind, render
from tests.toolkit.scraping import SCRAPERS

MONITORING = MANIFESTS / "monitoring"
RULES = [rule for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())


Labels = dict[str, set[str]]


def _panels() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield f"{panel['title']} {target['refId']}", target["expr"].replace("$__rate_interval", "5m")


EXPRESSIONS = {**{rule["alert"]: rule["expr"] for rule in RULES}, **dict(_panels())}


@dataclass
class Used:
    """What an expression asks for: metrics, and labels by which it selects and groups."""

    metrics: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)


def _used(expression: str) -> Used:
    used = Used()

    def look(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            used.metrics.add(str(node.name))
            used.labels |= {matcher.name for matcher in node.matchers.matchers}
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            used.labels |= set(node.modifier.labels)

    promql_parser.walk(promql_parser.parse(expression), look)
    return used


def _exported(text: str) -> Labels:
    """The names of all series in a scrape, with the names of their labels."""
    found: Labels = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _client() -> Mock:
    client = Mock(spec=KubeClient)
    client.clock = Mock(offset_seconds=0.0)
    return client


def _operator() -> Labels:
    """What the operator exports once it has done something of everything."""
    metrics = OperatorMetrics()
    manager = Manager(load(OperatorSettings, ["--issuer", ISSUER]), _client(), metrics)
    metrics.reconciled("ApiClient", "success", 0.1)
    metrics.woken(Wake(ObjectRef("ApiClient", "team-a", "billing"), WakeReason.DUE))
    metrics.requested("GET", "apiclients", 200, 0.1)
    metrics.issued("First")
    metrics.lost_event("ApiClient", "watch")
    metrics.healed("ApiClient")
    conditions = [
        {"type": "Stalled", "status": "True", "reason": "x"},
        {"type": "Ready", "status": "False", "reason": "x"},
    ]
    credentials = [{"state": "Current", "expiresTime": "2027-01-01T00:00:00Z"}]
    manager.cluster.attention.note(
        ("team-a", "billing"), {"status": {"conditions": conditions, "credentials": credentials}}
    )
    ends = {"spec": {"endTime": "2027-01-01T00:00:00Z"}, "status": {"observedStatus": "Active"}}
    manager.cluster.attention.note_contract(("team-a", "billing-orders"), ends)
    return _exported(generate_latest(metrics.registry).decode())


async def _gate(world: World, call: Caller, monkeypatch: pytest.MonkeyPatch) -> Labels:
    """What the gate exports: the state of a process, and the traffic of a gate that somebody calls."""
    monkeypatch.setattr(NamespaceRefusals, "now", lambda _: [("team-a", "over_budget")])
    process = Process(load(GateSettings, ["--issuer", ISSUER]), _client(), None)
    process._tally.crashes += 1
    await call.token()
    await call.token(auth=(CLIENT_ID, "wrong"))
    await call.check(world.token())
    state = _exported((await process._metrics.render()).decode())
    traffic = _exported((await world.metrics.render()).decode())
    return state | {name: labels | state.get(name, set()) for name, labels in traffic.items()}


@pytest.fixture
async def exported(monkeypatch: pytest.MonkeyPatch) -> Labels:
    world = World()
    async with calling(world) as call:
        return _operator() | await _gate(world, call, monkeypatch)


async def test_every_expression_asks_for_what_the_programs_export(exported: Labels) -> None:
    for name, expression in EXPRESSIONS.items():
        used = _used(expression)
        assert used.metrics, name
        for metric in used.metrics:
            assert metric in exported, f"{name}: nobody exports {metric}"
            unknown = used.labels - exported[metric] - SCRAPERS
            assert not unknown, f"{name}: {metric} has no label {unknown}"


async def test_texts_name_labels_that_the_alert_has(exported: Labels) -> None:
    """An aggregation keeps only what it groups by."""
    for rule in RULES:
        texts = " ".join(rule["annotations"].values())
        named = set(re.findall(r"\$labels\.(\w+)", texts))
        grouped = re.findall(r"\bby \(([^)]*)\)", rule["expr"])
        kept = {label.strip() for text in grouped for label in text.split(",")}
        own = set().union(*(exported[metric] for metric in _used(rule["expr"]).metrics))
        assert named <= (kept if grouped else own | SCRAPERS), rule["alert"]


def _counted(expression: str) -> list[promql_parser.VectorSelector]:
    """What an expression takes the increase of."""
    found: list[promql_parser.VectorSelector] = []

    def look(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.Call) and node.func.name == "increase":
            found.extend(argument.vector_selector for argument in node.args)

    promql_parser.walk(promql_parser.parse(expression), look)
    return found


async def test_what_alerts_count_is_exported_before_there_is_any() -> None:
    """`increase()` does not see the first of a series that begins at 1."""
    metrics = OperatorMetrics()
    Manager(load(OperatorSettings, ["--issuer", ISSUER]), _client(), metrics)
    gate = await Process(load(GateSettings, ["--issuer", ISSUER]), _client(), None)._metrics.render()
    scrapes = generate_latest(metrics.registry).decode() + gate.decode()
    series = [sample for family in text_string_to_metric_families(scrapes) for sample in family.samples]
    selectors = [selector for rule in RULES for selector in _counted(rule["expr"])]
    assert len(selectors) >= 4
    for selector in selectors:
        wanted = {(matcher.name, matcher.value) for matcher in selector.matchers.matchers}
        found = [sample.value for sample in series if sample.name == selector.name and wanted <= sample.labels.items()]
        assert found, selector.name
        assert set(found) == {0.0}, selector.name


def test_a_misspelled_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid promql"):
        promql_parser.parse("sum by (rate(x[5m]))")


def test_every_alert_has_a_severity_a_sentence_and_a_runbook() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert {"summary", "description", "runbook_url"} <= rule["annotations"].keys()
        page = ROOT / rule["annotations"]["runbook_url"]
        assert page.is_file(), rule["alert"]
        assert page.parent == ROOT / "docs" / "runbooks"


def test_the_dashboard_is_whole() -> None:
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert len({(place["x"], place["y"]) for place in places}) == len(places)
    for panel in DASHBOARD["panels"]:
        assert panel["type"] == "row" or (panel["description"] and panel["targets"]), panel["title"]


def test_monitors_find_the_services_and_their_ports() -> None:
    services = {service["metadata"]["name"]: service for service in of_kind(render(MANIFESTS / "base"), "Service")}
    for monitor in of_kind(render(MONITORING), "ServiceMonitor"):
        service = services.pop(monitor["metadata"]["name"])
        wanted = monitor["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= service["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert services == {}
