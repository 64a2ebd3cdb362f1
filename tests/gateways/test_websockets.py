"""A WebSocket is opened after the gate said yes, and what bounds it afterwards."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout, WSMsgType, WSServerHandshakeError
from multidict import CIMultiDict

from examples.gateways.render import CADDY, ENVOY, Gateway
from tests.gateways.arena import Arena, Running, running
from tests.toolkit.waiting import PATIENCE


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "X-Client-Id": "forged"}


async def test_a_websocket_passes_and_the_api_learns_who_called(arena: Arena, gateway: Running) -> None:
    url = f"http://127.0.0.1:{gateway.port}/feed"
    async with (
        ClientSession(timeout=ClientTimeout(20)) as session,
        session.ws_connect(url, headers=_headers(arena.token)) as socket,
    ):
        told = CIMultiDict([(name, value) for name, value in await socket.receive_json(timeout=20)])
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=20) == "hello"
    assert told.getall("X-Client-Id") == [arena.billing.get()["status"]["clientId"]]
    assert "Authorization" not in told


async def test_a_websocket_without_a_contract_is_not_opened(arena: Arena, gateway: Running) -> None:
    async with ClientSession(timeout=ClientTimeout(20)) as session:
        with pytest.raises(WSServerHandshakeError) as refused:
            await session.ws_connect(f"http://127.0.0.1:{gateway.port}/feed", headers=_headers(arena.strangers_token))
    assert refused.value.status == 403


async def test_a_suspension_does_not_cut_what_is_open(arena: Arena) -> None:
    """No gateway asks again: docs/gateways.md tells what bounds it."""
    admin = arena.product.admin
    async with ClientSession(timeout=ClientTimeout(20)) as session, AsyncExitStack() as stack:
        sockets = {}
        for name, gateway in arena.gateways.items():
            url = f"http://127.0.0.1:{gateway.port}/feed"
            sockets[name] = await stack.enter_async_context(session.ws_connect(url, headers=_headers(arena.token)))
            await sockets[name].receive_json(timeout=20)
        admin.patch("apiclients", "shop", "billing", {"spec": {"desiredStatus": "Suspended"}})
        try:
            await asyncio.to_thread(arena.until_gates_say, 401)
            for name, socket in sockets.items():
                await socket.send_str(name)
                assert await socket.receive_str(timeout=20) == name
        finally:
            admin.patch("apiclients", "shop", "billing", {"spec": {"desiredStatus": "Available"}})
            await asyncio.to_thread(arena.until_passes)


@pytest.mark.parametrize(
    ("gateway", "edit"),
    [
        (ENVOY, ("max_stream_duration: 3600s", "max_stream_duration: 1s")),
        (CADDY, ("stream_timeout 1h", "stream_timeout 1s")),
    ],
    ids=["envoy", "caddy"],
)
async def test_envoy_and_caddy_end_one_that_goes_on_talking(
    arena: Arena, tmp_path: Path, gateway: Gateway, edit: tuple[str, str]
) -> None:
    with running(gateway, tmp_path, arena.product, arena.backend, edit=edit) as bounded:
        async with (
            ClientSession(timeout=ClientTimeout(20)) as session,
            session.ws_connect(f"http://127.0.0.1:{bounded.port}/feed", headers=_headers(arena.token)) as socket,
        ):
            await socket.receive_json(timeout=20)
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                await socket.send_str("still here")
                if (await socket.receive(timeout=20)).type is not WSMsgType.TEXT:
                    break
            assert time.monotonic() < end
