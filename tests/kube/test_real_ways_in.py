"""Ways to the API server that its address alone does not tell: through a proxy, and by another name."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from apiclients.kube.client import NAMESPACES, KubeClient
from apiclients.kube.errors import UnreachableError
from cluster import LocalCluster


class Proxy:
    """An HTTP proxy that knows CONNECT, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.port = 0
        self._tunnels: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        target = head[0].split()[1]
        self.asked.append({"target": target, **fields})
        host, _, port = target.rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for pair in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pump(*pair))
            self._tunnels.add(task)
            task.add_done_callback(self._tunnels.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def close(self) -> None:
        for task in list(self._tunnels):
            task.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    made = Proxy()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await made.close()


def described(cluster: LocalCluster, path: Path, **more: str) -> Path:
    """The administrator's kubeconfig, with more said of the cluster."""
    content: dict[str, Any] = yaml.safe_load(cluster.kubeconfig.read_text())
    content["clusters"][0]["cluster"] |= more
    path.write_text(yaml.safe_dump(content))
    return path


async def answers_to_both(client: KubeClient) -> None:
    """The client itself and the session that kopf gets."""
    assert await client.get(NAMESPACES, None, "default")
    path = f"{client.server}/api/v1/namespaces/default"
    async with client.new_session(1) as session, session.get(path) as response:
        assert response.status == 200


async def test_through_a_proxy(cluster: LocalCluster, proxy: Proxy, tmp_path: Path) -> None:
    url = f"http://user:word@127.0.0.1:{proxy.port}"
    path = described(cluster, tmp_path / "kubeconfig", **{"proxy-url": url})
    async with await KubeClient.connect(kubeconfig=path, user_agent="t/1") as client:
        await answers_to_both(client)
    targets = [asked["target"] for asked in proxy.asked]
    assert targets == [cluster.server.removeprefix("https://")] * 2, "TLS goes through it, to the API server itself"
    credentials = "basic " + base64.b64encode(b"user:word").decode().lower()
    assert {asked["proxy-authorization"] for asked in proxy.asked} == {credentials}


@pytest.mark.parametrize("through_proxy", [False, True])
async def test_the_certificate_is_for_the_name_that_the_kubeconfig_says(
    cluster: LocalCluster, proxy: Proxy, tmp_path: Path, through_proxy: bool
) -> None:
    more = {"proxy-url": f"http://127.0.0.1:{proxy.port}"} if through_proxy else {}
    right = described(cluster, tmp_path / "right", **more, **{"tls-server-name": "kubernetes.default.svc"})
    async with await KubeClient.connect(kubeconfig=right, user_agent="t/1") as client:
        await answers_to_both(client)
    wrong = described(cluster, tmp_path / "wrong", **more, **{"tls-server-name": "api.example.com"})
    async with await KubeClient.connect(kubeconfig=wrong, user_agent="t/1") as client:
        with pytest.raises(UnreachableError, match=r"(?i)hostname|certificate"):
            await client.get(NAMESPACES, None, "default")
        async with client.new_session(1) as session:
            with pytest.raises(aiohttp.ClientSSLError):
                await session.get(f"{client.server}/api/v1/namespaces/default")
