"""The whole process against a real API server, as its own service account, and what it does when the watch lies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from apiclients.gate.freshness import Bounds
from apiclients.gate.main import APICLIENTS, LEASE_LABELS, PROOF_ANNOTATION, READY_ANNOTATION, Process
from apiclients.gate.settings import parse_settings
from apiclients.kube.client import LEASES, SECRETS, KubeClient
from apiclients.kube.errors import ForbiddenError
from apiclients.kube.objects import WatchEvent
from apiclients.resources.keys import KEY_RING_KEY
from cluster import LocalCluster
from tests.gate.support import ISSUER, SECRET, Caller, client_object, credential, key_ring
from tests.manifests.rendered import MANIFESTS

NAMESPACE = "apiclients-system"
FAR = 4_000_000_000.0  # these tests run by the real clock


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster() as running:
        running.kubectl("apply", "-k", str(MANIFESTS / "control"))
        running.kubectl("wait", "--for=condition=Established", "crd/apiclients.apiclients.dev", "--timeout=60s")
        running.kubectl("create", "namespace", "team-a")
        yield running


@pytest.fixture
async def admin(cluster: LocalCluster) -> AsyncIterator[KubeClient]:
    async with await KubeClient.connect(kubeconfig=cluster.kubeconfig, user_agent="test") as client:
        yield client


@pytest.fixture
async def account(cluster: LocalCluster) -> AsyncIterator[KubeClient]:
    path = await asyncio.to_thread(cluster.service_account_kubeconfig, NAMESPACE, "apiclient-gate")
    async with await KubeClient.connect(kubeconfig=path, user_agent="apiclient-gate/test") as client:
        yield client


class Admin:
    """What people and the operator do."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client

    async def keys(self) -> None:
        with contextlib.suppress(Exception):
            await self.client.delete(SECRETS, NAMESPACE, "apiclient-keys")
        ring = base64.b64encode(orjson.dumps(key_ring().to_object())).decode()
        metadata = {"name": "apiclient-keys", "namespace": NAMESPACE}
        await self.client.create(SECRETS, NAMESPACE, {"metadata": metadata, "data": {KEY_RING_KEY: ring}})

    async def declare(self, name: str, desired: str = "Available") -> dict[str, Any]:
        with contextlib.suppress(Exception):
            await self.client.delete(APICLIENTS, "team-a", name)
        body = client_object(name, desired=desired, credentials=[credential(1, SECRET, expires=FAR)], not_before=1e9)
        body |= {"apiVersion": APICLIENTS.api_version, "kind": APICLIENTS.kind}
        body["metadata"] = {"name": name, "namespace": "team-a"}
        made = await self.client.create(APICLIENTS, "team-a", body)
        return await self.client.replace_status(APICLIENTS, "team-a", name, made | {"status": body["status"]})

    async def wish(self, name: str, desired: str) -> dict[str, Any]:
        return await self.client.merge_patch(APICLIENTS, "team-a", name, {"spec": {"desiredStatus": desired}})


class Running:
    """A gate process inside this one."""

    def __init__(self, process: Process, call: Caller) -> None:
        self.process = process
        self.call = call

    @property
    def freshness(self) -> Any:
        return self.process._freshness

    async def until(self, probe: Callable[[], Awaitable[object]], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not await probe():  # noqa: ASYNC110 - other processes set no events
                await asyncio.sleep(0.01)

    async def status(self, path: str, **more: Any) -> int:
        return (await self.call("GET", path, **more))[0]

    async def ready(self) -> bool:
        return await self.status("/readyz") == 200

    async def token_for(self, made: dict[str, Any]) -> str:
        client_id = f"team-a.{made['metadata']['name']}.{made['metadata']['uid'][:8]}"
        await self.until(lambda: self._knows(client_id))
        status, _, body = await self.call.token(auth=(client_id, SECRET))
        assert status == 200, body
        return str(body["access_token"])

    async def _knows(self, client_id: str) -> bool:
        return (await self.call.token(auth=(client_id, SECRET)))[0] == 200

    async def answers(self, token: str, status: int) -> None:
        async def probe() -> bool:
            return (await self.call.check(token))[0] == status

        await self.until(probe)


@asynccontextmanager
async def gate(client: KubeClient, bounds: Bounds | None = None) -> AsyncIterator[Running]:
    arguments = ["--issuer", ISSUER, "--host", "127.0.0.1", "--port", "0", "--replica-name", "test"]
    found = bounds or Bounds(interval=0.2, max_staleness=2.0, relist_interval=5.0)
    arguments += ["--proof-interval", str(found.interval), "--max-staleness", str(found.max_staleness)]
    arguments += ["--relist-interval", str(found.relist_interval), "--lease-interval", "0.5"]
    process = Process(parse_settings(arguments, {}), client, None)
    task = asyncio.create_task(process.run())
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(60):
            while not process.server.started:
                await asyncio.sleep(0.01)
                assert not task.done(), task
            yield Running(process, Caller(session, f"http://127.0.0.1:{process.server.port}"))
    finally:
        process.server.should_exit = True
        assert await asyncio.wait_for(task, 10) == 0


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
            await people.wish("billing", "Suspended")
            await running.answers(token, 401)
            await people.wish("billing", "Available")
            await running.answers(token, 200)
        assert running.freshness.lost_events == 0
        await admin.delete(SECRETS, NAMESPACE, "apiclient-keys")
        await running.until(functools.partial(_says, running, "apiclient_gate_keys_damaged 1.0"))
        assert (await running.call.check(token))[0] == 200
        await admin.delete(APICLIENTS, "team-a", "billing")
        await running.answers(token, 401)
        status, _, text = await running.call("GET", "/metrics")
        assert "apiclient_gate_lost_events_total 0.0" in text.decode()
        assert SECRET not in text.decode()


async def _says(running: Running, line: str) -> bool:
    return line in (await running.call("GET", "/metrics"))[2].decode()


@pytest.mark.rule(17)
async def test_a_lost_event_is_found_by_a_proof(
    admin: KubeClient, account: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch swallows everything that a suspension sends; no relist comes to the rescue."""
    people = Admin(admin)
    await people.keys()
    made = await people.declare("lossy")
    deaf = False
    real_watch = account.watch

    async def watch(*args: Any, **more: Any) -> AsyncIterator[WatchEvent]:
        async for event in real_watch(*args, **more):
            if not (deaf and event.object["metadata"].get("name") == "lossy"):
                yield event

    monkeypatch.setattr(account, "watch", watch)
    async with gate(account, Bounds(0.2, 2.0, 600.0)) as running:
        await running.until(running.ready)
        token = await running.token_for(made)
        deaf = True
        await people.wish("lossy", "Suspended")
        await running.answers(token, 401)
        await running.until(functools.partial(_lost, running))
        assert running.process._picture.open_findings() == ()
        await people.wish("lossy", "Available")
        deaf = False
        await people.wish("lossy", "Retired")
        await people.wish("lossy", "Available")
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
            while (await running.call.check(token))[0] == 200:
                assert running.freshness.staleness <= 2.1
                await asyncio.sleep(0.01)
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
        selector = ",".join(f"{name}={value}" for name, value in LEASE_LABELS.items())

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
