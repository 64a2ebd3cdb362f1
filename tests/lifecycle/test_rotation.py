"""Rotation: what starts one, what does not, what it keeps, and when it has to wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.lifecycle.status_checks import kstatus
from tests.lifecycle.world import DAY, HOUR, START, World, available, pepper

SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.rule(5)


def cause(world: World) -> str:
    return world.typed_status.credentials[0].cause


CAUSES: list[tuple[str, Callable[[World], object]]] = [
    ("Age", lambda w: w.wait(76 * DAY)),
    ("Revision", lambda w: w.edit(secret__revision=0)),
    ("Request", lambda w: w.request_rotation("incident-7")),
    ("Missing", lambda w: w.secrets.clear()),
    ("Edited", lambda w: w.edit_secret(b"changed by hand")),
    ("Renamed", lambda w: w.edit(secret__name="elsewhere")),
]


@pytest.mark.parametrize(("told", "start"), CAUSES, ids=[name for name, _ in CAUSES])
def test_each_cause_rotates_exactly_once_and_keeps_client_id_and_tokens(
    told: str, start: Callable[[World], object]
) -> None:
    world = available()
    start(world)
    client_id, not_before = world.view().client_id, world.not_before
    world.settle()
    world.settle()
    assert len(world.issued) == 2
    assert cause(world) == told
    assert (world.view().client_id, world.not_before) == (client_id, not_before)
    assert world.told("Ready") == "True/Available"
    assert world.token(world.issued[1])


@pytest.mark.parametrize(("told", "start"), CAUSES, ids=[name for name, _ in CAUSES])
def test_the_previous_secret_stays_valid_for_the_overlap_unless_it_was_missing(
    told: str, start: Callable[[World], object]
) -> None:
    world = available()
    start(world)
    world.settle()
    if told == "Missing":
        assert world.log_in(b"secret-1") == "wrong_secret"
        assert world.told("SecretReady") == "True/Issued"
        return
    assert world.told("SecretReady") == "True/RotationOverlap"
    world.wait(DAY - SECOND).settle()
    assert world.token(b"secret-1")
    world.wait(SECOND)
    assert world.log_in(b"secret-1") == "secret_expired"
    world.settle()
    assert world.log_in(b"secret-1") == "wrong_secret"
    assert world.credential_ids == [2]


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.annotations.update({"argocd.argoproj.io/tracking-id": "x", "reconcile.fluxcd.io/requestedAt": "y"}),
        lambda w: w.edit(owner="someone else", description="new", version="2.0"),
        lambda w: w.edit(tokens__lifetime="1h"),
        lambda w: w.edit(secret__overlap="1h", secret__renewBefore="1h", secret__lifetime="100h"),
        lambda w: w.edit(secret__template={"labels": {"tier": "gold"}, "annotations": {"note": "b"}}),
        lambda w: w.edit(secret__name="billing-credentials"),
        lambda w: w.desire("Suspended").settle() and w.desire("Available"),
        lambda w: w.wait(75 * DAY),
    ],
    ids=["annotations", "describing fields", "token lifetime", "policy", "template", "name", "suspension", "young age"],
)
def test_nothing_else_rotates(change: Callable[[World], object]) -> None:
    world = available()
    change(world)
    world.settle()
    assert len(world.issued) == 1


def test_a_request_is_echoed_once_and_the_same_token_asks_no_second_time() -> None:
    world = available().request_rotation("monday")
    world.settle()
    assert world.status["lastHandledRotateRequest"] == "monday"
    world.wait(HOUR).settle()
    assert len(world.issued) == 2
    world.request_rotation("tuesday").settle()
    assert len(world.issued) == 3
    assert world.status["lastHandledRotateRequest"] == "tuesday"


def test_a_request_that_was_there_from_the_start_is_answered_by_the_first_secret() -> None:
    world = World().request_rotation("copied with the manifest")
    world.settle()
    world.settle()
    assert len(world.issued) == 1
    assert world.status["lastHandledRotateRequest"] == "copied with the manifest"


def test_a_request_longer_than_status_can_hold_is_answered_once() -> None:
    world = available().request_rotation("x" * 1000)
    world.settle()
    world.settle()
    assert len(world.issued) == 2


def test_a_request_taken_away_asks_for_nothing() -> None:
    world = available().request_rotation("monday")
    world.settle()
    world.annotations.clear()
    world.settle()
    assert len(world.issued) == 2


def test_two_causes_at_once_are_one_rotation() -> None:
    world = available().wait(80 * DAY).request_rotation("now").edit(secret__revision=2)
    world.settle()
    assert len(world.issued) == 2
    assert world.status["lastHandledRotateRequest"] == "now"


def test_any_other_revision_will_do_also_a_lower_one() -> None:
    world = available(secret__revision=7).edit(secret__revision=3)
    world.settle()
    assert (len(world.issued), cause(world)) == (2, "Revision")


def test_without_overlap_the_previous_secret_ends_at_once() -> None:
    world = available(secret__overlap="0s").edit(secret__revision=2)
    world.settle()
    assert world.log_in(b"secret-1") == "wrong_secret"
    assert world.credential_ids == [2]


def test_manual_rotates_by_no_clock_but_says_that_the_secret_expires_soon() -> None:
    world = available(secret__rotation="Manual").wait(80 * DAY)
    world.settle()
    assert world.told("ExpiringSoon") == "True/RotationDue"
    assert world.told("Ready") == "True/Available"
    world.wait(20 * DAY).settle()
    assert len(world.issued) == 1
    assert (world.told("Stalled"), world.told("Active")) == ("True/Expired", "True/Expired")
    message = world.condition("Stalled")
    assert message is not None
    assert "change spec.secret.revision" in message.message


def test_a_renamed_secret_moves_and_the_old_one_goes_after_the_overlap() -> None:
    world = available().edit(secret__name="elsewhere")
    world.settle()
    assert set(world.secrets) == {"billing-credentials", "elsewhere"}
    assert world.status["secret"]["name"] == "elsewhere"
    world.wait(DAY).settle()
    assert set(world.secrets) == {"elsewhere"}
    assert world.token(world.secret_bytes("elsewhere"))


def test_a_rename_taken_back_within_the_overlap_ends_with_one_good_secret() -> None:
    world = available().edit(secret__name="elsewhere")
    world.settle()
    world.wait(HOUR).edit(secret__name=None).settle()
    assert world.token(world.secret_bytes())
    assert world.token(b"secret-2")
    world.wait(2 * DAY).settle()
    assert set(world.secrets) == {"billing-credentials"}


@pytest.mark.rule(24)
def test_when_as_many_secrets_overlap_as_status_holds_the_next_one_waits_and_that_is_told() -> None:
    world = available(secret__overlap="240h")
    for revision in range(2, 6):
        world.wait(HOUR).edit(secret__revision=revision).settle()
    assert world.credential_ids == [5, 4, 3, 2, 1]
    world.wait(HOUR).edit(secret__revision=6).settle()
    assert len(world.issued) == 5
    assert world.told("Ready") == "False/TooManySecrets"
    assert kstatus(world.typed_status, world.generation) == "Failed"
    assert all(world.token(secret) for secret in world.issued), "no secret ends before its promised overlap"
    world.now = world.decide().due or world.now
    world.settle()
    assert (len(world.issued), world.told("Ready")) == (6, "True/Available")


@pytest.mark.rule(24)
@pytest.mark.parametrize(
    "change",
    [lambda w: w.edit_secret(b"forged"), lambda w: w.edit(secret__name="elsewhere"), lambda w: w.request_rotation("r")],
    ids=["edited", "renamed", "requested"],
)
def test_no_rotation_that_waits_for_room_hides_behind_ready(change: Callable[[World], object]) -> None:
    world = available(secret__overlap="240h")
    for revision in range(2, 6):
        world.wait(HOUR).edit(secret__revision=revision).settle()
    change(world)
    world.settle()
    assert world.told("Ready") == "False/TooManySecrets"


@pytest.mark.parametrize("micros", [0, 1, 400_000, 999_999])
@pytest.mark.parametrize("lifetime", ["1s", "2s", "3s", "10s"])
def test_even_the_shortest_lifetime_is_one_secret_at_a_time(lifetime: str, micros: int) -> None:
    least = timedelta(seconds=1)
    world = World(now=START + timedelta(microseconds=micros), min_lifetime=least).edit(secret__lifetime=lifetime)
    world.settle()
    assert len(world.issued) == 1


@pytest.mark.rule(25)
def test_a_lost_pepper_is_replaced_by_a_new_digest_and_never_rotates() -> None:
    world = available()
    world.peppers = [pepper(2)]
    assert world.log_in() == "wrong_secret"
    world.settle()
    assert len(world.issued) == 1
    assert world.typed_status.credentials[0].pepper == "p2"
    assert world.token()
    world.settle()
    assert len(world.issued) == 1


@pytest.mark.rule(25)
@pytest.mark.rule(3)
def test_a_lost_pepper_is_replaced_also_while_suspended() -> None:
    world = available().desire("Suspended")
    world.settle()
    world.peppers = [pepper(2)]
    world.settle()
    world.desire("Available").settle()
    assert world.token()
    assert len(world.issued) == 1


@pytest.mark.rule(7)
@pytest.mark.rule(25)
def test_bytes_that_changed_while_the_pepper_was_lost_are_not_taken_for_the_clients_own() -> None:
    world = available().edit_secret(b"forged")
    world.peppers = [pepper(2)]
    world.settle()
    assert world.log_in(b"forged") == "wrong_secret"
    assert (len(world.issued), cause(world)) == (2, "Edited")
    assert world.token(b"secret-2")


@pytest.mark.rule(7)
@pytest.mark.rule(25)
@pytest.mark.parametrize("actions", range(4))
def test_a_new_digest_that_was_interrupted_is_finished_without_a_rotation(actions: int) -> None:
    world = available()
    world.peppers = [pepper(2)]
    world.crash(actions)
    world.settle()
    assert len(world.issued) == 1
    assert world.token(b"secret-1")


@pytest.mark.rule(25)
def test_a_new_pepper_beside_the_old_one_changes_nothing_until_the_next_rotation() -> None:
    world = available()
    world.peppers.append(pepper(2))
    before = dict(world.status)
    world.settle()
    assert world.status == before
    assert world.token()
    world.edit(secret__revision=2).settle()
    assert [c.pepper for c in world.typed_status.credentials] == ["p2", "p1"]
    assert world.token(b"secret-1")
    assert world.token(b"secret-2")
