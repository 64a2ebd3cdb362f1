"""Who is woken when gates tell how far they are: those that no living gate is behind with, once, and nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiclients.controllers.waiting import Waiting
from apiclients.lifecycle.enforcement import Awaited, LivingGates, Reached, obeyed_by, reached
from apiclients.lifecycle.replicas import Replica
from apiclients.resources.refs import NamespacedName
from tests.lifecycle.fleet import lease
from tests.toolkit.objects import JsonObject

pytestmark = pytest.mark.rule(28)


class Scene:
    """A ``Waiting`` beside gates that tests set, and who it has woken."""

    def __init__(self, *gates: Replica) -> None:
        self.gates = gates
        self.woken: list[tuple[str, bool]] = []
        self.looks = 0
        self.waiting = Waiting(self._living, self._reached)

    def _living(self) -> LivingGates:
        self.looks += 1
        return LivingGates(self.gates)

    def _reached(self, keys: list[NamespacedName], urgent: bool) -> None:
        self.woken += [(name, urgent) for _, name in keys]

    def are(self, *gates: Replica) -> list[tuple[str, bool]]:
        """The gates tell; returns who was woken by it."""
        self.gates, self.woken = gates, []
        self.waiting.gates_moved()
        return self.woken

    def note(self, name: str, raw: JsonObject | None) -> None:
        self.waiting.note(("team-a", name), raw)


def waiting_client(
    version: int | None, *, observed: str = "Suspended", holds: int | None = None, own: int = 50, seen: str = "a"
) -> JsonObject:
    """A client whose status says what it waits for."""
    enforcement: JsonObject = {"seenTime": seen}
    if version is not None:
        enforcement["clientVersion"] = str(version)
    if holds is not None:
        enforcement["holdsVersion"] = str(holds)
    return {
        "metadata": {"uid": "u", "resourceVersion": str(own)},
        "status": {"observedStatus": observed, "enforcement": enforcement},
    }


def test_a_client_is_woken_once_no_gate_is_behind_and_once_only() -> None:
    scene = Scene(lease("a", 5), lease("b", 5))
    scene.note("billing", waiting_client(10))
    assert scene.are(lease("a", 10), lease("b", 9)) == []
    assert scene.are(lease("a", 10), lease("b", 10)) == [("billing", True)]
    assert scene.are(lease("a", 11), lease("b", 11)) == []
    scene.note("billing", None)
    assert len(scene.waiting) == 0


def test_gates_that_are_there_already_wake_at_once() -> None:
    scene = Scene(lease("a", 10))
    scene.note("billing", waiting_client(10))
    assert scene.woken == [("billing", True)]


def test_holds_are_waited_for_after_the_client() -> None:
    scene = Scene(lease("a", 5, 5))
    scene.note("billing", waiting_client(10, holds=20))
    assert scene.are(lease("a", 10, 19)) == []
    assert scene.are(lease("a", 10, 20)) == [("billing", True)]


def test_a_resumption_waits_for_the_status_and_for_ready_gates() -> None:
    scene = Scene(lease("a", 5))
    scene.note("billing", waiting_client(None, observed="Available", own=50))
    scene.note("billing", waiting_client(None, observed="Available", own=70))  # a label was changed: the same wait
    assert scene.waiting.version_of(("team-a", "billing")) == 50
    assert scene.are(lease("a", 60, ready=False)) == []
    assert scene.are(lease("a", 50)) == [("billing", True)]


def test_a_new_client_is_not_urgent() -> None:
    scene = Scene(lease("a", 5))
    scene.note("new", waiting_client(10, observed="Available"))
    assert scene.are(lease("a", 10)) == [("new", False)]


def test_renewals_cost_nothing_while_nobody_waits() -> None:
    scene = Scene(lease("a", 5))
    settled = waiting_client(10)
    settled["status"]["enforcement"]["time"] = "2026-03-01T10:00:00Z"
    for raw in (settled, {"metadata": {"uid": "u"}, "status": {"enforcement": "odd"}}, {"metadata": {}, "status": 1}):
        scene.note("billing", raw)
    assert scene.are(lease("a", 10)) == []
    assert scene.looks == 0


def test_whoever_was_woken_in_vain_is_woken_again_when_other_gates_live() -> None:
    scene = Scene(lease("a", 5, obeys=""))
    scene.note("billing", waiting_client(10))
    assert scene.are(lease("a", 10, obeys="")) == [("billing", True)]
    assert scene.are(lease("a", 11, obeys="")) == []
    assert scene.are(lease("a", 11)) == [("billing", True)]
    assert scene.are(lease("a", 11), lease("b", 9)) == []
    assert scene.are(lease("a", 11), lease("b", 12)) == [("billing", True)]


def test_waits_that_have_ended_do_not_pile_up() -> None:
    scene = Scene(lease("a", 5))
    for number in range(1000):
        scene.note("billing", waiting_client(10_000 + number, seen=str(number)))
    lanes = scene.waiting._lanes
    assert sum(map(len, lanes.values())) <= 2 + 64
    assert scene.are(lease("a", 20_000)) == [("billing", True)]


gates = st.lists(
    st.builds(
        lambda number, clients, holds, ready: lease(f"g{number}", clients, holds, ready=ready),
        st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.sampled_from([True, False, None]),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(gates, st.booleans(), st.integers(0, 9), st.integers(0, 9))
def test_what_is_reached_is_what_the_rule_says(found: list[Replica], refuses: bool, clients: int, holds: int) -> None:
    told = reached(LivingGates(tuple(found)), refuses=refuses)
    awaited = Awaited(refuses, clients, holds)
    by_rule = all(obeyed_by(gate, awaited) for gate in found)
    assert (clients <= told.clients and holds <= told.holds) is by_rule


def test_without_gates_nothing_is_reached() -> None:
    for refuses in (True, False):
        assert reached(LivingGates(), refuses=refuses) == Reached(-1, -1)
