"""Objects that the API server accepts and this version cannot read: each costs itself, and nothing of it is lost."""

from typing import Any

import pytest

from tests.cluster.newer import Scene, others_of, without_conditions
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import condition, leads, metrics
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.rule(32)

#: What a newer version's objects may hold, by kind and name: the patch of status, and the value that is told.
UNKNOWN_STATUS: dict[tuple[str, str], tuple[JsonObject, str]] = {
    ("ApiClient", "billing"): ({"observedStatus": "Paused"}, "status.observedStatus: 'Paused' is not known"),
    ("Api", "orders"): ({"observedStatus": "Frozen"}, "status.observedStatus: 'Frozen' is not known"),
    ("Contract", "billing-orders"): ({"observedStatus": "Paused"}, "status.observedStatus: 'Paused' is not known"),
    ("ContractApproval", "yes"): ({}, "status.conditions[2].status: 'Perhaps' is not known"),
    ("ApiClientHold", "stop"): ({}, "status.conditions[2].status: 'Perhaps' is not known"),
}
VERIFIED = {"type": "Verified", "status": "Perhaps", "reason": "New", "lastTransitionTime": "2026-01-01T00:00:00.5z"}
UNKNOWN_SPEC: dict[tuple[str, str], tuple[JsonObject, JsonObject, str]] = {
    ("ApiClient", "billing"): (
        {"desiredStatus": "Dormant"},
        {"desiredStatus": "Available"},
        "spec.desiredStatus: 'Dormant' is not known",
    ),
    ("Api", "orders"): ({"desiredStatus": "Frozen"}, {"desiredStatus": "Published"}, "spec.desiredStatus: 'Frozen'"),
    ("ContractApproval", "yes"): ({"decision": "Perhaps"}, {"decision": "Approved"}, "spec.decision: 'Perhaps'"),
    ("ApiClientHold", "stop"): (
        {"clientName": None, "selector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}},
        {"clientName": "nobody", "selector": None},
        "spec.selector.matchExpressions[0].operator: 'Like' is not known",
    ),
}


def others_go_on(scene: Scene) -> None:
    """Another client, its contract and whoever is new are looked after."""
    client, contract = ("ApiClient", "other"), ("Contract", "other-orders")
    scene.patch_spec(*client, {"displayName": "Still looked after"})
    eventually(
        "the other client is reconciled",
        lambda: (obj := scene.get(*client))["status"]["observedGeneration"] == obj["metadata"]["generation"],
    )
    assert condition(scene.get(*contract), "Active")["status"] == "True"
    assert leads(scene.team.product.operator)


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize(("kind", "name"), UNKNOWN_STATUS, ids=lambda value: value)
def test_an_unknown_status_is_reported_and_stays(scene: Scene, kind: str, name: str, restart: bool) -> None:
    change, told = UNKNOWN_STATUS[kind, name]
    operator = scene.team.product.operator
    if restart:
        operator.stop()
    written = scene.patch_status(kind, name, change) if change else scene.add_condition(kind, name, VERIFIED)
    if restart:
        operator.start()
    found = scene.until_unreadable(kind, name)
    assert told in condition(found, "Stalled")["message"]
    assert condition(found, "Ready")["status"] == "False"
    assert without_conditions(found) == without_conditions(written)
    assert others_of(found) == others_of(written)
    others_go_on(scene)
    assert scene.get(kind, name)["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"], "said once"
    good = scene.before[kind, name]["status"]
    scene.patch_status(kind, name, {key: good.get(key) for key in change or ["conditions"]})
    after = scene.until(kind, name, "Ready", condition({"status": good}, "Ready")["status"])
    assert condition(after, "Stalled").get("reason") == condition({"status": good}, "Stalled").get("reason")
    assert without_conditions(after) == without_conditions(scene.before[kind, name])


@pytest.mark.parametrize(("kind", "name"), UNKNOWN_SPEC, ids=lambda value: value)
def test_an_unknown_spec_is_reported_and_the_status_stays(scene: Scene, kind: str, name: str) -> None:
    change, back, told = UNKNOWN_SPEC[kind, name]
    before = scene.get(kind, name)
    scene.patch_spec(kind, name, change)
    found = scene.until_unreadable(kind, name)
    assert told in condition(found, "Stalled")["message"]
    assert without_conditions(found) == without_conditions(before)
    assert others_of(found) == others_of(before)
    others_go_on(scene)
    scene.patch_spec(kind, name, back)
    after = scene.until(kind, name, "Ready", condition(before, "Ready")["status"])
    assert condition(after, "Stalled").get("reason") == condition(before, "Stalled").get("reason")


@pytest.mark.rule(3)
def test_the_tokens_of_a_client_live_again_when_it_can_be_read(scene: Scene) -> None:
    token, known = scene.token("billing"), scene.get("ApiClient", "billing")["status"]
    scene.until_calls(token, 200)
    scene.patch_status("ApiClient", "billing", {"observedStatus": "Paused"})
    scene.until_calls(token, 401)
    scene.until_unreadable("ApiClient", "billing")
    scene.patch_spec("ApiClient", "billing", {"displayName": "Edited meanwhile"})
    scene.until_unreadable("ApiClient", "billing")
    scene.patch_status("ApiClient", "billing", {"observedStatus": "Available"})
    scene.until_calls(token, 200)
    after = scene.until("ApiClient", "billing", "Ready", "True")["status"]
    assert (after["credentials"], after["tokens"], after["history"]) == (
        known["credentials"],
        known["tokens"],
        known["history"],
    )


@pytest.mark.parametrize(
    ("kind", "name", "change", "back"),
    [
        ("Contract", "billing-orders", {"observedStatus": "Paused"}, {"observedStatus": "Active"}),
        ("Api", "orders", {"observedStatus": "Frozen"}, {"observedStatus": "Published"}),
        ("ContractApproval", "yes", {"decision": "Perhaps"}, {"decision": "Approved"}),
        ("ApiClient", "billing", {"observedStatus": "Paused"}, {"observedStatus": "Available"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_calls_are_refused_and_no_contract_ends_meanwhile(
    scene: Scene, kind: str, name: str, change: JsonObject, back: JsonObject
) -> None:
    token, contract = scene.token("billing"), scene.get("Contract", "billing-orders")
    scene.until_calls(token, 200)
    patch = scene.patch_spec if kind == "ContractApproval" else scene.patch_status
    patch(kind, name, change)
    scene.until_calls(token, 401, 403)
    scene.until_unreadable(kind, name)
    scene.patch_spec("Contract", "billing-orders", {"plan": "gold"})
    others_go_on(scene)
    meanwhile = scene.get("Contract", "billing-orders")["status"]
    assert meanwhile["inForce"] == contract["status"]["inForce"]
    scene.patch_spec("Contract", "billing-orders", {"plan": "open"})
    patch(kind, name, back)
    scene.until_calls(token, 200)


@pytest.mark.rule(9)
def test_a_contract_that_cannot_be_read_holds_a_retirement_back(scene: Scene) -> None:
    token = scene.token("billing")
    scene.patch_status("Contract", "billing-orders", {"observedStatus": "Paused"})
    scene.until_unreadable("Contract", "billing-orders")
    scene.patch_spec("ApiClient", "billing", {"desiredStatus": "Retired"})
    held = scene.until("ApiClient", "billing", "Stalled", "True", "AcknowledgementRequired")
    assert "billing-orders" in condition(held, "Stalled")["message"]
    assert held["status"]["desiredStatus"] == "Available"
    scene.patch_status("Contract", "billing-orders", {"observedStatus": "Active"})
    scene.until_calls(token, 200)


@pytest.mark.parametrize(
    ("spec", "stopped"),
    [
        ({"clientName": "billing"}, {"billing"}),
        ({"selector": {"matchLabels": {"team": "nobody"}}}, {"billing", "other"}),
    ],
    ids=["named", "selecting"],
)
def test_a_hold_that_cannot_be_read_stops_whom_it_names_else_everybody(
    scene: Scene, spec: dict[str, Any], stopped: set[str]
) -> None:
    tokens = {client: scene.token(client) for client in ("billing", "other")}
    scene.apply("ApiClientHold", "newer", {**spec, "reason": "test", "expiresTime": "0000-01-01T00:00:00Z"})
    for client, token in tokens.items():
        scene.until_calls(token, 401 if client in stopped else 200)
        scene.until("ApiClient", client, "Active", "False" if client in stopped else "True")
    found = scene.until_unreadable("ApiClientHold", "newer")
    assert "spec.expiresTime: '0000-01-01T00:00:00Z'" in condition(found, "Stalled")["message"]
    scene.delete("ApiClientHold", "newer")
    for token in tokens.values():
        scene.until_calls(token, 200)


def test_nothing_of_all_this_counts_as_a_bug(scene: Scene) -> None:
    """What cannot be read is foreseen; the operator is the one that all tests above have had."""
    found = metrics(scene.team.product.operator)
    errors = {name: count for name, count in found.items() if "reconcile_total{" in name and 'result="error"' in name}
    assert errors, "the metric is there"
    assert not any(errors.values()), errors
