"""The operator's indexes: what they count, and whom a change concerns."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from apiclients.controllers.cluster import Cluster
from apiclients.controllers.lanes import Lane
from apiclients.engine.wakes import Wake
from apiclients.resources.apiclient import MAX_CONTRACTS
from apiclients.resources.refs import ObjectRef
from tests.lifecycle.parties import granted, raw_api, raw_approval, raw_client, raw_contract, raw_hold

CLIENT, API = ObjectRef("ApiClient", "team-a", "billing"), ObjectRef("Api", "shop", "orders")
CONTRACT, APPROVAL = ObjectRef("Contract", "team-a", "billing-orders"), ObjectRef("ContractApproval", "shop", "yes")
HOLD = ObjectRef("ApiClientHold", "team-a", "leak")


class Heard:
    """A world and what it asks to be looked at again."""

    def __init__(self, *objects: tuple[str, dict[str, Any]]) -> None:
        self.again: set[ObjectRef] = set()
        self.soon: set[ObjectRef] = set()
        #: The first lane in which each was asked for by the last change.
        self.lanes: dict[ObjectRef, Lane] = {}
        self.cluster = Cluster(self._wake)
        self._version = 0
        for store, obj in objects:
            self.put(store, obj)

    def _wake(self, wake: Wake, lane: Lane) -> None:
        (self.again if wake.urgent else self.soon).add(wake.ref)
        self.lanes[wake.ref] = min(lane, self.lanes.get(wake.ref, lane))

    def put(self, store: str, obj: dict[str, Any], *, own: bool = False) -> set[ObjectRef]:
        """What is heard of one change, urgent or not."""
        self._forget()
        self._version += 1
        changed = copy.deepcopy(obj)
        changed["metadata"]["resourceVersion"] = str(self._version)
        getattr(self.cluster, store).put(changed, own=own)
        return self.again | self.soon

    def remove(self, store: str, obj: dict[str, Any]) -> set[ObjectRef]:
        self._forget()
        getattr(self.cluster, store).remove((obj["metadata"]["namespace"], obj["metadata"]["name"]))
        return self.again | self.soon

    def _forget(self) -> None:
        self.again.clear()
        self.soon.clear()
        self.lanes.clear()


def status(obj: dict[str, Any], observed: str, reason: str = "Active") -> dict[str, Any]:
    ready = {"type": "Ready", "reason": reason, "status": "True", "lastTransitionTime": "2026-03-01T10:00:00Z"}
    return obj | {"status": {"observedStatus": observed, "conditions": [ready]}}


EVERYBODY = (
    ("clients", raw_client()),
    ("apis", raw_api()),
    ("contracts", raw_contract()),
    ("approvals", raw_approval("basic", "Rejected")),
    ("holds", raw_hold()),
)


@pytest.mark.parametrize(
    ("store", "change", "concerned"),
    [
        ("clients", lambda o: o["spec"].update(desiredStatus="Retired"), {CLIENT, CONTRACT}),
        ("clients", lambda o: o["status"].update(desiredStatus="Retired"), {CLIENT, CONTRACT}),
        ("clients", lambda o: o["status"].update(observedStatus="Expired"), {CLIENT}),
        ("clients", lambda o: o["metadata"].update(labels={"a": "b"}), {CLIENT}),
        ("clients", lambda o: o["spec"].update(displayName="Another"), {CLIENT}),
        ("clients", lambda o: o["metadata"].update(uid="new"), {CLIENT, CONTRACT, HOLD}),
        ("clients", lambda o: o["metadata"].update(deletionTimestamp="2026-03-01T10:00:00Z"), {CLIENT, CONTRACT}),
        ("apis", lambda o: o["spec"].update(consumers={"from": "Same"}), {API, CONTRACT}),
        ("apis", lambda o: o["status"].update(desiredStatus="Retired"), {API, CONTRACT}),
        ("apis", lambda o: o["status"].update(contracts={"active": 1}), {API}),
        ("contracts", lambda o: o["spec"].update(plan="platinum"), {CONTRACT, API, APPROVAL}),
        ("approvals", lambda o: o["spec"].update(decision="Approved"), {APPROVAL, CONTRACT}),
        ("approvals", lambda o: o["spec"].update(plan="gold"), {APPROVAL, CONTRACT}),
        ("approvals", lambda o: o["metadata"].update(labels={"a": "b"}), {APPROVAL}),
        ("apis", lambda o: o["spec"]["plans"][0].update(scopes=["orders.all"]), {API}),
        ("holds", lambda o: o["spec"].update(reason="Another"), {HOLD, CLIENT}),
        ("holds", lambda o: o["status"].update(stoppedCount=1), {HOLD}),
    ],
)
def test_whom_a_change_concerns(
    store: str, change: Callable[[dict[str, Any]], object], concerned: set[ObjectRef]
) -> None:
    heard = Heard(*EVERYBODY)
    obj = copy.deepcopy(dict(EVERYBODY)[store])
    change(obj)
    assert heard.put(store, obj) == concerned


@pytest.mark.parametrize(
    ("store", "concerned"),
    [
        ("clients", {CLIENT, CONTRACT, HOLD}),
        ("apis", {API, CONTRACT}),
        ("contracts", {CONTRACT, CLIENT, API, APPROVAL}),
        ("approvals", {APPROVAL, CONTRACT}),
        ("holds", {HOLD, CLIENT}),
    ],
)
def test_whom_a_deletion_concerns(store: str, concerned: set[ObjectRef]) -> None:
    assert Heard(*EVERYBODY).remove(store, dict(EVERYBODY)[store]) == concerned


def test_an_own_write_concerns_everybody_but_its_object() -> None:
    heard = Heard(*EVERYBODY)
    assert heard.put("contracts", status(raw_contract(), "Active"), own=True) == {CLIENT, API, APPROVAL}


def test_a_contract_that_moves_concerns_both_sides_and_its_rivals() -> None:
    rival = raw_contract("rival")
    moved = granted(raw_contract())
    heard = Heard(*EVERYBODY, ("contracts", moved), ("contracts", status(rival, "Inactive", "Conflict")))
    moved = copy.deepcopy(moved)
    moved["spec"] |= {"clientName": "other", "api": {"namespace": "bank", "name": "loans"}}
    rival_item, other = ObjectRef("Contract", "team-a", "rival"), ObjectRef("ApiClient", "team-a", "other")
    assert heard.put("contracts", moved) == {
        CONTRACT, CLIENT, API, APPROVAL, rival_item, other, ObjectRef("Api", "bank", "loans")
    }  # fmt: skip
    assert heard.cluster.relations.contracts.counts(("shop", "orders")).pending == 0
    assert heard.cluster.relations.contracts.counts(("bank", "loans")).active == 1


def test_counts_are_not_urgent_and_what_comes_into_force_is() -> None:
    heard = Heard(*EVERYBODY)
    heard.put("contracts", status(raw_contract(), "PendingApproval"))
    assert heard.soon == {API, CLIENT}
    heard.put("contracts", status(raw_contract(), "Active"))
    assert heard.soon - heard.again == {API}
    heard.put("contracts", status(raw_contract(), "Rejected"))
    assert heard.soon - heard.again == {API}


def test_labels_of_a_namespace_concern_its_contracts() -> None:
    heard = Heard(*EVERYBODY)
    heard.again.clear()
    heard.cluster.namespace_changed("team-a")
    assert heard.again == {CONTRACT}


def test_who_is_one_too_many_is_looked_at_when_another_contract_ends() -> None:
    """Nothing else would ever tell it that there is room."""
    many = [status(raw_contract(f"c-{n:03}"), "Active") for n in range(MAX_CONTRACTS)]
    for number, contract in enumerate(many):
        contract["spec"]["api"] = {"namespace": "shop", "name": f"api-{number}"}
    extra = status(raw_contract("extra"), "Inactive", "TooManyContracts")
    heard = Heard(*(("contracts", contract) for contract in [*many, extra]))
    item = ObjectRef("Contract", "team-a", "extra")
    assert item in heard.remove("contracts", many[0])
    assert item not in heard.remove("contracts", many[1]), "there was room already"
    assert item in Heard(*(("contracts", c) for c in [*many, extra])).put(
        "contracts", status(many[0], "Inactive", "ApiRetired")
    )
    for ended in many[:2]:
        made_again = copy.deepcopy(ended)
        made_again["metadata"]["uid"] += "-again"
        heard.put("contracts", made_again)
    moved = copy.deepcopy(many[2])
    moved["spec"]["clientName"] = "other"
    assert item in heard.put("contracts", moved)


@pytest.mark.rule(32)
def test_a_bug_with_one_object_costs_that_object(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    put = heard.cluster.relations.put

    def stumbling(ref: ObjectRef, view: Any, *, readable: bool = True) -> Any:
        if ref == CLIENT:
            raise RuntimeError("secret-canary")
        return put(ref, view, readable=readable)

    monkeypatch.setattr(heard.cluster.relations, "put", stumbling)
    assert heard.put("clients", raw_client()) == {CLIENT}, "it is reconciled all the same, which says what is wrong"
    assert heard.put("contracts", raw_contract()) == {CONTRACT, CLIENT, API}
    assert heard.cluster.bugs == 1
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text
