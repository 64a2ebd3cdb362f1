"""A gate process inside the test's own, against a real API server, and what people and the operator do to it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from apiclients.gate.main import Process
from apiclients.gate.state.freshness import Bounds
from apiclients.kube.client import SECRETS, KubeClient, ResourceType
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, APIS, CONTRACT_APPROVALS, CONTRACTS
from apiclients.resources.keys import KEY_RING_KEY
from apiclients.settings.gate import GateSettings
from apiclients.settings.load import load
from tests.gate.support import ISSUER, SECRET, Caller, client_object, credential, key_ring
from tests.toolkit.waiting import async_eventually

NAMESPACE = "apiclients-system"
FAR = 4_000_000_000.0  # these tests run by the real clock
KINDS = {"api": APIS, "contract": CONTRACTS, "approval": CONTRACT_APPROVALS, "hold": API_CLIENT_HOLDS}


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

    async def declare(self, name: str, desired: str = "Available", namespace: str = "team-a") -> dict[str, Any]:
        with contextlib.suppress(Exception):
            await self.client.delete(API_CLIENTS, namespace, name)
        body = client_object(name, desired=desired, credentials=[credential(1, SECRET, expires=FAR)], not_before=1e9)
        body |= {"apiVersion": API_CLIENTS.api_version, "kind": API_CLIENTS.kind}
        body["metadata"] = {"name": name, "namespace": namespace}
        made = await self.client.create(API_CLIENTS, namespace, body)
        return await self.client.replace_status(API_CLIENTS, namespace, name, made | {"status": body["status"]})

    async def make(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object as ``tests.gate.objects`` has it, with its status."""
        resource, meta = KINDS[kind], body["metadata"]
        made = await self.client.create(
            resource,
            meta["namespace"],
            _typed(resource, body) | {"metadata": {key: meta[key] for key in ("namespace", "name")}},
        )
        if not body.get("status"):
            return made
        status = {"status": body["status"]}
        return await self.client.replace_status(resource, meta["namespace"], meta["name"], made | status)

    async def drop(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """Delete an object; returns it, or what else the API server answers."""
        return await self.client.delete(KINDS[kind], namespace, name)

    async def desire(self, name: str, desired: str) -> dict[str, Any]:
        return await self.client.merge_patch(API_CLIENTS, "team-a", name, {"spec": {"desiredStatus": desired}})


def _typed(resource: ResourceType, body: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": resource.api_version, "kind": resource.kind, "spec": body["spec"]}


class Running:
    """A gate process inside this one."""

    def __init__(self, process: Process, call: Caller) -> None:
        self.process = process
        self.call = call

    @property
    def freshness(self) -> Any:
        return self.process._freshness

    async def until(self, probe: Callable[[], Awaitable[object]]) -> None:
        await async_eventually("the gate has caught up", probe)

    async def status(self, path: str, **more: Any) -> int:
        return (await self.call("GET", path, **more))[0]

    async def ready(self) -> bool:
        return await self.status("/readyz") == 200

    async def token_for(self, made: dict[str, Any]) -> str:
        meta = made["metadata"]
        client_id = f"{meta['namespace']}.{meta['name']}.{meta['uid'][:8]}"
        await self.until(lambda: self._knows(client_id))
        status, _, body = await self.call.token(auth=(client_id, SECRET))
        assert status == 200, body
        return str(body["access_token"])

    async def _knows(self, client_id: str) -> bool:
        return (await self.call.token(auth=(client_id, SECRET)))[0] == 200

    async def answers(self, token: str, status: int, path: str = "/check") -> None:
        async def probe() -> bool:
            return (await self.call.check(token, path))[0] == status

        await self.until(probe)


@asynccontextmanager
async def gate(
    client: KubeClient, bounds: Bounds | None = None, lease_interval: float = 0.5, more: tuple[str, ...] = ()
) -> AsyncIterator[Running]:
    arguments = ["--issuer", ISSUER, "--host", "127.0.0.1", "--port", "0", "--replica-name", "test"]
    found = bounds or Bounds(interval=0.2, max_staleness=2.0, relist_interval=5.0)
    arguments += ["--proof-interval", str(found.interval), "--max-staleness", str(found.max_staleness)]
    arguments += ["--relist-interval", str(found.relist_interval), "--lease-interval", str(lease_interval), *more]
    process = Process(load(GateSettings, arguments), client, None)
    task = asyncio.create_task(process.run())
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(60):
            await async_eventually("it serves, or has ended", lambda: process.server.started or task.done())
            assert not task.done(), task
            yield Running(process, Caller(session, f"http://127.0.0.1:{process.server.port}"))
    finally:
        process.server.should_exit = True
        assert await asyncio.wait_for(task, 60) == 0
