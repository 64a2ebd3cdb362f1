"""Changes that the API server's watch cache has lost: watches go on and lists agree with them, and both are wrong.

What gates rely on for a yes they read again, one object after the other, and those reads come from etcd (rule 17). A
gate that does not (``--verify-rate 0``) looks through the same caches and is asked as well: it says yes to the end, so
that a story that passes has shown what the reads are good for. The operator is away and cannot tell by its writes.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from apiclients.lifecycle.revocations import fingerprint
from apiclients.resources.refs import NamespacedName
from tests.faults.arena import MAX_STALENESS, Arena, Gate, Team, verified_within
from tests.faults.prober import Prober
from tests.toolkit.objects import SYSTEM
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.cluster

#: A client, its contract, the approval, the Api, and the hold that would bear the client's name.
_IN_USE = 5
#: Objects that a slow gate reads a second, how many clients are too many for that, and what a read may take.
_SLOW_RATE = 4
_CROWD = 12
_READ_SECONDS = 0.5


@dataclass(frozen=True)
class Subject:
    """A client that calls an Api under a contract that was approved, and whose they are."""

    team: Team
    shop: Team
    token: str
    path: str


@dataclass(frozen=True)
class Ending:
    """A change of one object that ends the calls; what gates answer from then on."""

    resource: str
    #: Namespace and name of the object.
    place: Callable[[Subject], NamespacedName]
    answer: int
    end: Callable[[Subject], object]


def in_team(name: str) -> Callable[[Subject], NamespacedName]:
    return lambda subject: (subject.team.namespace, name)


def in_shop(name: str) -> Callable[[Subject], NamespacedName]:
    return lambda subject: (subject.shop.namespace, name)


def of_token(subject: Subject) -> NamespacedName:
    return SYSTEM, fingerprint(subject.token.encode())


def desire(status: str) -> Callable[[Subject], object]:
    return lambda subject: subject.team.desire("billing", status)


def delete(resource: str, name: str) -> Callable[[Subject], object]:
    return lambda subject: subject.team.admin.delete(resource, subject.team.namespace, name)


def hold(subject: Subject) -> None:
    subject.team.hold("billing", "billing")


def remove_approval(subject: Subject) -> None:
    subject.team.admin.delete("contractapprovals", subject.shop.namespace, "billing")


def retire_api(subject: Subject) -> None:
    subject.team.admin.patch("apis", subject.shop.namespace, "orders", {"spec": {"desiredStatus": "Retired"}})


def revoke(subject: Subject) -> None:
    _, name = of_token(subject)
    subject.team.revoke("billing", name)


ENDINGS = {
    "suspension": Ending("apiclients", in_team("billing"), 401, desire("Suspended")),
    "retirement": Ending("apiclients", in_team("billing"), 401, desire("Retired")),
    "deletion of the client": Ending("apiclients", in_team("billing"), 401, delete("apiclients", "billing")),
    "hold by name": Ending("apiclientholds", in_team("billing"), 401, hold),
    "end of the contract": Ending("contracts", in_team("billing-orders"), 403, delete("contracts", "billing-orders")),
    "approval removed": Ending("contractapprovals", in_shop("billing"), 403, remove_approval),
    "Api retired": Ending("apis", in_shop("orders"), 410, retire_api),
    "revocation": Ending("tokenrevocations", of_token, 401, revoke),
}
_RELEASED = "a hold that is deleted again"


@dataclass(frozen=True)
class Scene:
    """The arena without its operator, a gate that verifies nothing, a subject for each story, and a team of clients."""

    arena: Arena
    unverified: Gate
    subjects: dict[str, Subject]
    team: Team
    #: Their tokens, by name.
    crowd: dict[str, str]

    def lose(self, resource: str, namespace: str, name: str) -> None:
        """From now on no list and no watch of a gate tells of an object what happens to it."""
        for gate in (*self.arena.gates, self.unverified):
            gate.proxy.cache.lose(self.arena.admin, resource, namespace, name)


@pytest.fixture(scope="module")
def scene(shared_arena: Arena, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One for all stories of this page."""
    arena = shared_arena
    arena.ensure()
    with arena.another_gate(tmp_path_factory.mktemp("unverified"), "--verify-rate=0") as unverified:
        team = arena.team()
        scene = Scene(arena, unverified, _subjects(arena), team, _crowd(team))
        arena.supervisor.scale_down(arena.operator)
        yield scene
        arena.ensure()


def _subjects(arena: Arena) -> dict[str, Subject]:
    """All side by side."""
    places = {what: (arena.team(), arena.team("shop")) for what in (*ENDINGS, _RELEASED)}
    with ThreadPoolExecutor() as pool:
        return dict(zip(places, pool.map(_subject, *zip(*places.values(), strict=True)), strict=True))


def _subject(team: Team, shop: Team) -> Subject:
    path = team.contracted(shop)
    return Subject(team, shop, team.token("billing"), path)


def _crowd(team: Team) -> dict[str, str]:
    names = [f"client-{number}" for number in range(_CROWD)]
    for name in names:
        team.client(name)
    for name in names:
        team.observed(name, "Available")
    return {name: team.token(name) for name in names}


@pytest.mark.rule(14, 16, 17)
@pytest.mark.parametrize("what", ENDINGS)
def test_change_that_the_api_server_has_lost_is_found_by_use(scene: Scene, what: str) -> None:
    arena, ending, subject = scene.arena, ENDINGS[what], scene.subjects[what]
    lost = [gate.lost_events("api_server") for gate in arena.gates]
    eventually("the gate that verifies nothing knows it", lambda: _unverified(scene, subject) == 200)
    arena.until_verified()
    with arena.promise(f"{what}, lost in the API server", subject.token, subject.path) as promise:
        scene.lose(ending.resource, *ending.place(subject))
        with promise.ends(within=verified_within(_IN_USE)):
            ending.end(subject)
        bound = promise.demand.since
        arena.until(ending.answer, subject.token, subject.path)
        promise.refuse()  # lists go on telling otherwise
        eventually("the bound is over", lambda: time.monotonic() >= bound)
        assert _unverified(scene, subject) == 200, "something else has told of the change"
        for gate, before in zip(arena.gates, lost, strict=True):
            eventually("it is counted", lambda: gate.lost_events("api_server") == before + 1)  # noqa: B023
        assert arena.verdicts(subject.token, subject.path) == {ending.answer}


@pytest.mark.rule(16, 17)
def test_hold_that_was_lost_ends_when_it_is_deleted(scene: Scene) -> None:
    """Lists have never shown it and no watch tells of its end: what was read has to be read again."""
    arena, subject = scene.arena, scene.subjects[_RELEASED]
    arena.until(200, subject.token, subject.path)
    scene.lose("apiclientholds", subject.team.namespace, "billing")
    hold(subject)
    arena.until(401, subject.token, subject.path)
    delete("apiclientholds", "billing")(subject)
    arena.until(200, subject.token, subject.path)


@pytest.mark.rule(17)
def test_bound_grows_with_what_is_in_use(scene: Scene, tmp_path: Path) -> None:
    """Of each client the hold that would bear its name is read as well."""
    arena, bound = scene.arena, 2 * len(scene.crowd) / _SLOW_RATE
    assert bound > MAX_STALENESS
    suspended, *others = scene.crowd
    with (
        arena.another_gate(tmp_path, f"--verify-rate={_SLOW_RATE}") as slow,
        Prober([slow.url]) as prober,
        prober.watching("suspended, lost in the API server", scene.crowd[suspended]) as promise,
        ExitStack() as stack,
    ):
        for name in others:
            stack.enter_context(prober.watching(name, scene.crowd[name])).accept()
        eventually("all are in use", lambda: slow.metric("objects_to_verify") >= len(others))
        slow.proxy.cache.lose(arena.admin, "apiclients", scene.team.namespace, suspended)
        with promise.ends(within=bound + _READ_SECONDS):
            scene.team.desire(suspended, "Suspended")
        eventually("refused", lambda: slow.check(promise.token) == 401)
        assert slow.metric("verified_age_seconds") <= bound + _READ_SECONDS
        eventually("the bound is over", lambda: time.monotonic() >= promise.demand.since)
        assert promise.seen[401]


def _unverified(scene: Scene, subject: Subject) -> int:
    return scene.unverified.check(subject.token, subject.path)
