"""Verify by use: what is read, what is counted as lost and where, and what a failing API server changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from apiclients.gate.state.verification import Outcome, Verification
from apiclients.kube.cache import Verdict
from apiclients.kube.errors import KubeError, UnreachableError
from apiclients.kube.single_reads import Where
from apiclients.resources.refs import NamespacedName, ObjectRef
from tests.toolkit.waiting import async_eventually

pytestmark = pytest.mark.rule(17)

BILLING = ObjectRef("ApiClient", "team-a", "billing")
ORDERS = ObjectRef("ApiClient", "team-a", "orders")
BOUND = 0.5


@dataclass
class Source:
    """Stands for the Reflector of a kind, and for etcd and the cache behind it."""

    verdicts: dict[NamespacedName, list[Verdict | Exception]] = field(default_factory=dict)
    reads: list[NamespacedName] = field(default_factory=list)
    lost: set[NamespacedName] = field(default_factory=set)
    cached: bool = True
    unreachable: bool = False
    under_way: int = 0
    most: int = 0
    hold: asyncio.Event | None = None

    async def verify(self, namespace: str, name: str) -> Verdict:
        self.reads.append((namespace, name))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.hold:
                await self.hold.wait()
            if self.unreachable:
                raise UnreachableError("away")
        finally:
            self.under_way -= 1
        verdicts = self.verdicts.get((namespace, name))
        verdict = verdicts.pop(0) if verdicts else Verdict.SAME
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    def overdue(self, namespace: str, name: str) -> bool:
        return (namespace, name) in self.lost

    async def is_cached_as_known(self, namespace: str, name: str) -> bool:
        if self.unreachable:
            raise UnreachableError("away")
        return self.cached


@dataclass
class Rig:
    """A verification of clients, and what answers have rested on since it last looked."""

    rate: float = 1000.0
    source: Source = field(default_factory=Source)
    used: set[ObjectRef] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.verification = Verification(self.take, {"ApiClient": self.source}, self.rate, BOUND, moment=0.01)

    def take(self) -> set[ObjectRef]:
        taken, self.used = self.used, set()
        return taken

    async def until(self, outcome: Outcome, count: int = 1) -> None:
        outcomes = self.verification.outcomes
        await async_eventually(f"{outcome} is counted", lambda: outcomes[outcome] >= count)


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Verification]:
    task = asyncio.create_task(rig.verification.run())
    try:
        yield rig.verification
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_what_is_in_use_is_read_and_nothing_else() -> None:
    rig = Rig()
    async with running(rig) as verification:
        await asyncio.sleep(BOUND / 10)
        assert rig.source.reads == []
        rig.used.add(BILLING)
        await rig.until(Outcome.SAME)
        assert rig.source.reads == [BILLING.key]
        await async_eventually("nothing waits", lambda: not verification.waiting)
        assert verification.age == 0.0
        assert verification.lost_events == {}


@pytest.mark.parametrize(("cached", "where"), [(True, Where.WATCH), (False, Where.API_SERVER)])
async def test_a_lost_event_is_counted_and_told_by_where_it_was_lost(
    cached: bool, where: Where, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    rig.source.cached = cached
    rig.source.lost = {BILLING.key}
    rig.source.verdicts = {BILLING.key: [Verdict.DIFFERENT]}
    async with running(rig) as verification:
        rig.used.add(BILLING)
        await async_eventually("it is counted", lambda: verification.lost_events)
        assert verification.lost_events == {("ApiClient", where): 1}
        assert verification.outcomes[Outcome.DIFFERENT] == 1
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "lost an event of ApiClient team-a/billing" in record.message
    assert ("API server" in record.message) is (where is Where.API_SERVER)


async def test_what_the_watch_delivers_a_moment_later_is_not_lost() -> None:
    rig = Rig()
    rig.source.verdicts = {BILLING.key: [Verdict.DIFFERENT]}
    async with running(rig) as verification:
        rig.used.add(BILLING)
        await rig.until(Outcome.DIFFERENT)
        await asyncio.sleep(0.05)  # more than the moment
        assert verification.lost_events == {}


async def test_what_changes_just_now_is_read_again() -> None:
    rig = Rig()
    rig.source.verdicts = {BILLING.key: [Verdict.UNCLEAR, Verdict.UNCLEAR]}
    async with running(rig):
        rig.used.add(BILLING)
        await rig.until(Outcome.SAME)
        assert rig.source.reads == [BILLING.key] * 3


async def test_one_object_that_cannot_be_read_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.source.verdicts = {BILLING.key: [KubeError("forbidden")] * 10_000}
    async with running(rig) as verification:
        rig.used |= {BILLING, ORDERS}
        await rig.until(Outcome.SAME)
        await rig.until(Outcome.FAILED)
        assert ORDERS.key in rig.source.reads
        assert verification.waiting == 1
        assert verification.age > 0.0
    assert sum("cannot be read again" in record.message for record in caplog.records) >= 1


async def test_an_api_server_that_is_away_is_not_hammered_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig()
    rig.source.unreachable = True
    async with running(rig) as verification:
        rig.used |= {ObjectRef("ApiClient", "team-a", f"c-{number}") for number in range(100)}
        await rig.until(Outcome.FAILED)
        await asyncio.sleep(0.2)
        assert len(rig.source.reads) <= 10, "those that were under way"
        assert verification.waiting == 100
        rig.source.unreachable = False
        await rig.until(Outcome.SAME, 100)
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1


async def test_slow_answers_are_waited_for_by_few_at_once() -> None:
    rig = Rig()
    rig.source.hold = asyncio.Event()
    async with running(rig):
        rig.used |= {ObjectRef("ApiClient", "team-a", f"c-{number}") for number in range(100)}
        await async_eventually("many wait", lambda: rig.source.under_way == 10)
        await asyncio.sleep(0.05)
        rig.source.hold.set()
        await rig.until(Outcome.SAME, 100)
        assert rig.source.most == 10


async def test_the_rate_is_kept() -> None:
    rig = Rig(rate=50.0)
    async with running(rig):
        rig.used |= {ObjectRef("ApiClient", "team-a", f"c-{number}") for number in range(20)}
        await rig.until(Outcome.SAME)
        started = asyncio.get_running_loop().time()
        await rig.until(Outcome.SAME, 20)
        assert asyncio.get_running_loop().time() - started >= 17 / 50.0
