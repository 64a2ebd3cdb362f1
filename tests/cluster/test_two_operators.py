"""Two operators: at once, as after a lease that failed, and one after the other, as the lease has it."""

import time
from collections.abc import Callable

import pytest

from demo.service import Service
from demo.stage import SYSTEM_NAMESPACE
from tests.cluster.test_many import until_all
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Client, Product, Team, current, fetch, leads, metrics, numbered
from tests.toolkit.waiting import eventually, settled

LEASE = "apiclient-operator"
LEASE_SECONDS = 15
FEW = 12

Launch = Callable[[Service], Service]


@pytest.mark.rule(7, 21)
def test_two_operators_at_once_issue_nothing_twice_and_come_to_rest(alone: Product, team: Team, launch: Launch) -> None:
    both = [launch(alone.stage.operator(name, options=["--no-leader-election"])) for name in ("one", "other")]
    clients = [team.client(name, secret={"overlap": "1h"}, retirement={"gracePeriod": "1s"}) for name in names()]
    team.apply(*clients)
    until_all(team, clients, lambda obj: obj["status"].get("observedStatus") == "Available")
    verify(team, clients, 1)
    first = {client.name: client.credentials() for client in clients}
    tokens = [client.token() for client in clients[:3]]

    apply_all(team, clients, secret={"revision": 2})
    until_all(team, clients, lambda obj: current(obj["status"]).get("id") == 2)
    verify(team, clients, 2)
    alone.until_secret_works(*first.values(), *(client.credentials() for client in clients))

    apply_all(team, clients, desiredStatus="Suspended")
    until_all(team, clients, lambda obj: obj["status"].get("observedStatus") == "Suspended")
    apply_all(team, clients, desiredStatus="Available")
    until_all(team, clients, lambda obj: obj["status"].get("observedStatus") == "Available")
    verify(team, clients, 2)
    alone.until_accepted(*tokens)

    apply_all(team, clients, desiredStatus="Retired")
    until_all(team, clients, lambda obj: not obj["status"].get("credentials"))
    eventually("all Secrets are gone", lambda: not team.secrets())
    apply_all(team, clients, desiredStatus="Available")
    until_all(team, clients, lambda obj: obj["status"].get("observedStatus") == "Available")
    verify(team, clients, 3)
    alone.until_secret_works(*(client.credentials() for client in clients))
    assert all(operator.running for operator in both)


@pytest.mark.rule(6, 7)
def test_two_operators_at_once_answer_a_deleted_and_an_edited_secret_once(
    alone: Product, team: Team, launch: Launch
) -> None:
    for name in ("one-more", "other-more"):
        launch(alone.stage.operator(name, options=["--no-leader-election"]))
    clients = [team.declare(name) for name in numbered("client", 5)]
    for client in clients:
        alone.admin.delete("secrets", team.namespace, client.secret_name)
    until_all(team, clients, lambda obj: current(obj["status"]).get("id") == 2)
    verify(team, clients, 2)
    for client in clients:
        alone.admin.patch("secrets", team.namespace, client.secret_name, {"data": {"client-secret": "ZWRpdGVk"}})
    until_all(team, clients, lambda obj: current(obj["status"]).get("id") == 3)
    verify(team, clients, 3)


def test_stopped_leader_hands_over_at_once(alone: Product, team: Team, launch: Launch) -> None:
    leader = launch(alone.stage.operator("leader"))
    eventually("it leads", lambda: leads(leader))
    standby = launch(alone.stage.operator("standby"))
    assert fetch(standby, "/readyz").status == 200, "waiting to lead is what it is there for"
    assert metrics(standby)["apiclient_operator_leading"] == 0
    eventually("it says what it waits for", lambda: "waiting to lead: leader-" in standby.log.read_text())
    billing = team.declare("billing-1.0")
    identity = lease(alone)["spec"]["holderIdentity"]
    assert leader.stop() == 0
    assert lease(alone)["spec"]["holderIdentity"] != identity, "the lease was given back"
    eventually("the standby leads", lambda: leads(standby))
    billing.apply(desiredStatus="Suspended")
    billing.until_observed("Suspended")


def test_killed_leader_is_succeeded_when_its_lease_has_run_out(alone: Product, team: Team, launch: Launch) -> None:
    leader = launch(alone.stage.operator("leader-to-be-killed"))
    eventually("it leads", lambda: leads(leader))
    standby = launch(alone.stage.operator("standby-of-the-killed"))
    last_seen = [time.monotonic()]
    renewed = lease(alone)["spec"]["renewTime"]

    def renewed_again() -> bool:
        asked = time.monotonic()
        if lease(alone)["spec"]["renewTime"] != renewed:
            return True
        last_seen.append(asked)
        return False

    eventually("another renewal", renewed_again)
    leader.kill()
    team.apply(team.client("billing-1.0"))
    eventually("the standby leads", lambda: leads(standby))
    assert time.monotonic() - last_seen[-1] > LEASE_SECONDS, "not while the killed one could still be acting"
    team.client("billing-1.0").until_observed("Available")


def test_operator_that_loses_its_lease_ends(alone: Product, launch: Launch) -> None:
    leader = launch(alone.stage.operator("loser"))
    eventually("it leads", lambda: leads(leader))
    try:
        stolen = {"spec": {"holderIdentity": "somebody-else", "leaseDurationSeconds": 3600}}
        alone.admin.patch("leases", SYSTEM_NAMESPACE, LEASE, stolen)
        eventually("it has ended", lambda: not leader.running)
        assert leader.stop() not in (0, None), "and says that it is an error"
        assert "Leadership lost" in leader.tail()
    finally:
        alone.admin.delete("leases", SYSTEM_NAMESPACE, LEASE)


@pytest.mark.rule(7)
def test_paused_leader_does_nothing_after_its_lease_is_anothers(alone: Product, team: Team, launch: Launch) -> None:
    """As on a node that was suspended: it wakes up, and must not act on what it believed."""
    leader = launch(alone.stage.operator("sleeper"))
    eventually("it leads", lambda: leads(leader))
    standby = launch(alone.stage.operator("standby-of-the-sleeper"))
    leader.pause()
    eventually("the standby leads", lambda: leads(standby))
    billing = team.declare("billing-1.0")
    leader.resume()
    eventually("the sleeper has ended", lambda: not leader.running)
    verify(team, [billing], 1)


def names() -> list[str]:
    return list(numbered("client", FEW))


def apply_all(team: Team, clients: list[Client], **changes: JsonObject | str) -> None:
    """Change all of them by one kubectl apply."""
    for client in clients:
        client.merge(changes)
    team.apply(*clients)


def verify(team: Team, clients: list[Client], credential: int) -> None:
    """All is at rest, and each client has exactly this credential as the current one, in the one Secret that it has."""
    settled("clients and Secrets", lambda: [version(obj) for obj in (*objects(team), *team.secrets().values())])
    assert set(team.secrets()) == {client.secret_name for client in clients}
    for obj in objects(team):
        status = obj["status"]
        assert (current(status)["id"], status["lastCredentialId"]) == (credential, credential)


def objects(team: Team) -> list[JsonObject]:
    return team.product.admin.list("apiclients", team.namespace)


def version(obj: JsonObject) -> str:
    return str(obj["metadata"]["resourceVersion"])


def lease(product: Product) -> JsonObject:
    return product.admin.get("leases", SYSTEM_NAMESPACE, LEASE)
