"""Storms: very many changes at once. ``APICLIENTS_STORMS=large`` makes them as large as they are promised."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.arena import MAX_STALENESS, Arena, Team
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.cluster

_LARGE = os.environ.get("APICLIENTS_STORMS") == "large"
EDITS, CLIENTS, LIVES = (5000, 2000, 100) if _LARGE else (250, 60, 6)
_SECONDS = 900.0 if _LARGE else 150.0
_WRITERS = 4


@pytest.mark.rule(3, 16, 21)
@pytest.mark.timeout(4 * _SECONDS)
def test_many_edits_of_one_object(arena: Arena, team: Team) -> None:
    """The last desired status counts, however fast they came, and no edit touches the secret."""
    team.declare("billing")
    team.declare("bystander")
    secret = team.credentials("billing")
    bystander = team.token("bystander")
    with arena.promise("bystander", bystander), arena.promise("edited", team.token("billing")) as promise:
        promise.either()

        def edit(number: int) -> None:
            team.client("billing", ("Available", "Suspended")[number % 2], displayName=str(number))

        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(edit, range(EDITS)))
        with promise.ends(within=MAX_STALENESS):
            team.desire("billing", "Suspended")
        arena.until(401, promise.token)
        team.observed("billing", "Suspended")
        team.desire("billing", "Available")
        promise.either()
        team.observed("billing", "Available")
        arena.until(200, promise.token)
    assert team.credentials("billing") == secret


@pytest.mark.rule(7, 21)
@pytest.mark.timeout(4 * _SECONDS)
def test_many_clients_at_once(arena: Arena, team: Team) -> None:
    """All become usable and are suspended together, and somebody else's calls go on."""
    bystanders = arena.team()
    bystanders.declare("bystander")
    names = [f"client-{number:04}" for number in range(CLIENTS)]
    with arena.promise("bystander", bystanders.token("bystander")), ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(team.client, names))
        eventually("all are Available", lambda: statuses(team) == {"Available"}, seconds=_SECONDS, pause=0.5)
        assert len(secrets(team)) == CLIENTS
        token = team.token(names[-1])
        arena.until(200, token)
        list(pool.map(lambda name: team.desire(name, "Suspended"), names))
        with arena.prober.watching("one of many suspended", token) as promise:
            promise.refuse(within=MAX_STALENESS)
            arena.until(401, token)
        eventually("all are Suspended", lambda: statuses(team) == {"Suspended"}, seconds=_SECONDS, pause=0.5)
        team.admin.delete_all("apiclients", team.namespace)
        eventually("all Secrets go", lambda: not secrets(team), seconds=_SECONDS, pause=0.5)


@pytest.mark.rule(11)
@pytest.mark.timeout(4 * _SECONDS)
def test_client_created_again_and_again(arena: Arena, team: Team) -> None:
    """Each life has an id and a secret of its own, and no token outlives its own."""
    tokens, ids = [], set()
    for _ in range(LIVES):
        team.declare("billing")
        uid = team.admin.get("apiclients", team.namespace, "billing")["metadata"]["uid"]
        eventually("its own Secret", lambda: team.credentials("billing").client_id.endswith(uid[:8]))  # noqa: B023
        ids.add(team.credentials("billing").client_id)
        tokens.append(team.token("billing"))
        team.admin.delete("apiclients", team.namespace, "billing")
        team.client("billing")  # at once
    team.observed("billing", "Available")
    for token in tokens:
        arena.until(401, token)
    assert len(ids) == LIVES
    arena.until(200, team.token("billing"))
    assert len(secrets(team)) == 1


def statuses(team: Team) -> set[str]:
    """Every observed status that there is."""
    return {obj["status"].get("observedStatus", "none") for obj in team.admin.list("apiclients", team.namespace)}


def secrets(team: Team) -> list[str]:
    """The names of the Secrets of the namespace."""
    return [secret["metadata"]["name"] for secret in team.admin.list("secrets", team.namespace)]
