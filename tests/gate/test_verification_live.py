"""Verify by use on a real API server: what a gate has let pass is read again, and a lost end is found in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apiclients.gate.state.freshness import Bounds
from apiclients.kube.client import KubeClient
from cluster import LocalCluster
from tests.gate.live import NAMESPACE, Admin, Running
from tests.gate.objects import CONTRACT, hold_object
from tests.gate.test_contracts_live import CHANGES, PATH, people, token_for_orders
from tests.toolkit.proxy import FaultProxy
from tests.toolkit.waiting import async_eventually

pytestmark = pytest.mark.rule(17)

__all__ = ["people"]

MAX_STALENESS = 4.0
BOUNDS = Bounds(0.5, MAX_STALENESS, 600.0)  # no relist comes to the rescue
KINDS = ("apiclients", "contracts", "contractapprovals", "apis", "apiclientholds")


@pytest.fixture
def proxy(cluster: LocalCluster) -> Iterator[FaultProxy]:
    with FaultProxy(cluster) as running:
        yield running


@pytest.fixture
async def behind(cluster: LocalCluster, proxy: FaultProxy, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """The gate's account behind a proxy that can lose events."""
    direct = tmp_path / "direct"
    await asyncio.to_thread(cluster.service_account_kubeconfig, NAMESPACE, "apiclient-gate", direct)
    path = proxy.kubeconfig(tmp_path / "kubeconfig", direct.with_name("direct.token"))
    async with await KubeClient.connect(kubeconfig=path, user_agent="apiclient-gate/test") as client:
        yield client


async def metric(running: Running, series: str) -> float:
    text = (await running.call("GET", "/metrics"))[2].decode()
    (line,) = [line for line in text.splitlines() if line.startswith(f"apiclient_gate_{series} ")]
    return float(line.rsplit(" ", 1)[1])


async def test_what_is_used_is_verified_and_what_is_not_is_left_alone(people: Admin, account: KubeClient) -> None:
    async with token_for_orders(account, people, BOUNDS) as (running, token):

        async def quiet() -> bool:
            return await metric(running, "objects_to_verify") == 0

        async def verified() -> float:
            return await metric(running, 'verifications_total{outcome="same"}')

        # Client, contract, Api and approval, and the hold that does not exist: once for all that was used until now.
        await running.until(_above(verified, 5))
        await async_eventually("all are verified", quiet)
        before = await verified()
        assert (await running.call.check(token, PATH))[0] == 200
        await running.until(_above(verified, before + 4))
        await async_eventually("all are verified", quiet)
        assert await metric(running, "verified_age_seconds") == 0.0
        assert await metric(running, 'verifications_total{outcome="different"}') == 0
        assert await metric(running, 'verifications_total{outcome="failed"}') == 0
        after = await verified()
        await asyncio.sleep(1)  # nothing may happen
        assert await verified() == after, "nothing in use, nothing read"


async def _hold_by_name(people: Admin) -> Any:
    return await people.make("hold", hold_object("billing"))


ENDS: dict[str, tuple[str, int, Callable[[Admin], Awaitable[Any]]]] = {
    name: CHANGES[name] for name in CHANGES if name != "hold placed"
} | {"hold by name": ("apiclientholds", 401, _hold_by_name)}


@pytest.mark.parametrize("name", ENDS)
async def test_a_lost_end_of_what_is_in_use_is_found_in_time(
    people: Admin, behind: KubeClient, proxy: FaultProxy, name: str
) -> None:
    plural, status, end = ENDS[name]
    async with token_for_orders(behind, people, BOUNDS) as (running, token):
        proxy.mute(*KINDS)
        ended = time.monotonic()
        await end(people)
        while (await running.call.check(token, PATH))[0] == 200:
            assert time.monotonic() - ended < MAX_STALENESS, "a yes after the bound"
            await asyncio.sleep(0.02)
        assert (await running.call.check(token, PATH))[0] == status
        if name not in ("client suspended", "hold by name"):  # those may be found by a proof as well
            lost = _above(lambda: metric(running, f'lost_events_total{{kind="{plural}",where="watch"}}'), 1)
            await running.until(lost)
            assert await metric(running, f'lost_events_total{{kind="{plural}",where="api_server"}}') == 0


async def test_with_verification_off_only_a_list_would_find_it(
    people: Admin, behind: KubeClient, proxy: FaultProxy
) -> None:
    """A test of the tests above."""
    async with token_for_orders(behind, people, BOUNDS, "--verify-rate=0") as (running, token):
        proxy.mute(*KINDS)
        await people.drop("contract", *CONTRACT)
        end = time.monotonic() + MAX_STALENESS + 1
        while time.monotonic() < end:
            assert (await running.call.check(token, PATH))[0] == 200
            await asyncio.sleep(0.05)
        text = (await running.call("GET", "/metrics"))[2].decode()
        assert "apiclient_gate_verified_age_seconds NaN" in text


def _above(value: Callable[[], Awaitable[float]], least: float) -> Callable[[], Awaitable[bool]]:
    async def probe() -> bool:
        return await value() >= least

    return probe
