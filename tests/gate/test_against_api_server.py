"""The whole process against a real API server, as its own service account, and what it does when the watch lies."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from apiclients.gate.state.freshness import Bounds
from apiclients.kube.client import LEASES, SECRETS, KubeClient
from apiclients.kube.errors import ForbiddenError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.objects import WatchEvent
from apiclients.resources.names import GATE_LEASE_LABELS, PROOF_ANNOTATION, READY_ANNOTATION
from cluster import LocalCluster
from tests.gate.live import NAMESPACE, Admin, Running, gate
from tests.gate.support import ISSUER, SECRET, Caller
from tests.toolkit.waiting import async_eventually


@pytest.mark.rule(16, 17, 25)
async def test_from_the_start_to_a_suspension(admin: KubeClient, account: KubeClient) -> None:
    people = Admin(admin)
    with contextlib.suppress(Exception):
        await admin.delete(SECRETS, NAMESPACE, "apiclient-keys")
    made = await people.declare("billing")
    async with gate(account) as running:
        await running.until(functools.partial(running.status, "/healthz"))
        status, _, body = await running.call("GET", "/readyz")
        assert (status, body) == (503, b"not ready: there are no signing keys yet\n")
        await people.keys()
        await running.until(running.ready)
        token = await running.token_for(made)
        await running.answers(token, 200)
        for _ in range(3):
            await people.desire("billing", "Suspended")
            await running.answers(token, 401)
            await people.desire("billing", "Available")
            await running.answers(token, 200)
        assert running.freshness.lost_events == 0
        await admin.delete(SECRETS, NAMESPACE, "apiclient-keys")
        await running.until(functools.partial(_says, running, "apiclient_gate_keys_damaged 1.0"))
        assert (await running.call.check(token))[0] == 200
        await admin.delete(API_CLIENTS, "team-a", "billing")
        await running.answers(token, 401)
        status, _, text = await running.call("GET", "/metrics")
        assert 'apiclient_gate_lost_events_total{kind="apiclients",where="watch"} 0.0' in text.decode()
        assert SECRET not in text.decode()


async def test_health_and_metrics_on_a_port_of_their_own(admin: KubeClient, account: KubeClient) -> None:
    await Admin(admin).keys()
    async with gate(account, more=("--metrics-port", "0")) as running:
        server = running.process.health_server
        assert server is not None
        await async_eventually("it serves health", lambda: server.started)
        health = Caller(running.call.session, f"http://127.0.0.1:{server.port}")

        async def ready() -> bool:
            return (await health("GET", "/readyz"))[0] == 200

        await running.until(ready)
        for path in ("/metrics", "/healthz", "/readyz"):
            assert (await health("GET", path))[0] == 200, path
            assert await running.status(path) == 404, path
        assert (await health("GET", "/jwks"))[0] == 404
        assert await running.status("/jwks") == 200


async def _says(running: Running, line: str) -> bool:
    return line in (await running.call("GET", "/metrics"))[2].decode()


@pytest.mark.rule(17)
async def test_a_lost_event_is_found_by_a_proof(
    admin: KubeClient, account: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch swallows everything that a suspension sends; neither relist nor verification come to the rescue."""
    people = Admin(admin)
    await people.keys()
    made = await people.declare("lossy")
    deaf = False
    real_watch = account.watch

    async def watch(*args: Any, **more: Any) -> AsyncIterator[WatchEvent]:
        async for event in real_watch(*args, **more):
            body = event.object if isinstance(event.object, dict) else orjson.loads(memoryview(event.object))
            if not (deaf and body["metadata"].get("name") == "lossy"):
                yield event

    monkeypatch.setattr(account, "watch", watch)
    async with gate(account, Bounds(0.2, 2.0, 600.0), more=("--verify-rate", "0")) as running:
        await running.until(running.ready)
        token = await running.token_for(made)
        deaf = True
        await people.desire("lossy", "Suspended")
        await running.answers(token, 401)
        await running.until(functools.partial(_lost, running))
        assert running.process._state.picture.open_findings() == ()
        await people.desire("lossy", "Available")
        deaf = False
        await people.desire("lossy", "Retired")
        await people.desire("lossy", "Available")
        await running.answers(token, 200)


async def _lost(running: Running) -> bool:
    return bool(running.freshness.lost_events == 1)


@pytest.mark.rule(17)
@pytest.mark.parametrize(
    ("end", "begin"), [("stop_api_server", "start_api_server"), ("pause_api_server", "resume_api_server")]
)
async def test_without_an_api_server(
    cluster: LocalCluster, admin: KubeClient, account: KubeClient, end: str, begin: str
) -> None:
    """503 after the longest staleness, not before; and back again. Gone, or silent with all connections open."""
    people = Admin(admin)
    await people.keys()
    made = await people.declare("lonely")
    async with gate(account) as running:
        await running.until(running.ready)
        token = await running.token_for(made)
        await asyncio.to_thread(getattr(cluster, end))
        try:
            assert (await running.call.check(token))[0] == 200
            staleness = running.freshness.staleness
            while (await running.call.check(token))[0] == 200:
                assert staleness <= 2.0, "nothing is accepted that was asked for after the bound"
                staleness = running.freshness.staleness
            assert running.freshness.staleness > 2.0
            assert (await running.call.check(token))[0] == 503
            assert not await running.ready()
        finally:
            await asyncio.to_thread(getattr(cluster, begin))
        await running.answers(token, 200)
        assert await running.ready()


async def test_the_lease_tells_how_far_the_picture_is(admin: KubeClient, account: KubeClient) -> None:
    await Admin(admin).keys()
    async with gate(account) as running:
        await running.until(running.ready)
        selector = ",".join(f"{name}={value}" for name, value in GATE_LEASE_LABELS.items())

        async def told() -> bool:
            async for page in admin.pages(LEASES, NAMESPACE, label_selector=selector):
                for lease in page.items:
                    annotations = lease["metadata"]["annotations"]
                    assert lease["metadata"]["name"] == "apiclient-gate-test"
                    return bool(annotations[READY_ANNOTATION] == "true" and annotations[PROOF_ANNOTATION] != "never")
            return False

        await running.until(told)


@pytest.mark.rule(19)
async def test_it_may_read_no_other_secret(admin: KubeClient, account: KubeClient) -> None:
    with contextlib.suppress(Exception):
        await admin.create(SECRETS, "team-a", {"metadata": {"name": "billing-credentials", "namespace": "team-a"}})
    with pytest.raises(ForbiddenError):
        await account.get(SECRETS, "team-a", "billing-credentials")
    with pytest.raises(ForbiddenError):
        await account.get(SECRETS, NAMESPACE, "another")


async def test_the_program_starts_and_ends(cluster: LocalCluster, tmp_path: Path, admin: KubeClient) -> None:
    """The console entry as a process: ready, then SIGTERM, then status 0 within seconds; JSON logs throughout."""
    await Admin(admin).keys()
    kubeconfig = await asyncio.to_thread(cluster.service_account_kubeconfig, NAMESPACE, "apiclient-gate")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("apiclient-gate")),
        *("--issuer", ISSUER, "--host", "127.0.0.1", "--port", "0", "--kubeconfig", str(kubeconfig)),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while not any("using the signing keys" in line["message"] for line in lines):
            lines.append(json.loads(await process.stderr.readline()))
    process.terminate()
    async with asyncio.timeout(10):
        rest = await process.stderr.read()
        assert await process.wait() == 0
    assert [json.loads(line)["message"] for line in rest.splitlines()][-2:] == ["asked to end", "ended"]
