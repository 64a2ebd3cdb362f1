"""A gate that ends loses no call: it answers on open connections, says that they close, and takes no new ones."""

from __future__ import annotations

import asyncio

import pytest

from apiclients.gate.http.server import GateServer, make_server
from apiclients.gate.main import serve_with
from tests.gate.raw import Raw, get, raw
from tests.gate.support import World
from tests.toolkit.waiting import async_eventually


class Ending:
    """A server, and its end once it is asked for."""

    def __init__(self, world: World) -> None:
        self.server: GateServer = make_server(world.app(), "127.0.0.1", 0)
        self.task = asyncio.create_task(self.server.serve())

    async def started(self) -> GateServer:
        await async_eventually("it listens", lambda: self.server.started)
        return self.server

    async def ask(self) -> None:
        """Ask it to end, and wait until it listens no more."""
        port = self.server.port
        self.server.should_exit = True
        async with asyncio.timeout(5):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionError:  # refused, or reset as the listener was closing
                    return
                writer.close()
                await asyncio.sleep(0.01)


def check(world: World) -> str:
    return get("/check", f"Authorization: Bearer {world.token()}")


@pytest.mark.parametrize("path", ["/check", "/jwks"])
async def test_an_open_connection_gets_its_last_answer(world: World, path: str) -> None:
    ending = Ending(world)
    async with raw(await ending.started()) as busy:
        request = get(path, f"Authorization: Bearer {world.token()}")
        first = await busy.ask(request)
        assert (first.status, first.headers.get("connection")) == (200, None)
        await ending.ask()
        last = await busy.ask(request)
        assert (last.status, last.headers["connection"]) == (200, "close")
        assert await busy.closed() == b""
        async with asyncio.timeout(2):
            await ending.task


async def test_calls_in_a_closed_loop_are_all_answered(world: World) -> None:
    ending = Ending(world)
    server, request = await ending.started(), check(world)

    async def call_until_closed(connection: Raw, answers: list[int]) -> None:
        while True:
            answer = await connection.ask(request)
            answers.append(answer.status)
            if answer.headers.get("connection") == "close":
                return

    answers: list[int] = []
    async with asyncio.timeout(20), asyncio.TaskGroup() as group, raw(server) as one, raw(server) as two:
        loops = [group.create_task(call_until_closed(connection, answers)) for connection in (one, two)]
        await async_eventually("a hundred answers", lambda: len(answers) >= 100)
        await ending.ask()
        await asyncio.gather(*loops)
    assert set(answers) == {200}
    await ending.task


async def test_idle_connections_do_not_keep_it(world: World) -> None:
    ending = Ending(world)
    server = await ending.started()
    server.drain_seconds = 0.2
    async with raw(server) as idle:
        await idle.ask(check(world))
        server.should_exit = True
        assert await idle.closed() == b""
        async with asyncio.timeout(2):
            await ending.task


async def test_a_gate_that_is_half_alive_answers_nobody(world: World) -> None:
    server = make_server(world.app(), "127.0.0.1", 0)
    dying = asyncio.Event()

    async def watch() -> None:
        await dying.wait()

    ended = asyncio.create_task(serve_with(server, {watch(): "the watch"}))
    await async_eventually("it listens", lambda: server.started)
    async with raw(server) as connection:
        await connection.ask(check(world))
        dying.set()
        assert await connection.closed() == b""
        assert await asyncio.wait_for(ended, 2) == 1
