"""etcd is restored from a backup: what came after it has never happened."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.arena import Arena, open_arena
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.cluster


@pytest.fixture
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """One of its own, where the operator holds its Lease: it is there that it sees history go back."""
    with open_arena(tmp_path_factory.mktemp("arena"), leader_election=True) as arena:
        yield arena
        arena.prober.verify()


def _set_back(arena: Arena, change: Callable[[], object]) -> None:
    """Have etcd forget what ``change`` did: its data are those of before."""
    data, backup = arena.cluster.data_dir / "etcd", arena.cluster.data_dir / "etcd-backup"

    @contextmanager
    def servers_stopped() -> Iterator[None]:
        arena.cluster.stop_api_server()
        arena.cluster.stop_etcd()
        yield
        arena.cluster.start_etcd()
        arena.cluster.start_api_server()

    with servers_stopped():
        shutil.copytree(data, backup)
    change()
    with servers_stopped():
        shutil.rmtree(data)
        backup.rename(data)


@pytest.mark.rule(7, 11, 17)
def test_etcd_restored_to_an_earlier_state(arena: Arena) -> None:
    """What came after the backup is lost, a suspension too; nothing else is, and nobody has to lend a hand."""
    team = arena.team()
    team.declare("good")
    team.declare("leaked")
    secret, token, leaked = team.credentials("good"), team.token("good"), team.token("leaked")
    newcomers: list[str] = []

    def change() -> None:
        arena.until(200, token)
        team.desire("leaked", "Suspended")
        arena.until(401, leaked)
        team.declare("newcomer")
        newcomers.append(team.token("newcomer"))
        for number in range(100):  # history that is not there any more
            team.client("good", displayName=str(number))

    with arena.promise("good", token):
        started = arena.operator.pid
        _set_back(arena, change)
        arena.until(200, token)
        arena.until(401, newcomers[0])
        eventually("the operator starts anew", lambda: arena.operator.running and arena.operator.pid != started)
        arena.until_ready(arena.operator)
        assert team.credentials("good") == secret
        assert team.admin.find("apiclients", team.namespace, "newcomer") is None
        team.desire("leaked", "Suspended")
        arena.until(401, leaked)
        for name in ("newcomer", "second", "third"):  # whoever watches from where history once was misses them
            team.declare(name)
            arena.until(200, team.token(name))
        arena.until(401, newcomers[0])
