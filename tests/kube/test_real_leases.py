"""Leading and heartbeats against a real API server."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from apiclients.kube.client import LEASES, KubeClient
from apiclients.kube.errors import NotFoundError
from apiclients.kube.heartbeat import HeartbeatLease
from apiclients.kube.leases import LeadershipLostError, LeaseTimes, run_as_leader
from cluster import LocalCluster
from tests.toolkit.waiting import PATIENCE, async_eventually

#: A busy machine renews late, and no test waits for the end of such a lease.
TIMES = LeaseTimes(duration=60, renew_deadline=40, retry_period=1)
#: For those who lose it.
SHORT = LeaseTimes(duration=15, renew_deadline=3, retry_period=1)


class Rival:
    """A second client whose looks at the lease are counted: a candidate that tried and did not lead."""

    def __init__(self) -> None:
        self.looks = 0
        self.client: KubeClient

    def observe(self, verb: str, resource: str, code: int, seconds: float) -> None:
        self.looks += (verb, resource) == ("get", "leases")

    async def looked_again(self, times: int = 2) -> None:
        """Wait until the lease was looked at so many times more, the last look being decided on."""
        enough = self.looks + times + 1
        await async_eventually("the rival has looked again", lambda: self.looks >= enough)


@pytest.fixture
async def rival(cluster: LocalCluster) -> AsyncIterator[Rival]:
    rival = Rival()
    async with await KubeClient.connect(
        kubeconfig=cluster.kubeconfig, user_agent="rival/1", observe=rival.observe
    ) as rival.client:
        yield rival


class Candidate:
    """A process that wants to lead, as a task."""

    def __init__(self, client: KubeClient, namespace: str, identity: str, times: LeaseTimes = TIMES) -> None:
        self.started: float | None = None
        self.ended: float | None = None
        self.failure: Exception | None = None
        self.end = asyncio.Event()
        self.task = asyncio.create_task(
            run_as_leader(
                client,
                namespace,
                "leader",
                identity,
                self._work,
                times=times,
                labels={"app": "test"},
                annotations=lambda: {"of": identity},
            )
        )

    async def _work(self) -> str:
        self.started = time.monotonic()
        try:
            await self.end.wait()
            if self.failure:
                raise self.failure
            return "done"
        finally:
            self.ended = time.monotonic()

    @property
    def leads(self) -> bool:
        return self.started is not None and self.ended is None

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


async def lease(client: KubeClient, namespace: str, name: str = "leader") -> dict[str, Any]:
    return await client.get(LEASES, namespace, name)


async def test_one_leads_and_hands_over_at_once(client: KubeClient, rival: Rival, namespace: str) -> None:
    one = Candidate(client, namespace, "one")
    await async_eventually("one leads", lambda: one.leads)
    two = Candidate(rival.client, namespace, "two")
    held = await lease(client, namespace)
    assert held["spec"]["holderIdentity"] == "one"
    assert held["spec"]["leaseDurationSeconds"] == 60
    assert held["metadata"]["labels"] == {"app": "test"}
    await rival.looked_again()
    assert not two.leads

    stopped = time.monotonic()
    await one.stop()
    assert one.ended is not None
    await async_eventually("two leads", lambda: two.leads)
    assert two.started is not None
    assert one.ended <= two.started
    assert two.started - stopped < TIMES.duration / 2, "released: the successor does not wait for its end"
    taken = await lease(client, namespace)
    assert taken["metadata"]["annotations"] == {"of": "two"}
    assert taken["spec"]["leaseTransitions"] >= 1
    assert taken["spec"]["acquireTime"] > held["spec"]["acquireTime"]
    await two.stop()
    assert (await lease(client, namespace))["spec"].get("holderIdentity", "") == ""


async def test_history_that_was_set_back_ends_the_lead(
    client: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches would miss everything until the old versions are reached again."""
    one = Candidate(client, namespace, "one")
    await async_eventually("one leads", lambda: one.leads)
    replace = client.replace

    async def from_a_backup(*args: Any, **options: Any) -> Any:
        lease = await replace(*args, **options)
        return {**lease, "metadata": {**lease["metadata"], "resourceVersion": "1"}}

    monkeypatch.setattr(client, "replace", from_a_backup)
    with pytest.raises(LeadershipLostError, match="history was set back"):
        await asyncio.wait_for(one.task, 30)


async def test_the_end_of_the_work_ends_the_lead(client: KubeClient, namespace: str) -> None:
    good = Candidate(client, namespace, "good")
    good.end.set()
    assert await good.task == "done"
    bad = Candidate(client, namespace, "bad")
    bad.failure = RuntimeError("boom")
    bad.end.set()
    with pytest.raises(RuntimeError, match="boom"):
        await bad.task
    assert not (await lease(client, namespace))["spec"].get("holderIdentity")


async def test_a_dead_leader_is_replaced_when_its_lease_expires(client: KubeClient, namespace: str) -> None:
    now = "2026-01-01T00:00:00.000000Z"
    spec = {"holderIdentity": "dead", "leaseDurationSeconds": 2, "renewTime": now, "acquireTime": now}
    await client.create(LEASES, namespace, {"metadata": {"name": "leader"}, "spec": spec})
    began = time.monotonic()
    two = Candidate(client, namespace, "two")
    await async_eventually("two leads", lambda: two.leads)
    assert two.started is not None
    assert two.started - began >= 2.0, "its age in wall time proves nothing: it must be seen unchanged that long"
    await two.stop()


async def test_a_stepped_wall_clock_takes_no_lease(
    client: KubeClient, rival: Rival, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Candidate(client, namespace, "one")
    await async_eventually("one leads", lambda: one.leads)
    two = Candidate(rival.client, namespace, "two")
    step = 0.0
    real = time.time
    monkeypatch.setattr("kubernetes.aio.leaderelection.leaderelection.time.time", lambda: real() + step)
    await rival.looked_again(1)
    for step in (3600.0, -3600.0):  # noqa: B007
        await rival.looked_again(1)
        assert not two.leads
    await one.stop()
    await async_eventually("two leads", lambda: two.leads)
    await two.stop()


async def test_a_lease_that_another_took_is_lost(client: KubeClient, namespace: str) -> None:
    one = Candidate(client, namespace, "one")
    await async_eventually("one leads", lambda: one.leads)
    await client.merge_patch(LEASES, namespace, "leader", {"spec": {"holderIdentity": "thief"}})
    with pytest.raises(LeadershipLostError, match="another process"):
        await asyncio.wait_for(one.task, PATIENCE)
    assert one.ended is not None
    assert (await lease(client, namespace))["spec"]["holderIdentity"] == "thief"


async def test_a_deleted_lease_is_made_anew(client: KubeClient, namespace: str) -> None:
    one = Candidate(client, namespace, "one")
    await async_eventually("one leads", lambda: one.leads)
    old = (await lease(client, namespace))["metadata"]["uid"]
    await client.delete(LEASES, namespace, "leader")

    async def renewed() -> bool:
        try:
            return bool((await lease(client, namespace))["metadata"]["uid"] != old)
        except NotFoundError:
            return False

    await async_eventually("it is made anew", renewed)
    assert one.leads
    await one.stop()


async def test_without_the_api_server_the_work_ends_before_the_lease(
    cluster: LocalCluster, client: KubeClient, namespace: str
) -> None:
    one = Candidate(client, namespace, "one", SHORT)
    await async_eventually("one leads", lambda: one.leads)
    cluster.pause_api_server()
    try:
        paused = time.monotonic()
        with pytest.raises(LeadershipLostError, match="in time"):
            await asyncio.wait_for(one.task, PATIENCE)
        assert one.ended is not None
        assert one.ended - paused < SHORT.duration
    finally:
        cluster.resume_api_server()


async def test_work_that_does_not_end_is_left_behind(client: KubeClient, namespace: str) -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if ended.is_set():
                    raise

    ended = asyncio.Event()
    leader = asyncio.create_task(run_as_leader(client, namespace, "leader", "one", stubborn, times=TIMES))
    await async_eventually("the Lease is there", lambda: exists(client, namespace, "leader"))
    await client.merge_patch(LEASES, namespace, "leader", {"spec": {"holderIdentity": "thief"}})
    with pytest.raises(LeadershipLostError):
        await asyncio.wait_for(leader, PATIENCE)
    ended.set()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_a_candidate_can_be_cancelled_while_it_waits(client: KubeClient, rival: Rival, namespace: str) -> None:
    one = Candidate(client, namespace, "one")
    await async_eventually("one leads", lambda: one.leads)
    two = Candidate(rival.client, namespace, "two")
    await rival.looked_again(0)
    await two.stop()
    assert two.task.cancelled()
    assert one.leads
    await one.stop()


async def test_times_that_make_no_sense(client: KubeClient, namespace: str) -> None:
    candidate = Candidate(client, namespace, "one", LeaseTimes(duration=5, renew_deadline=10))
    with pytest.raises(ValueError, match="lease_duration"):
        await candidate.task


async def test_a_heartbeat_says_how_far_it_is(client: KubeClient, namespace: str) -> None:
    picture = 0

    def annotations() -> dict[str, str]:
        nonlocal picture
        picture += 1
        if picture == 2:
            raise RuntimeError("not now")
        return {"applied": str(picture)}

    heartbeat = HeartbeatLease(client, namespace, "gate-1", {"app": "gate"}, annotations, renew_seconds=0.05)
    task = asyncio.create_task(heartbeat.run())

    async def applied(at_least: int) -> bool:
        try:
            found = await lease(client, namespace, "gate-1")
        except NotFoundError:
            return False
        return int(found["metadata"]["annotations"]["applied"]) >= at_least

    await async_eventually("version 4 is applied", lambda: applied(4))
    found = await lease(client, namespace, "gate-1")
    assert found["metadata"]["labels"] == {"app": "gate"}
    assert found["spec"]["holderIdentity"] == "gate-1"
    await client.delete(LEASES, namespace, "gate-1")
    await async_eventually("version 5 is applied", lambda: applied(5))
    task.cancel()
    await asyncio.wait({task})
    with pytest.raises(NotFoundError):
        await lease(client, namespace, "gate-1")


async def test_a_heartbeat_that_ends_amid_a_renewal_takes_its_lease_along(
    client: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API server may carry out what nobody waits for any more, after the deletion."""
    sent, go_on, apply = asyncio.Event(), asyncio.Event(), client.apply
    requests = []

    async def carry_out(*arguments: Any, **options: Any) -> Any:
        sent.set()
        await go_on.wait()
        return await apply(*arguments, **options)

    async def slow_apply(*arguments: Any, **options: Any) -> Any:
        requests.append(asyncio.create_task(carry_out(*arguments, **options)))
        return await asyncio.shield(requests[0])

    monkeypatch.setattr(client, "apply", slow_apply)
    heartbeat = HeartbeatLease(client, namespace, "gate-3", {}, dict, renew_seconds=3600)
    task = asyncio.create_task(heartbeat.run())
    await sent.wait()
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait({task, *requests})
    assert not await exists(client, namespace, "gate-3")


async def test_a_heartbeat_with_news_comes_at_once(client: KubeClient, namespace: str) -> None:
    counted = itertools.count(1)
    heartbeat = HeartbeatLease(
        client, namespace, "gate-2", {}, lambda: {"applied": str(next(counted))}, renew_seconds=3600
    )
    task = asyncio.create_task(heartbeat.run())

    async def applied(count: str) -> bool:
        return await exists(client, namespace, "gate-2") and (
            (await lease(client, namespace, "gate-2"))["metadata"]["annotations"]["applied"] == count
        )

    await async_eventually("version 1 is applied", lambda: applied("1"))
    heartbeat.renew_soon()
    await async_eventually("version 2 is applied", lambda: applied("2"))
    task.cancel()
    await asyncio.wait({task})


async def exists(client: KubeClient, namespace: str, name: str) -> bool:
    try:
        await lease(client, namespace, name)
    except NotFoundError:
        return False
    return True
