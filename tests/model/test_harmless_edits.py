"""An edit that changes no decision ends nothing that is in force, at no moment (rule 14)."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.api_server import ApiServer
from tests.model.control_plane import OperatorProcess
from tests.model.gate_view import GateView
from tests.model.histories import PutApi, PutApproval, PutClient, PutContract, PutHold, Step, render
from tests.model.replay import START, TICK

Object = dict[str, Any]
Edit = tuple[str, tuple[str, str], Callable[[Object, str], object]]

ORDERS = PutApi(("shop", "orders"), (("basic", "Automatic"), ("gold", "Manual"), ("plat", "Manual")))
CLIENT, OTHER = PutClient(("team-a", "c1")), PutClient(("team-a", "c2"))
GOLD = PutContract(("team-a", "k1"), "c1", ORDERS.key, "gold")
PLAT = PutContract(GOLD.key, "c1", ORDERS.key, "plat")
YES = PutApproval(("shop", "a1"), GOLD.key, "c1", "orders", "gold", "Approved")
HOLD = PutHold(("team-a", "h1"), "c2")
GRANTED = (ORDERS, CLIENT, OTHER, HOLD, GOLD, YES)

#: What has happened before the edit; in each the client may call under plan gold.
SCENES: dict[str, tuple[Step, ...]] = {
    "granted": GRANTED,
    "another plan is asked for": (*GRANTED, PLAT),
    "a plan that is not there is asked for": (*GRANTED, PutContract(GOLD.key, "c1", ORDERS.key, "silver")),
    "another plan was rejected": (
        *GRANTED,
        PLAT,
        PutApproval(("shop", "a2"), GOLD.key, "c1", "orders", "plat", "Rejected"),
    ),
    "a retirement is held": (*GRANTED, PutClient(CLIENT.key, desired="Retired")),
    "a retirement is held while another plan is asked for": (*GRANTED, PLAT, PutClient(CLIENT.key, desired="Retired")),
    "the Api's retirement is held while another plan is asked for": (
        *GRANTED,
        PLAT,
        PutApi(ORDERS.key, ORDERS.plans, desired="Retired"),
    ),
}


def spec(**fields: Any) -> Callable[[Object, str], object]:
    """Sets fields of spec that decide nothing, to another text each time."""
    return lambda obj, text: obj["spec"].update({name: f"{value} {text}" for name, value in fields.items()})


def metadata(obj: Object, text: str) -> None:
    """Any label and annotation that nothing selects by."""
    obj["metadata"].setdefault("labels", {})["note"] = text
    obj["metadata"].setdefault("annotations", {})["example.com/note"] = text


def turn_plans(obj: Object, _: str) -> None:
    obj["spec"]["plans"].reverse()


def offer_more(obj: Object, text: str) -> None:
    obj["spec"]["plans"].append({"name": f"p{len(obj['spec']['plans'])}", "approval": "Manual", "scopes": [text]})


EDITS: list[Edit] = [
    *((plural, key, metadata) for plural, key in (
        ("apiclients", CLIENT.key),
        ("apis", ORDERS.key),
        ("contracts", GOLD.key),
        ("contractapprovals", YES.key),
        ("apiclientholds", HOLD.key),
    )),
    ("apiclients", CLIENT.key, spec(displayName="Billing", description="Sends bills", owner="team", version="1.0")),
    ("apis", ORDERS.key, spec(displayName="Orders", version="v1")),
    ("apis", ORDERS.key, turn_plans),
    ("apis", ORDERS.key, offer_more),
    ("contractapprovals", YES.key, spec(reason="As agreed")),
    ("apiclientholds", HOLD.key, spec(reason="An emergency")),
]  # fmt: skip


class Watched(OperatorProcess):
    """An operator after each of whose reconciles something is checked."""

    check: Callable[[], None] = staticmethod(lambda: None)

    def _work(self, item: Any) -> None:
        super()._work(item)
        self.check()


class Scene:
    """A cluster in which a client may call, and what a gate answers about it."""

    def __init__(self, steps: tuple[Step, ...], seed: int) -> None:
        self.order = random.Random(seed)
        self.server = ApiServer(START)
        self.operator = Watched(self.server, self.order)
        for step in steps:
            self.server.now += TICK
            self.server.do(render(step, self.server.now))
            self.operator.settle()
        self.token = GateView(self.server).log_in(CLIENT.key)

    def edit(self, edit: Edit, text: str) -> None:
        plural, key, change = edit
        before = self.server.get(plural, key)
        after = copy.deepcopy(before)
        change(after, text)
        after["metadata"]["generation"] += before["spec"] != after["spec"]
        self.server.store(plural, after)

    def check(self) -> None:
        gate = GateView(self.server)
        assert self.token is not None
        assert gate.accepts(self.token)
        assert gate.answer(CLIENT.key, ORDERS.key) == "gold"
        assert gate.log_in(CLIENT.key) is not None
        status = self.server.get("contracts", GOLD.key)["status"]
        assert (status["observedStatus"], status["inForce"]["plan"]) == ("Active", "gold")


@pytest.mark.rule(14)
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("number", range(len(EDITS)))
def test_each_edit_in_each_scene(scene: str, number: int) -> None:
    _edit_and_check(Scene(SCENES[scene], number), [number], restarts=False)
    _edit_and_check(Scene(SCENES[scene], number), [number], restarts=True)


@pytest.mark.rule(14)
@given(st.sampled_from(sorted(SCENES)), st.lists(st.sampled_from(range(len(EDITS))), max_size=6), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_many_edits_in_any_order(scene: str, edits: list[int], seed: int) -> None:
    _edit_and_check(Scene(SCENES[scene], seed), edits, restarts=False)


def _edit_and_check(scene: Scene, edits: list[int], *, restarts: bool) -> None:
    scene.check()
    for count, number in enumerate(edits):
        scene.server.now += TICK
        scene.edit(EDITS[number], str(count))
        scene.check()
        if restarts:
            scene.operator = Watched(scene.server, scene.order)
        scene.operator.check = scene.check
        scene.operator.settle()
        scene.operator.check_quiet()
        scene.check()
