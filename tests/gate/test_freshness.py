"""The freshness proof: what it finds, when it fails, and what is not decided any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from apiclients.gate.state.freshness import CLOCK_LIMIT, DENIED_SELECTOR, Bounds, Freshness, Proof, find_denied
from apiclients.gate.state.picture import Finding
from apiclients.gate.state.problems import Problem
from apiclients.kube.client import KubeClient, Page
from apiclients.kube.errors import ApiError, MalformedObjectError, UnreachableError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.resources.apiclient import DesiredStatus
from tests.gate.support import UID, World

KEY = ("team-a", "billing")


@dataclass
class HoldLists:
    """Stands for the Reflector of holds."""

    last_list_started: float | None = 1000.0
    confirmed: list[frozenset[str]] = field(default_factory=list)
    error: Exception | None = None

    async def confirm(self, left_out: frozenset[str]) -> None:
        self.confirmed.append(left_out)
        if self.error:
            raise self.error


@dataclass
class Server:
    """Stands for the API server and the Reflector: what a list finds, what a read finds."""

    world: World
    findings: tuple[Finding, ...] = ()
    version: int = 1000
    error: Exception | None = None
    hold: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    refreshed: list[tuple[str, str]] = field(default_factory=list)
    comparisons: int = 0
    last_list_started: float | None = 1000.0
    resource_version: int = 0
    truth: dict[str, Any] | None = None
    trusted: bool = True
    limits: list[float] = field(default_factory=list)
    holds: HoldLists = field(default_factory=HoldLists)
    revocations: HoldLists = field(default_factory=HoldLists)
    left_out: frozenset[str] = frozenset()
    during_comparison: Callable[[], object] = lambda: None

    async def find(self, left_out: frozenset[str]) -> Proof:
        self.left_out = left_out
        self.asked.set()
        if self.hold:
            await self.hold.wait()
        if self.error:
            raise self.error
        return Proof(self.findings, self.version)

    async def refresh(self, namespace: str, name: str) -> None:
        if self.error:
            raise self.error
        self.refreshed.append((namespace, name))
        if self.truth is not None:
            self.world.put(**self.truth)

    async def confirm(self, left_out: frozenset[str]) -> None:
        assert not left_out
        self.comparisons += 1
        self.during_comparison()
        if self.error:
            raise self.error

    def clock_trusted(self, limit: float) -> bool:
        self.limits.append(limit)
        return self.trusted


@pytest.fixture
def server(world: World) -> Server:
    return Server(world)


def make(world: World, server: Server, bounds: Bounds | None = None) -> Freshness:
    return Freshness(
        server.find,
        world.picture,
        world.state.refusals,
        server,
        server.holds,
        server.revocations,
        [],
        server.clock_trusted,
        bounds or Bounds(),
        world.clock.monotonic,
        world.clock.wall,
    )


def finding(version: int = 50, key: tuple[str, str] = KEY) -> Finding:
    return Finding(key, UID, version, generation=version)


def desired(world: World) -> DesiredStatus:
    return world.picture.by_uid[UID].desired


@pytest.mark.rule(17)
class TestStaleness:
    async def test_nothing_is_decided_before_the_first_proof(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        assert freshness.staleness is None
        assert freshness.problem() == Problem.NOT_PROVED
        assert await freshness.prove()
        assert freshness.problem() is None
        assert freshness.last_proof == Proof((), 1000)

    async def test_it_counts_from_the_start_of_the_request(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        server.hold = asyncio.Event()
        proving = asyncio.create_task(freshness.prove())
        await server.asked.wait()
        world.clock.advance(4)
        server.hold.set()
        assert await proving
        assert freshness.staleness == 4
        assert freshness.last_proof_time == world.clock.wall() - 4
        world.clock.advance(6)
        assert freshness.problem() is None
        world.clock.advance(0.001)
        assert freshness.problem() == Problem.STALE

    async def test_the_wall_clock_has_no_say(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        await freshness.prove()
        world.clock.wall_seconds += 10**6
        assert freshness.problem() is None

    @pytest.mark.parametrize(
        "error",
        [
            UnreachableError("down"),
            ApiError(500, "InternalError", "oops"),
            MalformedObjectError("what"),
            TimeoutError(),
        ],
    )
    async def test_a_failure_proves_nothing(self, world: World, server: Server, error: Exception) -> None:
        freshness = make(world, server)
        await freshness.prove()
        server.error = error
        world.clock.advance(9)
        assert await freshness.prove() is False
        assert (freshness.proofs, freshness.failures) == (1, 1)
        assert freshness.problem() is None  # not before
        world.clock.advance(2)
        assert freshness.problem() is not None
        server.error = None
        assert await freshness.prove()
        assert freshness.problem() is None

    async def test_an_outage_is_said_once(self, world: World, server: Server, caplog: pytest.LogCaptureFixture) -> None:
        freshness = make(world, server)
        server.error = UnreachableError("down")
        with caplog.at_level(logging.INFO):
            for _ in range(5):
                await freshness.prove()
            server.error = None
            await freshness.prove()
        assert caplog.messages == ["the freshness proof failed: down", "freshness is proved again"]

    async def test_a_proof_that_hangs_is_given_up(self, world: World, server: Server) -> None:
        freshness = make(world, server, Bounds(interval=0.01, max_staleness=0.1))
        server.hold = asyncio.Event()
        assert await freshness.prove() is False
        assert Bounds().timeout < Bounds().max_staleness

    async def test_fail_static_is_an_explicit_choice(self, world: World, server: Server) -> None:
        freshness = make(world, server, Bounds(fail_static=True))
        assert freshness.problem() is Problem.NOT_PROVED  # a picture that was never proved is none
        await freshness.prove()
        server.last_list_started = None
        assert freshness.problem() is Problem.NOT_LISTED
        server.last_list_started = 1000.0
        world.clock.advance(10_000)
        assert freshness.problem() is None
        server.trusted = False
        assert freshness.problem() is Problem.CLOCK

    async def test_without_lists_deletions_would_go_unseen(self, world: World, server: Server) -> None:
        freshness = make(world, server, Bounds(relist_interval=60))
        for _ in range(20):
            world.clock.advance(9)
            assert await freshness.prove()
            assert freshness.problem() is None
        world.clock.advance(9)
        await freshness.prove()
        assert freshness.problem() == Problem.LISTS_STALE
        server.last_list_started = world.clock.monotonic()
        assert freshness.problem() == Problem.LISTS_STALE  # of another kind
        server.holds.last_list_started = world.clock.monotonic()
        assert freshness.problem() == Problem.LISTS_STALE
        server.revocations.last_list_started = world.clock.monotonic()
        assert freshness.problem() is None


@pytest.mark.rule(26)
async def test_a_wrong_clock_decides_nothing(world: World, server: Server) -> None:
    freshness = make(world, server)
    await freshness.prove()
    server.trusted = False
    assert freshness.problem() == Problem.CLOCK
    assert set(server.limits) == {CLOCK_LIMIT} == {30.0}


@pytest.mark.rule(17)
class TestFindings:
    async def test_what_a_proof_finds_is_denied_before_it_counts(self, world: World, server: Server) -> None:
        server.findings = (finding(),)
        await make(world, server).prove()
        assert desired(world) is DesiredStatus.SUSPENDED

    async def test_a_race_with_the_watch_is_no_loss(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        server.findings = (finding(),)
        await freshness.prove()
        world.version = 49
        world.put(desired="Suspended")  # the watch, some milliseconds later
        await freshness.prove()
        await freshness.heal()
        assert (server.refreshed, freshness.lost_events) == ([], 0)

    async def test_a_lost_event_is_healed_and_counted_once(
        self, world: World, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        freshness = make(world, server)
        server.findings = (finding(),)
        await freshness.prove()
        await freshness.heal()
        assert server.refreshed == []  # it gets until the next proof
        world.version, server.truth = 49, {"desired": "Suspended"}
        await freshness.prove()
        await freshness.heal()
        assert (server.refreshed, freshness.lost_events) == ([KEY], 1)
        assert world.picture.open_findings() == ()
        assert "lost an event of apiclient team-a/billing" in caplog.text
        for _ in range(3):
            await freshness.prove()
            await freshness.heal()
        assert freshness.lost_events == 1

    async def test_a_lost_suspension_that_was_resumed_meanwhile(self, world: World, server: Server) -> None:
        """The watch lost both events: the second proof does not show it any more, the read finds it available."""
        freshness = make(world, server)
        server.findings = (finding(),)
        await freshness.prove()
        server.findings = ()
        world.version, server.truth = 59, {}
        await freshness.prove()
        assert desired(world) is DesiredStatus.SUSPENDED
        await freshness.heal()
        assert desired(world) is DesiredStatus.AVAILABLE

    async def test_a_read_that_fails_leaves_it_denied(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        server.findings = (finding(),)
        await freshness.prove()
        await freshness.prove()
        server.error = UnreachableError("down")
        await freshness.heal()
        assert desired(world) is DesiredStatus.SUSPENDED
        assert freshness.lost_events == 0
        server.error, world.version, server.truth = None, 49, {"desired": "Suspended"}
        await freshness.prove()
        await freshness.heal()
        assert freshness.lost_events == 1

    async def test_the_history_was_replaced(self, world: World, server: Server) -> None:
        """After a restore of etcd the object is older than the finding; the read is the newest that there is."""
        freshness = make(world, server)
        server.findings = (finding(),)
        await freshness.prove()
        server.findings = ()
        await freshness.prove()
        await freshness.heal()
        assert desired(world) is DesiredStatus.AVAILABLE

    async def test_a_deletion_that_overtook_the_proof_is_no_loss(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        world.remove()
        server.findings = (finding(),)
        await freshness.prove()
        await freshness.prove()
        await freshness.heal()
        assert (server.refreshed, freshness.lost_events) == ([KEY], 0)
        assert world.picture.open_findings() == ()

    async def test_many_losses_are_one_comparison(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        for n in range(30):
            world.put(name=f"c{n}", uid=f"{n:08d}-0000-4000-8000-000000000000")
        server.findings = tuple(
            Finding(("team-a", f"c{n}"), f"{n:08d}-0000-4000-8000-000000000000", 500, 500) for n in range(30)
        )
        await freshness.prove()
        await freshness.prove()
        await freshness.heal()
        assert (server.comparisons, server.refreshed) == (1, [])

    async def test_many_deletions_that_overtook_the_proof_are_asked_about_once(
        self, world: World, server: Server
    ) -> None:
        """A namespace goes while a list is under way. No event of these objects will come any more."""
        freshness = make(world, server)
        server.findings = tuple(finding(key=("team-a", f"c{n}")) for n in range(30))
        await freshness.prove()
        server.findings = ()
        await freshness.prove()
        server.error = UnreachableError("down")
        await freshness.heal()
        assert len(world.picture.open_findings()) == 30  # nothing was learned
        server.error = None
        for _ in range(3):
            await freshness.prove()
            await freshness.heal()
        assert world.picture.open_findings() == ()
        assert (server.comparisons, freshness.lost_events) == (2, 0)

    async def test_what_a_proof_finds_during_a_comparison_outlives_it(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        server.findings = tuple(finding(key=("team-a", f"c{n}")) for n in range(30))
        await freshness.prove()
        await freshness.prove()
        newer = finding(60, ("team-a", "c0"))
        server.during_comparison = lambda: world.picture.deny(newer)
        await freshness.heal()
        assert world.picture.open_findings() == (newer,)

    async def test_a_list_older_than_the_watch_proves_nothing(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        server.resource_version, server.version = 2000, 1999
        assert await freshness.prove() is False
        await freshness.heal()
        assert server.comparisons == 1
        server.resource_version = 0  # the Reflector has started anew
        assert await freshness.prove()

    @pytest.mark.parametrize("error", [UnreachableError("down"), TimeoutError()])
    async def test_holds_are_listed_with_every_proof(self, world: World, server: Server, error: Exception) -> None:
        freshness = make(world, server)
        assert await freshness.prove()
        server.holds.error, server.findings = error, (finding(),)
        assert not await freshness.prove()
        assert (freshness.proofs, freshness.failures, len(server.holds.confirmed)) == (1, 1, 2)
        assert desired(world) is DesiredStatus.SUSPENDED  # what was found counts, although it is no proof
        server.holds.error = None
        assert await freshness.prove()

    async def test_every_kind_must_have_been_listed(self, world: World, server: Server) -> None:
        freshness = make(world, server)
        server.holds.last_list_started = None
        assert await freshness.prove()
        assert freshness.problem() is Problem.NOT_LISTED

    async def test_it_runs_by_itself(self, world: World, server: Server) -> None:
        freshness = make(world, server, Bounds(interval=0.001))
        server.findings, server.truth, world.version = (finding(),), {"desired": "Suspended"}, 49
        running = asyncio.create_task(freshness.run())
        async with asyncio.timeout(5):
            while freshness.lost_events == 0:
                server.asked.clear()
                await server.asked.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    async def test_a_bug_ends_it(self, world: World, server: Server) -> None:
        server.error = ZeroDivisionError()
        with pytest.raises(ExceptionGroup):
            await make(world, server).run()


class Lists:
    """A client that answers lists."""

    def __init__(self, *pages: Page) -> None:
        self.pages_ = pages
        self.asked: dict[str, Any] = {}

    async def pages(self, resource: object, **asked: Any) -> AsyncIterator[Page]:
        self.asked = asked
        for page in self.pages_:
            yield page


@pytest.mark.rule(17)
async def test_what_a_proof_asks() -> None:
    def item(name: str, version: int) -> dict[str, Any]:
        metadata = {"namespace": "n", "name": name, "uid": f"u-{name}", "generation": 3}
        return {"metadata": metadata | {"resourceVersion": str(version)}}

    client: Any = Lists(Page([item("a", 5)], "10"), Page([item("b", 7)], "10"))
    typed: KubeClient = client
    proof = await find_denied(typed, API_CLIENTS)
    assert client.asked == {"field_selector": DENIED_SELECTOR, "identity_only": True}
    assert proof == Proof((Finding(("n", "a"), "u-a", 5, 3), Finding(("n", "b"), "u-b", 7, 3)), 10)
    await find_denied(typed, API_CLIENTS, frozenset({"y", "x"}))
    assert client.asked["field_selector"] == f"{DENIED_SELECTOR},metadata.namespace!=x,metadata.namespace!=y"
