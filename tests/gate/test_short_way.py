"""The short way: checks that are nothing but a head are answered as soon as they are read, all others through ASGI."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from apiclients.gate.http.protocol import BoundedProtocol
from apiclients.gate.http.replies import Reply
from apiclients.gate.http.server import GateServer
from apiclients.gate.state.problems import Problem
from tests.gate.objects import api_object, contract_object
from tests.gate.raw import Raw, get, raw
from tests.gate.support import ISSUER, World, serving
from tests.toolkit.waiting import async_eventually


@pytest.fixture
async def server(world: World) -> AsyncIterator[GateServer]:
    async with serving(world.app()) as running:
        yield running


def _more(headers: str, body: str = "") -> Callable[[str], str]:
    return lambda text: text.replace("\r\n\r\n", f"\r\n{headers}\r\n\r\n{body}")


UNUSUAL: dict[str, Callable[[str], str]] = {
    "a body": _more("Content-Length: 3", "abc"),
    "chunks": _more("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
    "the last one": _more("Connection: close"),
    "HTTP/1.0": lambda text: text.replace("HTTP/1.1", "HTTP/1.0"),
    "an upgrade": _more("Connection: Upgrade\r\nUpgrade: x"),
    "after another": lambda text: get("/jwks") + text,
}


@pytest.mark.parametrize("unusual", UNUSUAL)
@pytest.mark.parametrize("path", ["/check", "/check/x?y=z", "/authz", "/authz/team-b/orders/v1?x", "/authz/a/b"])
@pytest.mark.parametrize("who", ["good", "bad", "nobody", "twice", "broken"])
async def test_both_ways_lead_to_the_same_answer(
    world: World, server: GateServer, path: str, who: str, unusual: str
) -> None:
    world.tell("api", api_object())
    world.tell("contract", contract_object())
    good = f"Authorization: Bearer {world.token(aud=[ISSUER, f'{ISSUER}/apis/team-b/orders'])}"
    headers = {"good": [good], "bad": [good + "x"], "nobody": [], "twice": [good, good], "broken": [good]}[who]
    world.evidence.why = Problem.STALE if who == "broken" else None
    text = get(path, *headers)
    async with raw(server) as usual, raw(server) as other:
        short = await usual.ask(text)
        await other.send(UNUSUAL[unusual](text))
        long = await other.answer()
        if unusual == "after another":
            long = await other.answer()
    assert server.server_state.total_requests == (3 if unusual == "after another" else 2)
    for answer in (short, long):
        answer.headers.pop("date", None)
        answer.headers.pop("connection", None)
    assert short == long


async def test_a_head_has_no_body(server: GateServer) -> None:
    async with raw(server) as connection:
        await connection.send(get("/authz/a/b").replace("GET", "HEAD") + get("/jwks"))
        assert (await connection.answer()).status == 401
        assert (await connection.answer()).status == 200


async def test_who_does_not_read_is_not_answered_for_ever(server: GateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that nobody takes would fill the memory."""
    monkeypatch.setattr(BoundedProtocol, "message_seconds", 600)  # requests wait while reading is paused
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", server.port))
    connection, count = Raw(*await asyncio.open_connection(sock=narrow, limit=4096)), 60_000
    sending = asyncio.create_task(connection.send(get("/check") * count))
    protocol = await _only_connection(server)
    await async_eventually("reading is paused", lambda: protocol.flow.read_paused)
    assert protocol.transport.get_write_buffer_size() < 512 * 1024
    async with asyncio.timeout(300):
        for _ in range(count):
            assert (await connection.answer()).status == 401
    await sending
    connection.writer.close()


async def test_a_line_break_in_a_header_never_gets_out(
    world: World, server: GateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apiclients.gate.http.app._NO_CREDENTIALS", Reply(200, [(b"x-client-id", b"a\r\nx-other: b")]))
    async with raw(server) as connection:
        answer = await connection.ask(get("/check"))
    assert (answer.status, "x-other" in answer.headers) == (500, False)


async def _only_connection(server: GateServer) -> BoundedProtocol:
    await async_eventually("there is a connection", lambda: server.server_state.connections)
    (protocol,) = server.server_state.connections
    assert isinstance(protocol, BoundedProtocol)
    return protocol
