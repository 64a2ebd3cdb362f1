"""What a person changed now is looked at first, and so is whom that concerns; crowds, echoes and counts are not."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import pytest

from apiclients.controllers.cluster import Cluster
from apiclients.controllers.lanes import Lane
from apiclients.controllers.urgency import MOST_ELSEWHERE
from apiclients.engine.wakes import Wake
from apiclients.kube.client import KubeClient
from apiclients.kube.objects import Page
from apiclients.resources.names import ROTATE_REQUESTED_ANNOTATION
from apiclients.resources.refs import ObjectRef
from tests.lifecycle.parties import raw_api, raw_approval, raw_client, raw_contract, raw_hold

JsonObject = dict[str, Any]
Edit = Callable[[JsonObject], object]

CLIENT, API = ObjectRef("ApiClient", "team-a", "billing"), ObjectRef("Api", "shop", "orders")
CONTRACT, APPROVAL = ObjectRef("Contract", "team-a", "billing-orders"), ObjectRef("ContractApproval", "shop", "yes")
HOLD = ObjectRef("ApiClientHold", "team-a", "leak")


def answered(obj: JsonObject, generation: int = 1) -> JsonObject:
    """An object whose status has said all that its spec asks for."""
    found = copy.deepcopy(obj)
    found["metadata"]["generation"] = generation
    found["status"] = {**found.get("status", {}), "observedGeneration": generation}
    return found


EVERYBODY = {
    "clients": answered(raw_client()),
    "apis": answered(raw_api()),
    "contracts": answered(raw_contract()),
    "approvals": answered(raw_approval("basic", "Rejected")),
    "holds": answered(raw_hold()),
}


class Heard:
    """A cluster in which everything is known and answered, and in which lane somebody is asked for."""

    def __init__(self, *without: str) -> None:
        self.lanes: dict[ObjectRef, Lane] = {}
        self.cluster = Cluster(self._wake)
        self._version = 100
        for store, obj in EVERYBODY.items():
            if store not in without:
                self.watch(store, obj)
        self.lanes.clear()

    def _wake(self, wake: Wake, lane: Lane) -> None:
        self.lanes[wake.ref] = min(lane, self.lanes.get(wake.ref, lane))

    def watch(self, store: str, obj: JsonObject, event: str | None = "MODIFIED") -> dict[ObjectRef, Lane]:
        """What the watch delivers; ``None`` is a list of kopf's."""
        getattr(self.cluster, store).take_event(event, self._stored(obj))
        return self.lanes

    def answer(self, store: str, obj: JsonObject) -> dict[ObjectRef, Lane]:
        """The answer to an own write."""
        getattr(self.cluster, store).put(self._stored(obj), own=True)
        return self.lanes

    def edit(self, store: str, change: Edit, *, generation: bool) -> dict[ObjectRef, Lane]:
        """A change by somebody else."""
        obj = copy.deepcopy(EVERYBODY[store])
        change(obj)
        obj["metadata"]["generation"] += int(generation)
        return self.watch(store, obj)

    def _stored(self, obj: JsonObject) -> JsonObject:
        self._version += 1
        stored = copy.deepcopy(obj)
        stored["metadata"]["resourceVersion"] = str(self._version)
        return stored


@pytest.mark.parametrize(
    ("store", "change", "first"),
    [
        ("clients", lambda o: o["spec"].update(desiredStatus="Retired"), {CLIENT, CONTRACT}),
        ("contracts", lambda o: o["spec"].update(plan="gold"), {CONTRACT, APPROVAL}),
        ("approvals", lambda o: o["spec"].update(decision="Approved"), {APPROVAL, CONTRACT}),
        ("holds", lambda o: o["spec"].update(clientName="other"), {HOLD, CLIENT}),
        ("apis", lambda o: o["spec"].update(consumers={"from": "Same"}), {API, CONTRACT}),
    ],
)
def test_an_edit_goes_first_and_so_does_whom_it_concerns(store: str, change: Edit, first: set[ObjectRef]) -> None:
    lanes = Heard().edit(store, change, generation=True)
    assert {ref for ref, lane in lanes.items() if lane is Lane.CHANGED} == first


@pytest.mark.parametrize(
    ("store", "first"),
    [
        ("clients", {CLIENT, CONTRACT}),
        ("contracts", {CONTRACT, APPROVAL}),
        ("approvals", {APPROVAL, CONTRACT}),
        ("holds", {HOLD, CLIENT}),
        ("apis", {API, CONTRACT}),
    ],
)
def test_a_deletion_goes_first_and_so_does_whom_it_concerns(store: str, first: set[ObjectRef]) -> None:
    lanes = Heard().watch(store, EVERYBODY[store], "DELETED")
    assert {ref for ref, lane in lanes.items() if lane is Lane.CHANGED} == first


@pytest.mark.parametrize(
    ("store", "first"), [("holds", {HOLD, CLIENT}), ("approvals", {APPROVAL, CONTRACT})], ids=["hold", "approval"]
)
def test_a_new_hold_or_approval_goes_first(store: str, first: set[ObjectRef]) -> None:
    new = EVERYBODY[store] | {"status": {"observedGeneration": -1}}
    lanes = Heard(store).watch(store, new, "ADDED")
    assert {ref for ref, lane in lanes.items() if lane is Lane.CHANGED} == first


@pytest.mark.parametrize(("store", "ref"), [("clients", CLIENT), ("contracts", CONTRACT), ("apis", API)])
def test_what_a_person_made_goes_behind_what_a_person_changed(store: str, ref: ObjectRef) -> None:
    new = EVERYBODY[store] | {"status": {"observedGeneration": -1}}
    lanes = Heard(store).watch(store, new, "ADDED")
    assert lanes[ref] is Lane.PENDING
    assert Lane.CHANGED not in lanes.values()


def test_a_request_to_rotate_goes_first_until_it_is_answered() -> None:
    asked = copy.deepcopy(EVERYBODY["clients"])
    asked["metadata"]["annotations"] = {ROTATE_REQUESTED_ANNOTATION: "now"}
    heard = Heard()
    assert heard.watch("clients", asked)[CLIENT] is Lane.CHANGED
    heard.lanes.clear()
    asked["status"]["lastHandledRotateRequest"] = "now"
    assert heard.watch("clients", asked)[CLIENT] is Lane.REST


@pytest.mark.parametrize("store", list(EVERYBODY))
def test_what_changes_nothing_that_was_asked_for_is_of_the_rest(store: str) -> None:
    """The echo of an own status that overtook the answer, and labels."""
    echo = Heard().edit(store, lambda obj: obj["status"].update(observedStatus="Whatever"), generation=False)
    labels = Heard().edit(store, lambda obj: obj["metadata"].update(labels={"a": "b"}), generation=False)
    assert set(echo.values()) | set(labels.values()) <= {Lane.REST}


def test_an_own_write_makes_nobody_else_urgent() -> None:
    active = EVERYBODY["contracts"] | {"status": {"observedGeneration": 1, "observedStatus": "Active"}}
    lanes = Heard().answer("contracts", active)
    assert CLIENT in lanes
    assert set(lanes.values()) == {Lane.REST}


class Lists:
    """An API server that lists one client."""

    def __init__(self, listed: JsonObject) -> None:
        self._listed = listed

    async def pages(self, *_: Any, **__: Any) -> AsyncGenerator[Page]:
        yield Page([self._listed], "10")


async def test_the_first_list_is_of_the_rest_and_what_changed_since_is_not() -> None:
    """kopf lists again after the operator's own first list: what is new in it was changed meanwhile."""
    lanes: dict[ObjectRef, Lane] = {}
    cluster = Cluster(lambda wake, lane: lanes.update({wake.ref: lane}))
    unseen = copy.deepcopy(raw_client())
    unseen["metadata"] |= {"resourceVersion": "7"}
    await cluster.clients.load(cast(KubeClient, Lists(unseen)))
    assert lanes == {CLIENT: Lane.REST}
    lanes.clear()
    cluster.clients.take_event(None, unseen)
    assert not lanes
    changed = copy.deepcopy(unseen)
    changed["metadata"] |= {"resourceVersion": "12", "generation": 3}
    changed["status"] = {"observedGeneration": 1}
    cluster.clients.take_event(None, changed)
    assert lanes == {CLIENT: Lane.CHANGED}


@pytest.mark.parametrize(
    ("consumers", "lane"), [(MOST_ELSEWHERE, Lane.CHANGED), (MOST_ELSEWHERE + 1, Lane.REST)], ids=["few", "a crowd"]
)
async def test_a_change_that_concerns_a_crowd_elsewhere_makes_it_wait(consumers: int, lane: Lane) -> None:
    heard = Heard("contracts")
    for number in range(consumers):
        contract = copy.deepcopy(EVERYBODY["contracts"])
        contract["metadata"] |= {"namespace": f"team-{number}", "uid": f"uid-{number}"}
        heard.watch("contracts", contract)
    heard.lanes.clear()
    heard.edit("apis", lambda api: api["spec"].update(consumers={"from": "Same"}), generation=True)
    await heard.cluster.backlog.drain()
    assert heard.lanes.pop(API) is Lane.CHANGED
    assert set(heard.lanes.values()) == {lane}
    assert len(heard.lanes) == consumers


async def test_a_hold_on_many_clients_of_its_namespace_makes_them_all_go_first() -> None:
    """They delay nobody but each other."""
    heard = Heard("clients", "holds")
    for number in range(5 * MOST_ELSEWHERE):
        client = copy.deepcopy(EVERYBODY["clients"])
        client["metadata"] |= {"name": f"c{number}", "uid": f"uid-{number}", "labels": {"tier": "gold"}}
        heard.watch("clients", client)
    heard.lanes.clear()
    hold = answered(raw_hold(selector={"matchLabels": {"tier": "gold"}}))
    heard.watch("holds", hold, "ADDED")
    await heard.cluster.backlog.drain()
    assert len(heard.lanes) == 5 * MOST_ELSEWHERE + 1
    heard.lanes.clear()
    heard.watch("holds", hold, "DELETED")
    await heard.cluster.backlog.drain()
    assert set(heard.lanes.values()) == {Lane.CHANGED}
    assert len(heard.lanes) == 5 * MOST_ELSEWHERE + 1


async def test_what_was_changed_while_no_operator_led_goes_before_what_was_never_seen() -> None:
    lanes: dict[ObjectRef, Lane] = {}
    cluster = Cluster(lambda wake, lane: lanes.update({wake.ref: lane}))
    resumed = answered(raw_client())
    resumed["metadata"] |= {"resourceVersion": "7", "generation": 2}
    await cluster.clients.load(cast(KubeClient, Lists(resumed)))
    assert lanes == {CLIENT: Lane.PENDING}
