"""A gate that may open few files keeps some from callers: a flood of connections stops no proof."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from apiclients.gate.http.protocol import MAX_CONNECTIONS
from apiclients.gate.open_files import RESERVED_FILES, max_connections, shares
from apiclients.kube.client import KubeClient
from cluster import LocalCluster
from tests.gate.live import NAMESPACE, Admin
from tests.gate.support import ISSUER
from tests.toolkit.waiting import async_eventually

LIMIT = 128
FLOOD = 400


@pytest.mark.parametrize(
    ("limit", "connections"),
    [
        (resource.RLIM_INFINITY, MAX_CONNECTIONS),
        (1_048_576, MAX_CONNECTIONS),
        (LIMIT, LIMIT - RESERVED_FILES),
        (RESERVED_FILES, 1),
    ],
)
def test_connections_by_limit(limit: int, connections: int) -> None:
    assert max_connections(limit) == connections


@pytest.mark.parametrize(
    ("connections", "callers", "health"),
    [(MAX_CONNECTIONS, MAX_CONNECTIONS * 7 // 8, MAX_CONNECTIONS // 8), (64, 48, 16), (1, 1, 16)],
)
def test_a_port_of_health_and_metrics_has_connections_of_its_own(connections: int, callers: int, health: int) -> None:
    assert shares(connections) == (callers, health)


@asynccontextmanager
async def limited_gate(kubeconfig: Path) -> AsyncIterator[int]:
    """A gate whose soft limit is lower than its hard one; yields its port."""
    program = Path(sys.executable).with_name("apiclient-gate")
    arguments = f"--issuer {ISSUER} --host 127.0.0.1 --port 0 --proof-interval 0.1 --kubeconfig {kubeconfig}"
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f"ulimit -Sn 64 && ulimit -Hn {LIMIT} && exec {program} {arguments}"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(30):
            while not said or "listening on" not in said[-1]:
                said.append(json.loads(await process.stderr.readline())["message"])
        assert f"open files: {LIMIT} at most, for connections of callers: {LIMIT - RESERVED_FILES}" in said
        drain = asyncio.create_task(process.stderr.read())
        yield int(said[-1].rpartition(":")[2])
        process.terminate()
        async with asyncio.timeout(20):
            await drain
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_flood_of_connections_stops_no_proof(cluster: LocalCluster, admin: KubeClient) -> None:
    await Admin(admin).keys()
    kubeconfig = await asyncio.to_thread(cluster.service_account_kubeconfig, NAMESPACE, "apiclient-gate")
    connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=60)
    async with limited_gate(kubeconfig) as port, aiohttp.ClientSession(connector=connector) as session:

        async def proofs(outcome: str) -> float:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                text = await answer.text()
            found = re.search(rf'apiclient_gate_freshness_proofs_total{{outcome="{outcome}"}} (\S+)', text)
            return float(found[1]) if found else 0.0

        async def proved(more_than: float) -> bool:
            return await proofs("ok") > more_than

        await async_eventually("a proof", lambda: proved(0))
        failed = await proofs("failed")
        writers: list[asyncio.StreamWriter] = []
        for _ in range(FLOOD):
            with contextlib.suppress(OSError):
                writers.append((await asyncio.open_connection("127.0.0.1", port))[1])
        before = await proofs("ok")
        await async_eventually("proofs go on", lambda: proved(before + 5))
        assert await proofs("failed") == failed
        for writer in writers:
            writer.close()
