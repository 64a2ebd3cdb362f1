"""History and Events: each transition once, and silence when nothing changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apiclients.lifecycle.history import announcements
from apiclients.resources.apiclient import MAX_HISTORY
from tests.lifecycle.world import DAY, HOUR, World, available


def events(world: World) -> list[tuple[bool, str]]:
    return [(event.warning, event.reason) for event in world.events]


@pytest.mark.rule(21)
def test_a_first_issue_is_told_by_exactly_one_event() -> None:
    assert events(available()) == [(False, "Available")]


@pytest.mark.rule(21)
@pytest.mark.parametrize(
    "given",
    [
        available,
        lambda: available().desire("Suspended"),
        lambda: available().desire("Retired"),
        lambda: available(secret__rotation="Manual").wait(100 * DAY),
        lambda: available().put_foreign(),
        lambda: available().edit(secret__revision=2),
    ],
    ids=["available", "suspended", "retired", "expired", "conflict", "overlap"],
)
def test_nothing_is_told_when_nothing_changed(given: Callable[[], World]) -> None:
    world = given()
    world.settle()
    before = len(world.events)
    world.settle()
    world.settle()
    assert len(world.events) == before
    assert announcements(world.typed_status, world.typed_status) == []


def test_a_whole_life_is_told_transition_by_transition() -> None:
    world = available()
    for desired in ("Suspended", "Available", "Retired"):
        world.wait(HOUR).desire(desired).settle()
    world.wait(2 * DAY).settle()
    world.wait(HOUR).desire("Available").settle()
    assert events(world) == [
        (False, "Available"),
        (False, "Suspended"),
        (False, "Available"),
        (False, "Retired"),
        (False, "Available"),
    ]
    assert [(h["from"], h["to"]) for h in world.status["history"]] == [
        ("Retired", "Available"),
        ("Available", "Retired"),
        ("Suspended", "Available"),
        ("Available", "Suspended"),
        ("Pending", "Available"),
    ]


def test_a_rotation_is_one_event_with_its_cause_and_no_transition() -> None:
    world = available().edit(secret__revision=2)
    world.settle()
    assert events(world)[1:] == [(False, "Rotated")]
    assert "cause: Revision" in world.events[-1].note
    assert len(world.status["history"]) == 1


@pytest.mark.rule(23)
def test_no_event_ever_holds_a_secret() -> None:
    world = available().edit(secret__revision=2)
    world.settle()
    world.edit_secret(b"forged-secret").settle()
    told = " ".join(event.note for event in world.events)
    assert "secret-1" not in told
    assert "secret-2" not in told
    assert "forged" not in told


@pytest.mark.rule(24)
def test_a_stall_is_one_warning_and_its_end_is_told_by_conditions_only() -> None:
    world = available().edit(secret__lifetime="1h", secret__overlap="1h")
    world.settle()
    world.wait(HOUR).settle()
    world.edit(secret__lifetime="2160h").settle()
    assert events(world)[1:] == [(True, "InvalidSpec")]


@pytest.mark.rule(24)
def test_an_expired_manual_secret_is_one_warning_that_says_what_to_do() -> None:
    world = available(secret__rotation="Manual").wait(100 * DAY)
    world.settle()
    assert events(world)[1:] == [(True, "Expired")]
    assert "change spec.secret.revision" in world.events[-1].note
    assert world.status["history"][0]["to"] == "Expired"


def test_history_names_the_manager_that_made_the_change() -> None:
    world = available()
    world.changed_by = "kubectl-edit"
    world.desire("Suspended").settle()
    assert world.status["history"][0] == {
        "time": "2026-03-01T10:10:00Z",
        "from": "Available",
        "to": "Suspended",
        "reason": "Suspended",
        "manager": "kubectl-edit",
    }


def test_what_the_clock_did_is_no_managers_doing() -> None:
    world = available(secret__rotation="Manual").wait(100 * DAY)
    world.settle()
    assert world.status["history"][0]["reason"] == "Expired"
    assert "manager" not in world.status["history"][0]
    assert world.status["history"][1]["manager"] == "flux"


def test_a_suspension_is_told_for_itself_while_something_else_is_stalled() -> None:
    world = available()
    world.settle()
    world.desire("Suspended").edit(secret__template={"labels": {"owner": "billing"}}).settle()
    assert world.told("Stalled") == "True/TemplateRefused"
    assert world.status["history"][0]["reason"] == "Suspended"
    assert events(world)[1:] == [(True, "TemplateRefused"), (False, "Suspended")]
    assert "template" not in world.events[-1].note


def test_history_is_bounded_and_keeps_the_newest() -> None:
    world = available()
    for count in range(MAX_HISTORY + 5):
        world.wait(HOUR).desire("Available" if count % 2 else "Suspended").settle()
    times = [entry["time"] for entry in world.status["history"]]
    assert len(times) == MAX_HISTORY
    assert times == sorted(times, reverse=True)
    assert times[0] == "2026-03-02T11:10:00Z"


@pytest.mark.rule(11)
def test_a_deletion_is_no_transition() -> None:
    world = available().delete()
    world.settle()
    assert len(world.status["history"]) == 1
    assert events(world) == [(False, "Available")]


def test_that_a_secret_comes_near_its_end_is_told_once_for_each_secret() -> None:
    world = available(secret__rotation="Manual", secret__lifetime="720h", secret__renewBefore="168h")
    for _ in range(2):
        before = len(world.events)
        world.wait(22 * DAY).settle()
        assert events(world)[before:] == []
        for _ in range(3):
            world.wait(DAY).settle()
        assert events(world)[before:] == [(True, "RotationDue")]
        world.edit(secret__revision=world.spec["secret"].get("revision", 1) + 1).settle()
        assert events(world)[before:] == [(True, "RotationDue"), (False, "Rotated")]


def test_a_secret_that_is_rotated_in_time_is_no_reminder() -> None:
    world = available(secret__lifetime="720h", secret__renewBefore="168h")
    world.wait(23 * DAY + HOUR).settle()
    assert events(world)[1:] == [(False, "Rotated")]
