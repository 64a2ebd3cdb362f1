"""Removing Secrets: only what the operator made goes, and one that waits for finalizers is waited for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from apiclients.engine.converge import MOST_STEPS
from apiclients.lifecycle.steps import DeleteSecret
from tests.lifecycle.stored_secret import metadata_of
from tests.lifecycle.world import DAY, HOUR, World, available

NAME = "billing-credentials"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
Secret = dict[str, Any]


def deletions(world: World) -> int:
    return sum(isinstance(step, DeleteSecret) for step in world.steps)


def message(world: World, kind: str = "SecretReady") -> str:
    found = world.condition(kind)
    assert found is not None
    return found.message


def finalize(world: World, *finalizers: str) -> None:
    world.secrets[NAME]["metadata"]["finalizers"] = list(finalizers)
    world._store(world.secrets[NAME])


def copy_secret(world: World, change: Callable[[Secret], object]) -> None:
    """Another Secret that names the client as its owner, and bears the operator's label."""
    other = copy.deepcopy(world.secrets[NAME])
    other["metadata"] |= {"name": "other", "uid": "other"}
    change(other)
    world._store(other)


def _of_another_type(secret: Secret) -> None:
    secret |= {"type": "kubernetes.io/tls", "data": {"tls.key": ""}}
    secret["metadata"]["annotations"] = {}


#: What bears the label and the owner, but was not made by the operator.
NOT_OURS: dict[str, Callable[[Secret], object]] = {
    "another type": _of_another_type,
    "another type with our stamp": lambda s: s.update(type="Opaque"),
    "no stamp": lambda s: s["metadata"].update(annotations={}),
    "other bytes": lambda s: s["data"].update({"client-secret": "b3RoZXI="}),
    "a copy": lambda s: s["metadata"].update(managedFields=[{"manager": "kubectl"}]),
}


@pytest.mark.rule(6)
@pytest.mark.parametrize("what", NOT_OURS)
def test_what_only_looks_like_a_secret_under_an_earlier_name_stays(what: str) -> None:
    world = available()
    copy_secret(world, NOT_OURS[what])
    world.edit(secret__name="elsewhere").settle()
    world.wait(2 * DAY).settle()
    assert set(world.secrets) == {"elsewhere", "other"}
    world.desire("Retired").settle()
    world.wait(2 * DAY).settle()
    assert set(world.secrets) == {"other"}


@pytest.mark.rule(6, 11)
@pytest.mark.parametrize("what", NOT_OURS)
def test_what_only_looks_like_the_secret_of_an_earlier_client_stays(what: str) -> None:
    world = available()
    NOT_OURS[what](world.secrets[NAME])
    world._store(world.secrets[NAME])
    before = copy.deepcopy(world.secrets)
    world.recreate("22222222-bbbb").settle()
    assert (world.told("Ready"), world.secrets) == ("False/SecretConflict", before)


@pytest.mark.rule(6, 8)
def test_a_secret_of_another_type_under_the_clients_own_name_stays_after_a_retirement() -> None:
    world = available().edit_secret(type="kubernetes.io/tls").desire("Retired")
    world.settle()
    world.wait(2 * DAY).settle()
    assert set(world.secrets) == {NAME}


@pytest.mark.rule(8)
def test_an_edited_or_immutable_secret_goes_with_its_client() -> None:
    for change in ({"value": b"forged"}, {"immutable": True}):
        world = available().edit_secret(**change).desire("Retired")
        world.settle()
        world.wait(2 * DAY).settle()
        assert world.secrets == {}


@pytest.mark.rule(6)
def test_many_secrets_under_other_names_do_not_stop_the_client() -> None:
    world = available()
    for number in range(30):
        copy_secret(world, NOT_OURS["a copy"])
        world.secrets[f"other-{number}"] = world.secrets.pop("other")
        world.secrets[f"other-{number}"]["metadata"]["name"] = f"other-{number}"
    world.settle()
    assert world.told("Ready") == "True/Available"


@pytest.mark.rule(6)
def test_many_secrets_that_only_a_late_cache_still_shows_do_not_stop_the_client() -> None:
    world = available()
    others = tuple(replace(metadata_of(world.secrets[NAME]), name=f"gone-{number}") for number in range(30))
    before = len(world.steps)
    world.take_steps(replace(world.observe(), other_secrets=others), most=MOST_STEPS)
    assert 0 < len(world.steps) - before < MOST_STEPS


# Finalizers.


@pytest.mark.rule(8)
def test_a_secret_with_finalizers_is_deleted_once_and_waited_for() -> None:
    world = available()
    finalize(world, "backup.example.com/copied", "example.com/seen")
    world.desire("Retired").settle()
    world.wait(2 * DAY).settle()
    assert world.told("SecretReady") == "False/SecretDeleting"
    assert "backup.example.com/copied, example.com/seen" in message(world)
    world.wait(MINUTE).settle()
    assert deletions(world) == 1
    assert world.told("Ready") == "True/Retired"
    del world.secrets[NAME]
    world.settle()
    assert (world.told("SecretReady"), deletions(world)) == ("False/SecretRemoved", 1)


@pytest.mark.rule(8)
def test_who_registers_again_while_the_secret_still_goes_waits_for_it_or_takes_it_over() -> None:
    world = available()
    old = world.secret_bytes()
    finalize(world, "example.com/seen")
    world.desire("Retired").settle()
    world.wait(2 * DAY).settle()
    world.desire("Available").settle()
    assert world.log_in(old) == "wrong_secret"
    del world.secrets[NAME]
    world.settle()
    assert (world.told("Ready"), world.log_in(old)) == ("True/Available", "wrong_secret")
    assert world.token()


@pytest.mark.rule(11)
def test_the_secret_of_an_earlier_client_that_waits_for_finalizers_is_waited_for() -> None:
    world = available()
    finalize(world, "example.com/seen")
    world.recreate("22222222-bbbb").settle()
    world.wait(MINUTE).settle()
    assert deletions(world) == 1
    assert (world.told("SecretReady"), world.told("Ready")) == ("False/SecretDeleting", "False/Pending")
    assert "example.com/seen" in message(world)
    assert "example.com/seen" in message(world, "Ready")
    del world.secrets[NAME]
    world.settle()
    assert world.told("Ready") == "True/Available"


@pytest.mark.rule(6)
def test_a_secret_under_an_earlier_name_that_waits_for_finalizers_is_deleted_once() -> None:
    world = available()
    finalize(world, "example.com/seen")
    world.edit(secret__name="elsewhere").settle()
    for _ in range(3):
        world.wait(2 * DAY).settle()
    assert (deletions(world), set(world.secrets)) == (1, {NAME, "elsewhere"})


@pytest.mark.rule(24)
def test_a_secret_in_use_that_somebody_deletes_and_finalizers_keep_says_whom_it_waits_for() -> None:
    world = available()
    finalize(world, "example.com/seen")
    world._delete(world.secrets[NAME])
    world.settle()
    assert (world.told("SecretReady"), world.told("Ready")) == ("False/SecretDeleting", "True/Available")
    assert "example.com/seen" in message(world)
    assert world.token(), "what is in it works"
    del world.secrets[NAME]
    world.settle()
    assert (world.told("SecretReady"), len(world.issued)) == ("True/Issued", 2)


# A conflict that ends.


@pytest.mark.rule(6)
def test_who_removes_a_conflicting_secret_soon_does_not_wait_long() -> None:
    world = World().put_foreign()
    world.settle()
    begun, tries = world.now, 0
    while world.now < begun + MINUTE:
        assert world.due is not None
        assert world.due - world.now <= max(2 * SECOND, world.now - begun)
        world.now, tries = world.due, tries + 1
        world.settle()
    assert tries < 8
    world.wait(HOUR).settle()
    assert world.due == world.now + MINUTE, "what lasts is looked at seldom"
    world.secrets.clear()
    world.settle()
    assert world.told("Ready") == "True/Available"
