"""What people and pipelines read: conditions in every situation, and what a clock that is wrong may not do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from apiclients.lifecycle.client import decide
from apiclients.lifecycle.steps import CreateSecret
from apiclients.resources.conditions import Reason
from apiclients.resources.reasons import REASONS
from tests.lifecycle.status_checks import faults, kstatus
from tests.lifecycle.world import DAY, HOUR, START, World, available

SECOND = timedelta(seconds=1)


def told(world: World) -> tuple[str, str, str, str]:
    assert faults(world.typed_status, world.generation) == []
    return world.told("Ready"), world.told("Reconciling"), world.told("Stalled"), world.told("Active")


SITUATIONS: list[tuple[str, Callable[[], World], tuple[str, str, str, str], str]] = [
    # situation, how it comes about, (Ready, Reconciling, Stalled, Active), what kstatus reads
    ("available", available, ("True/Available", "-", "-", "True/Available"), "Current"),
    (
        "suspended",
        lambda: available().desire("Suspended"),
        ("True/Suspended", "-", "-", "False/Suspended"),
        "Current",
    ),
    ("retired", lambda: available().desire("Retired"), ("True/Retired", "-", "-", "False/Retired"), "Current"),
    (
        "expired and manual",
        lambda: available(secret__rotation="Manual").wait(100 * DAY),
        ("False/Expired", "-", "True/Expired", "True/Expired"),
        "Failed",
    ),
    (
        "renewBefore not below lifetime",
        lambda: available().edit(secret__lifetime="48h", secret__renewBefore="48h"),
        ("False/InvalidSpec", "-", "True/InvalidSpec", "True/Available"),
        "Failed",
    ),
    (
        "overlap not below lifetime",
        lambda: available().edit(secret__lifetime="48h", secret__overlap="72h"),
        ("False/InvalidSpec", "-", "True/InvalidSpec", "True/Available"),
        "Failed",
    ),
    (
        "not obeyable from the start",
        lambda: World().edit(secret__lifetime="48h", secret__overlap="72h"),
        ("False/InvalidSpec", "-", "True/InvalidSpec", "False/Pending"),
        "Failed",
    ),
    (
        "suspended with a spec that cannot be obeyed",
        lambda: available().edit(desiredStatus="Suspended", secret__lifetime="1h", secret__overlap="1h"),
        ("False/InvalidSpec", "-", "True/InvalidSpec", "False/Suspended"),
        "Failed",
    ),
    (
        "somebody else's Secret",
        lambda: available().put_foreign(),
        ("False/SecretConflict", "-", "True/SecretConflict", "True/Available"),
        "Failed",
    ),
]


@pytest.mark.rule(24)
@pytest.mark.parametrize(("make", "expected", "read"), [s[1:] for s in SITUATIONS], ids=[s[0] for s in SITUATIONS])
def test_each_situation_reads_as_the_table_says(
    make: Callable[[], World], expected: tuple[str, str, str, str], read: str
) -> None:
    world = make()
    world.settle()
    assert told(world) == expected
    assert kstatus(world.typed_status, world.generation) == read


@pytest.mark.rule(24)
def test_an_object_that_nobody_has_seen_yet_is_in_progress() -> None:
    assert kstatus(World().typed_status, generation=1) == "InProgress"


@pytest.mark.rule(24)
def test_a_spec_that_cannot_be_obeyed_leaves_the_last_good_state_and_says_what_to_change() -> None:
    world = available()
    world.edit(secret__lifetime="48h", secret__overlap="72h", secret__revision=2).request_rotation("now").settle()
    assert len(world.issued) == 1
    stalled = world.condition("Stalled")
    assert stalled is not None
    assert "spec.secret.overlap (72h) must be less than spec.secret.lifetime (48h)" in stalled.message
    world.edit(secret__overlap="1h").settle()
    assert (len(world.issued), world.told("Ready")) == (2, "True/Available")


@pytest.mark.rule(24)
@pytest.mark.parametrize(
    "need",
    [lambda w: w.edit(secret__revision=2), lambda w: w.secrets.clear(), lambda w: w.wait(80 * DAY)],
    ids=["revision", "missing", "age"],
)
def test_a_step_that_failed_never_ends_in_ready(need: Callable[[World], object]) -> None:
    world = available()
    need(world)
    world.settle(refuse=lambda step: True)
    assert told(world)[:3] == ("False/WriteFailed", "True/WriteFailed", "-")
    assert kstatus(world.typed_status, world.generation) == "InProgress"
    world.settle()
    assert told(world)[0] == "True/Available"


@pytest.mark.rule(24)
def test_a_client_whose_first_secret_cannot_be_written_is_pending() -> None:
    world = World()
    world.settle(refuse=lambda step: True)
    assert told(world) == ("False/WriteFailed", "True/WriteFailed", "-", "False/Pending")


@pytest.mark.rule(24)
def test_a_failure_of_any_length_fits_into_a_condition() -> None:
    world = available().edit(secret__revision=2)
    status = decide(world.observe(), world.now, failure="x" * 100_000).status
    assert faults(status, world.generation) == []


@pytest.mark.rule(24)
def test_a_transition_time_moves_only_when_the_status_of_a_condition_flips() -> None:
    world = available()
    world.wait(HOUR).edit(secret__revision=2).settle()
    ready = world.condition("Ready")
    assert ready is not None
    assert ready.last_transition_time == START
    assert ready.observed_generation == 2
    world.wait(HOUR).desire("Suspended").settle()
    active = world.condition("Active")
    assert active is not None
    assert active.last_transition_time == world.now


@pytest.mark.rule(24)
def test_ready_speaks_of_a_missing_secret_only_where_it_is_needed() -> None:
    world = available().desire("Suspended")
    world.settle()
    world.secrets.clear()
    world.settle()
    assert world.told("Ready") == "True/Suspended"
    assert world.told("SecretReady") == "False/SecretMissing"


@pytest.mark.rule(24)
@pytest.mark.parametrize(
    ("change", "waits_for"),
    [
        (lambda world: world.desire("Suspended"), "is issued once the client is available."),
        (lambda world: world.edit(secret__lifetime="1h", secret__overlap="1h"), "is issued once spec can be obeyed."),
        (lambda world: setattr(world, "clock_trusted", False), "is issued once the clock can be trusted."),
        (lambda world: None, "is being issued."),
    ],
    ids=["suspended", "spec", "clock", "refused"],
)
def test_a_missing_secret_is_told_with_what_a_new_one_waits_for(
    change: Callable[[World], object], waits_for: str
) -> None:
    world = available()
    world.settle()
    change(world)
    world.secrets.clear()
    world.settle(refuse=lambda step: isinstance(step, CreateSecret))
    assert world.told("SecretReady") == "False/SecretMissing"
    missing = world.condition("SecretReady")
    assert missing is not None
    assert missing.message == f"Secret billing-credentials is not there. A new one {waits_for}"


def test_every_reason_that_is_told_is_in_the_list() -> None:
    assert set(REASONS) == set(Reason)


# Rule 26: a clock that disagrees with the API server's.

IRREVERSIBLE: list[tuple[str, Callable[[], World]]] = [
    ("first secret", World),
    ("first secret while suspended", lambda: World().desire("Suspended")),
    ("age", lambda: available().wait(80 * DAY)),
    ("expiry", lambda: available().wait(100 * DAY)),
    ("revision", lambda: available().edit(secret__revision=2)),
    ("request", lambda: available().request_rotation("now")),
    ("end of a grace period", lambda: retired_for(2 * DAY)),
    ("back after a grace period", lambda: retired_for(2 * DAY).desire("Available")),
    ("begin of a grace period", lambda: available().desire("Retired")),
    ("begin and end of a grace period", lambda: available(retirement__gracePeriod="0s").desire("Retired")),
    ("status wiped", lambda: available().wipe_status()),
]


def retired_for(span: timedelta) -> World:
    world = available().desire("Retired")
    world.settle()
    return world.wait(span)


@pytest.mark.rule(26)
@pytest.mark.parametrize("make", [m for _, m in IRREVERSIBLE], ids=[name for name, _ in IRREVERSIBLE])
def test_with_a_wrong_clock_nothing_irreversible_is_done_and_that_is_told(make: Callable[[], World]) -> None:
    world = make()
    before = (len(world.issued), set(world.secrets), world.not_before, world.status.get("retirement"))
    world.clock_trusted = False
    world.settle()
    assert (len(world.issued), set(world.secrets), world.not_before, world.status.get("retirement")) == before
    assert told(world)[:3] == ("False/ClockSkew", "True/ClockSkew", "-")
    assert world.due == world.now + timedelta(seconds=30)
    world.clock_trusted = True
    world.settle()
    assert world.told("Ready").startswith("True/")


@pytest.mark.rule(26)
def test_a_wrong_clock_cannot_shorten_a_grace_period() -> None:
    world = available().desire("Retired")
    world.clock_trusted = False
    right = world.now
    world.wait(-30 * DAY).settle()
    assert world.observed == "Retired"
    world.now, world.clock_trusted = right, True
    world.settle()
    assert world.secrets
    world.desire("Available").settle()
    assert len(world.issued) == 1


@pytest.mark.rule(5)
@pytest.mark.rule(26)
def test_a_wrong_clock_ends_no_overlap() -> None:
    world = available().edit(secret__revision=2)
    world.settle()
    world.clock_trusted = False
    world.wait(3 * DAY).settle()
    world.clock_trusted = True
    world.wait(-3 * DAY).settle()
    assert world.token(b"secret-1")


@pytest.mark.rule(26)
@pytest.mark.parametrize("desired", ["Available", "Suspended", "Retired"])
def test_with_a_wrong_clock_a_client_without_anything_due_is_as_ever(desired: str) -> None:
    world = available().desire(desired)
    world.settle()
    world.clock_trusted = False
    world.settle()
    assert world.told("Ready") == f"True/{desired}"


@pytest.mark.rule(26)
def test_with_a_wrong_clock_a_suspension_is_still_obeyed() -> None:
    world = available().desire("Suspended")
    world.clock_trusted = False
    world.settle()
    assert told(world) == ("True/Suspended", "-", "-", "False/Suspended")


@pytest.mark.rule(26)
@pytest.mark.rule(10)
def test_without_a_time_to_begin_with_nothing_is_issued_or_accepted() -> None:
    world = available().wipe_status()
    world.clock_trusted = False
    world.settle()
    assert world.observed == "Pending"
    assert world.log_in() == "pending"


@pytest.mark.rule(26)
def test_a_manual_rotation_that_waits_for_the_clock_does_not_ask_for_what_was_done() -> None:
    world = available(secret__rotation="Manual").wait(100 * DAY)
    world.clock_trusted = False
    world.edit(secret__revision=2).settle()
    assert told(world)[:3] == ("False/ClockSkew", "True/ClockSkew", "-")
