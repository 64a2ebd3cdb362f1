"""What is found under the Secret's name: mine, changed, missing, somebody else's, or left by an earlier client."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from apiclients.lifecycle.digests import Stamp, stamp_mac
from apiclients.lifecycle.steps import CreateSecret, DeleteSecret, ReadSecret, RepairSecret
from apiclients.resources.names import CLIENT_ANNOTATION, CREDENTIAL_ANNOTATION
from tests.lifecycle.status_checks import kstatus
from tests.lifecycle.stored_secret import metadata_of
from tests.lifecycle.world import DAY, HOUR, START, World, available, pepper

MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.rule(6)


def test_a_missing_secret_is_confirmed_by_reading_before_it_is_issued_anew() -> None:
    world = available()
    world.secrets.clear()
    world.settle()
    assert [type(step) for step in world.steps[-2:]] == [ReadSecret, CreateSecret]


def test_a_late_cache_is_no_proof_that_the_secret_is_gone() -> None:
    world = available()
    world.cache_late = True
    world.settle()
    assert len(world.issued) == 1
    assert world.told("Ready") == "True/Available"


def test_an_edited_secret_is_answered_once_per_overlap_and_then_stalls() -> None:
    world = available().edit_secret(b"forged")
    world.settle()
    assert (world.issued[-1], world.told("Ready")) == (world.secret_bytes(), "True/Available")
    world.wait(HOUR).edit_secret(b"forged again").settle()
    assert len(world.issued) == 2
    assert (world.told("Stalled"), world.told("Active")) == ("True/SecretConflict", "True/Available")
    assert kstatus(world.typed_status, world.generation) == "Failed"
    assert world.token(b"secret-2"), "who has read the secret before the edit can go on"
    assert world.decide().step is not None
    world.wait(23 * HOUR).settle()
    assert (len(world.issued), world.told("Stalled")) == (3, "-")


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "ask", [lambda w: w.edit(secret__revision=9), lambda w: w.request_rotation("now")], ids=["revision", "request"]
)
def test_who_asks_gets_a_rotation_also_while_the_secret_is_fought_over(ask: Callable[[World], object]) -> None:
    world = available().edit_secret(b"forged")
    world.settle()
    world.wait(HOUR).edit_secret(b"forged again").settle()
    stalled = world.condition("Stalled")
    assert stalled is not None
    assert "ask for a rotation" in stalled.message
    ask(world)
    world.settle()
    assert (len(world.issued), world.told("Stalled")) == (3, "-")
    assert world.secret_bytes() == world.issued[-1]


def test_a_secret_that_is_fought_over_and_deleted_is_issued_anew() -> None:
    world = available().edit_secret(b"forged")
    world.settle()
    world.wait(HOUR).edit_secret(b"forged again").settle()
    world.secrets.clear()
    world.settle()
    assert (len(world.issued), world.told("Stalled")) == (3, "-")


def test_an_edit_is_not_fought_over_more_than_once_a_minute_also_without_an_overlap() -> None:
    world = available(secret__overlap="0s").edit_secret(b"forged")
    world.settle()
    world.wait(MINUTE / 2).edit_secret(b"forged again").settle()
    assert (len(world.issued), world.told("Stalled")) == (2, "True/SecretConflict")
    world.wait(MINUTE / 2).settle()
    assert (len(world.issued), world.told("Stalled")) == (3, "-")


def test_bytes_that_were_forged_are_never_accepted() -> None:
    world = available()
    for count in range(3):
        world.wait(HOUR).edit_secret(b"forged").settle()
        assert world.log_in(b"forged") == "wrong_secret", count


def test_a_secret_put_back_from_a_backup_is_an_edit() -> None:
    world = available()
    backup = {**world.secrets["billing-credentials"]["data"]}
    world.edit(secret__revision=2).settle()
    world.wait(2 * DAY).settle()
    world.edit_secret(data=backup)
    world.settle()
    assert world.typed_status.credentials[0].cause == "Edited"
    assert world.log_in(b"secret-1") == "wrong_secret"


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["metadata"]["annotations"].clear(),
        lambda s: s["metadata"]["labels"].clear(),
        lambda s: s["data"].update({"client-id": "Zm9v"}),
        lambda s: s["data"].pop("issuer"),
        lambda s: s["metadata"]["annotations"].update({CREDENTIAL_ANNOTATION: "{}"}),
    ],
    ids=["annotations gone", "labels gone", "client id changed", "issuer gone", "stamp forged"],
)
def test_whatever_is_no_secret_is_repaired_around_the_same_bytes(change: Callable[[dict[str, Any]], object]) -> None:
    world = available()
    good = world.secret_bytes()
    change(world.secrets["billing-credentials"])
    world.edit_secret().settle()
    assert isinstance(world.steps[-1], RepairSecret)
    assert (world.issued, world.secret_bytes()) == ([good], good)
    assert world.told("Ready") == "True/Available"
    steps = len(world.steps)
    world.settle()
    assert len(world.steps) == steps


@pytest.mark.rule(3)
def test_a_repair_is_no_rotation_and_is_done_while_suspended() -> None:
    world = available().desire("Suspended")
    world.secrets["billing-credentials"]["data"].pop("issuer")
    world.edit_secret().settle()
    assert world.told("Ready") == "True/Suspended"
    assert isinstance(world.steps[-1], RepairSecret)
    assert len(world.issued) == 1


def owned_by(**fields: str) -> dict[str, str]:
    """An earlier client of the same name, but for these fields."""
    return {"apiVersion": "apiclients.dev/v1alpha1", "kind": "ApiClient", "name": "billing", "uid": "9"} | fields


OURS_BUT = {
    "owned by nobody": lambda w: w.put_foreign(),
    "owned by another kind": lambda w: w.put_foreign(owner=owned_by(kind="Certificate")),
    "owned by another client": lambda w: w.put_foreign(owner=owned_by(name="orders")),
    "owned by a client of another group": lambda w: w.put_foreign(owner=owned_by(apiVersion="other.example/v1alpha1")),
    "owned by a client of a group like ours": lambda w: w.put_foreign(owner=owned_by(apiVersion="apiclients.dev")),
    "of another type": lambda w: w.edit_secret(type="Opaque"),
    "immutable": lambda w: w.edit_secret(immutable=True),
}


@pytest.mark.parametrize("put", OURS_BUT.values(), ids=OURS_BUT.keys())
@pytest.mark.rule(24)
def test_a_secret_that_the_operator_cannot_own_is_never_touched(put: Callable[[World], World]) -> None:
    world = put(available())
    before = dict(world.secrets["billing-credentials"])
    world.edit(secret__revision=2).settle()
    assert world.secrets["billing-credentials"] == before
    assert (world.told("SecretReady"), world.told("Stalled")) == ("False/SecretConflict", "True/SecretConflict")
    assert world.told("Active") == "True/Available"
    assert world.token(b"secret-1"), "the secret that was issued goes on working"
    del world.secrets["billing-credentials"]
    world.settle()
    assert world.told("Ready") == "True/Available"


def test_a_foreign_secret_at_the_start_leaves_the_client_waiting_and_says_what_to_do() -> None:
    world = World().put_foreign()
    world.settle()
    assert (world.observed, world.told("Ready")) == ("Pending", "False/SecretConflict")
    assert world.secret_bytes() == b"theirs"
    assert world.log_in(b"theirs") == "wrong_secret"
    world.edit(secret__name="elsewhere").settle()
    assert world.told("Ready") == "True/Available"
    assert world.secret_bytes() == b"theirs"


def test_a_foreign_secret_is_looked_at_again_since_no_watch_will_tell_that_it_went() -> None:
    world = World().put_foreign()
    world.settle()
    assert world.due is not None
    assert world.due <= world.now + 5 * MINUTE


def test_while_suspended_or_retired_a_foreign_secret_hinders_nobody() -> None:
    for desired in ("Suspended", "Retired"):
        world = available().put_foreign().desire(desired)
        world.settle()
        assert world.told("Ready") == f"True/{desired}"
        world.wait(2 * DAY).settle()
        assert world.secret_bytes() == b"theirs"


@pytest.mark.rule(11)
@pytest.mark.parametrize("desired", ["Available", "Suspended"])
def test_the_secret_of_an_earlier_client_of_the_same_name_is_removed_and_never_reused(desired: str) -> None:
    world = available()
    old = world.secret_bytes()
    world.recreate("22222222-bbbb").desire(desired)
    world.settle()
    assert isinstance(world.steps[-2], DeleteSecret)
    assert world.secret_bytes() != old
    world.desire("Available").settle()
    assert world.log_in(old) == "wrong_secret"
    assert world.token()


@pytest.mark.rule(7)
def test_a_secret_that_was_written_before_a_crash_is_taken_over_with_all_that_it_answered() -> None:
    world = available().request_rotation("incident-7")
    world.crash(actions=1)
    assert (len(world.issued), world.credential_ids) == (2, [1])
    world.wait(HOUR).settle()
    assert len(world.issued) == 2
    assert world.credential_ids == [2, 1]
    assert world.status["lastHandledRotateRequest"] == "incident-7"
    new, old = world.typed_status.credentials
    assert (new.cause, new.issued_time) == ("Request", START + 10 * MINUTE)
    assert old.expires_time == new.issued_time + DAY
    assert world.token(b"secret-1")
    assert world.token(b"secret-2")


@pytest.mark.rule(7)
def test_a_first_secret_that_a_late_cache_does_not_show_is_found_by_the_refused_creation() -> None:
    world = World()
    world.crash(actions=1)
    world.cache_late = True
    world.settle()
    assert len(world.issued) == 1
    assert world.token()


@pytest.mark.rule(7)
@pytest.mark.parametrize(
    ("forgery", "uid"), [(pepper(9), "11111111-aaaa"), (pepper(1), "22222222-bbbb")], ids=["other key", "other client"]
)
def test_a_newer_credential_with_a_wrong_mac_is_never_taken_over(forgery: Any, uid: str) -> None:
    world = available()
    stamp = Stamp(id=9, issued_time=START, expires_time=START + 90 * DAY, revision=1, cause="First")
    text = stamp.to_json(stamp_mac(forgery, stamp, uid, b"forged"))
    world.secrets["billing-credentials"]["metadata"]["annotations"][CREDENTIAL_ANNOTATION] = text
    world.edit_secret(b"forged").settle()
    assert world.log_in(b"forged") == "wrong_secret"
    assert world.credential_ids == [2, 1]


@pytest.mark.rule(7)
def test_an_older_credential_with_a_good_mac_is_not_taken_over() -> None:
    world = available()
    old = {**world.secrets["billing-credentials"], "metadata": {**world.secrets["billing-credentials"]["metadata"]}}
    world.edit(secret__revision=2, secret__overlap="0s").settle()
    world._store(old)
    world.settle()
    assert world.credential_ids[0] == 3
    assert world.log_in(b"secret-1") == "wrong_secret"


@pytest.mark.rule(7)
def test_a_wiped_status_takes_the_secret_over_and_kills_every_token() -> None:
    world = available()
    token, secret = world.token(), world.secret_bytes()
    world.wait(2 * MINUTE).wipe_status()
    assert world.refusal(token) == "pending"
    world.settle()
    assert world.issued == [secret]
    assert world.refusal(token) == "token_before_not_before"
    assert world.token()


@pytest.mark.rule(6, 11)
@pytest.mark.parametrize("version", ["v1alpha1", "v1"])
def test_the_secret_of_an_earlier_client_of_the_name_is_replaced_whatever_the_version(version: str) -> None:
    world = available()
    world.secrets["billing-credentials"]["metadata"]["ownerReferences"][0]["apiVersion"] = f"apiclients.dev/{version}"
    world.recreate("22222222-bbbb").settle()
    assert world.told("Ready") == "True/Available"
    assert world.token(b"secret-2")


# Without owners: what tools for backups put back.


@pytest.mark.rule(6, 11)
@pytest.mark.parametrize("desired", ["Available", "Suspended"])
def test_a_restored_secret_is_replaced_and_never_used_again(desired: str) -> None:
    world = available()
    old = world.secret_bytes()
    world.restore("22222222-bbbb").desire(desired).settle()
    assert world.told("Ready") == f"True/{desired}"
    world.desire("Available").settle()
    assert world.log_in(old) == "wrong_secret"
    assert world.token()
    assert metadata_of(world.secrets["billing-credentials"]).owner is not None


@pytest.mark.rule(6, 11)
def test_a_secret_that_was_restored_twice_is_replaced_as_well() -> None:
    world = available()
    world.restore("22222222-bbbb")
    world.restore("33333333-cccc").settle()
    assert (world.told("Ready"), len(world.issued)) == ("True/Available", 2)


def _other_bytes(world: World) -> World:
    return world.edit_secret(b"edited")


def _other_keys(world: World) -> World:
    world.peppers[:] = [pepper(7)]
    return world


def _for_another_client(world: World) -> World:
    world.secrets["billing-credentials"]["metadata"]["annotations"][CLIENT_ANNOTATION] = "orders/11111111-aaaa"
    return world


def _from_before_the_annotation(world: World) -> World:
    del world.secrets["billing-credentials"]["metadata"]["annotations"][CLIENT_ANNOTATION]
    return world


def _immutable_and_edited(world: World) -> World:
    return world.edit_secret(b"edited", immutable=True)


@pytest.mark.rule(6, 24)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_other_bytes, "the operator's keys do not verify it"),
        (_other_keys, "the operator's keys do not verify it"),
        (_for_another_client, "issued for an ApiClient orders"),
        (_from_before_the_annotation, "is not this client's"),
        (_immutable_and_edited, "is immutable"),
    ],
)
def test_what_cannot_be_told_from_somebody_elses_stays_and_the_message_says_what_to_delete(
    change: Callable[[World], World], why: str
) -> None:
    world = change(available()).restore("22222222-bbbb")
    before = copy.deepcopy(world.secrets)
    world.settle()
    stalled = world.condition("Stalled")
    assert stalled is not None
    assert stalled.reason == "SecretConflict"
    assert why in stalled.message
    assert "kubectl delete secret billing-credentials --namespace team-a" in stalled.message
    assert world.secrets == before
    world.secrets.clear()
    world.settle()
    assert world.told("Ready") == "True/Available"


@pytest.mark.rule(6, 7)
def test_a_secret_whose_owner_somebody_took_away_is_put_right_around_the_same_bytes() -> None:
    world = available()
    del world.secrets["billing-credentials"]["metadata"]["ownerReferences"]
    world.edit_secret().settle()
    assert isinstance(world.steps[-1], RepairSecret)
    assert (world.told("Ready"), world.secret_bytes()) == ("True/Available", b"secret-1")
    assert metadata_of(world.secrets["billing-credentials"]).owner is not None


@pytest.mark.rule(6)
def test_a_secret_without_owner_and_with_other_bytes_is_not_believed() -> None:
    world = available()
    del world.secrets["billing-credentials"]["metadata"]["ownerReferences"]
    world.edit_secret(b"edited").settle()
    assert (world.told("SecretReady"), world.secret_bytes()) == ("False/SecretConflict", b"edited")
    assert world.token(b"secret-1")
