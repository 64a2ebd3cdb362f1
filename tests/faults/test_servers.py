"""API server and etcd are restarted or away, under load: honest answers, and recovery without a hand."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.arena import MAX_STALENESS, Arena, Team
from tests.toolkit.admin import RefusedError
from tests.toolkit.waiting import PATIENCE, eventually

pytestmark = pytest.mark.cluster

_WRITERS = 3


@contextmanager
def load(team: Team) -> Iterator[list[int]]:
    """Clients come, change and go all the time; yields how many edits were done, as a list of one."""
    ended, done = threading.Event(), [0]

    def edit(number: int) -> None:
        name, turn = f"busy-{number}", 0
        while not ended.is_set():
            turn += 1
            with contextlib.suppress(OSError, RefusedError):
                team.client(name, ("Available", "Suspended")[turn % 2], displayName=str(turn))
                if turn % 10 == 0:
                    team.admin.delete("apiclients", team.namespace, name)
                done[0] += 1
            ended.wait(0.05)

    writers = [threading.Thread(target=edit, args=(number,), daemon=True) for number in range(_WRITERS)]
    for writer in writers:
        writer.start()
    try:
        yield done
    finally:
        ended.set()
        for writer in writers:
            writer.join(PATIENCE)


def until_blind(arena: Arena) -> None:
    """Wait until no gate can prove any more that it is fresh."""
    eventually("all gates are blind", lambda: not any(gate.service.is_ready() for gate in arena.gates))


def restart_api_server(arena: Arena) -> None:
    arena.cluster.stop_api_server()
    arena.cluster.start_api_server()


def restart_etcd(arena: Arena) -> None:
    arena.cluster.stop_etcd()
    time.sleep(1)  # that long it is away
    arena.cluster.start_etcd()


def freeze_api_server(arena: Arena) -> None:
    arena.cluster.pause_api_server()
    until_blind(arena)
    arena.cluster.resume_api_server()


def cut_everything(arena: Arena) -> None:
    for proxy in (arena.operator_proxy, *(gate.proxy for gate in arena.gates)):
        proxy.cut(for_good=True)
    until_blind(arena)
    for proxy in (arena.operator_proxy, *(gate.proxy for gate in arena.gates)):
        proxy.heal()


@pytest.mark.rule(16, 17)
@pytest.mark.parametrize("fault", [restart_api_server, restart_etcd, freeze_api_server, cut_everything])
def test_servers_come_back_under_load(arena: Arena, team: Team, fault: Callable[[Arena], None]) -> None:
    for name in ("good", "suspended", "later"):
        team.declare(name)
    tokens = {name: team.token(name) for name in ("good", "suspended", "later")}
    secrets = {name: team.credentials(name) for name in tokens}
    with (
        arena.promise("good all the time", tokens["good"]) as good,
        arena.promise("suspended before", tokens["suspended"]) as suspended,
        arena.promise("suspended as it comes back", tokens["later"]) as later,
        load(team) as edits,
    ):
        with suspended.ends(within=MAX_STALENESS):
            team.desire("suspended", "Suspended")
        arena.until(401, suspended.token)
        suspended.refuse()
        fault(arena)
        with later.ends(within=MAX_STALENESS):
            eventually("writes work again", lambda: written(team, "later"))
        arena.until(401, later.token)
        arena.until(200, good.token)
        before = edits[0]
        eventually("the load goes on", lambda: edits[0] > before)
        for gate in arena.gates:
            arena.until_ready(gate.service)
    arena.until_ready(arena.operator)
    team.desire("suspended", "Available")
    team.observed("suspended", "Available")
    arena.until(200, suspended.token)
    assert {name: team.credentials(name) for name in secrets} == secrets, "no secret was lost or made anew"


@pytest.mark.rule(17)
def test_api_server_away_for_longer_than_max_staleness(arena: Arena, team: Team) -> None:
    team.declare("billing")
    team.declare("suspended")
    tokens = team.token("billing"), team.token("suspended")
    with arena.promise("good", tokens[0]), arena.promise("suspended", tokens[1]) as suspended:
        with suspended.ends(within=MAX_STALENESS):
            team.desire("suspended", "Suspended")
        arena.until(401, suspended.token)
        arena.cluster.stop_api_server()
        eventually("503", lambda: arena.verdicts(tokens[0]) == {503})
        assert arena.verdicts(tokens[1]) == {503}
        assert all(gate.service.running for gate in arena.gates)
        arena.cluster.start_api_server()
        arena.until(200, tokens[0])
        arena.until(401, tokens[1])


@pytest.mark.rule(7, 17)
def test_everything_killed_at_once(arena: Arena, team: Team) -> None:
    team.declare("billing")
    secret = team.credentials("billing")
    with arena.promise("good", team.token("billing")) as promise:
        team.client("newcomer")
        for service in (arena.operator, *(gate.service for gate in arena.gates)):
            service.kill()
        arena.cluster.stop_api_server()
        arena.cluster.stop_etcd()
        arena.cluster.start_etcd()
        arena.cluster.start_api_server()
        arena.ensure()
        arena.until(200, promise.token)
        team.observed("newcomer", "Available")
    assert team.credentials("billing") == secret


def written(team: Team, name: str) -> bool:
    """Suspend a client, if that is possible now."""
    with contextlib.suppress(OSError, RefusedError):
        team.desire(name, "Suspended")
        return True
    return False
