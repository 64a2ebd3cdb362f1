"""What reaches the gate is bounded, seen from a raw socket: heads, bodies, times, connections."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from apiclients.gate.http.protocol import MAX_HEADERS, BoundedProtocol
from apiclients.gate.http.server import GateServer
from tests.gate.raw import get, raw
from tests.gate.support import CLIENT_ID, FORM, SECRET, Caller, World, serving

BASIC = aiohttp.encode_basic_auth(CLIENT_ID, SECRET)
FORM_TYPE = "Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
async def server(world: World) -> AsyncIterator[GateServer]:
    async with serving(world.app(body_seconds=0.2)) as running:
        yield running


def post(path: str, body: str, *headers: str) -> str:
    lines = [f"POST {path} HTTP/1.1", "Host: gate", f"Authorization: {BASIC}", FORM_TYPE.strip(), *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])


class TestRawPaths:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/check", 200),
            ("/check?x=/authz", 200),
            ("/check/", 200),
            ("/check/../authz", 200),
            ("/check/%2e%2e/authz", 200),
            ("/check//x", 200),
            ("/checkx", 404),
            ("/check%2fx", 404),
            ("/check;x", 404),
            ("//check", 404),
            ("/./check", 404),
            ("/%63heck", 404),
            ("/CHECK", 404),
            ("/authz/../check", 403),
            ("/authz%2f", 404),
            ("/x/../jwks", 404),
            ("/jwks", 200),
            ("/%6awks", 404),
        ],
    )
    async def test_paths_as_they_came(self, world: World, server: GateServer, path: str, status: int) -> None:
        async with raw(server) as connection:
            answer = await connection.ask(get(path, f"Authorization: Bearer {world.token()}"))
            assert answer.status == status

    async def test_what_is_no_path_is_refused(self, server: GateServer) -> None:
        for target in ("*", "check", "/check\x00", "/ch\xe4ck", "http://", "/check /x"):
            async with raw(server) as connection:
                await connection.send(f"GET {target} HTTP/1.1\r\nHost: gate\r\n\r\n".encode("latin-1"))
                assert (await connection.answer()).status in {400, 404}, target

    @pytest.mark.parametrize("target", ["gate:443", "/authz/a/b", "/token", "/jwks", "http://gate/authz/a/b", "*"])
    @pytest.mark.parametrize("more", [[], ["Connection: Upgrade", "Upgrade: h2c"]], ids=["", "with an offer"])
    async def test_connect_is_refused_once(
        self, server: GateServer, target: str, more: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """The parser takes what follows for a tunnel; the gate has none to offer."""
        async with raw(server) as connection:
            answer = await connection.ask("\r\n".join([f"CONNECT {target} HTTP/1.1", "Host: gate", *more, "", ""]))
            assert (answer.status, answer.headers["connection"]) == (400, "close")
            assert await connection.closed() == b""
        assert not caplog.records


class TestHeads:
    async def test_thousands_of_headers(self, server: GateServer) -> None:
        async with raw(server) as connection:
            answer = await connection.ask(get("/check", *(f"X-{n}: y" for n in range(5000))))
            assert answer.status == 431
            assert orjson.loads(answer.body)["error"] == "invalid_request"
            assert answer.headers["connection"] == "close"
            assert await connection.closed() == b""

    async def test_just_enough_headers(self, world: World, server: GateServer) -> None:
        token = f"Authorization: Bearer {world.token()}"
        async with raw(server) as connection:
            many = [f"X-{n}: y" for n in range(MAX_HEADERS - 2)]
            assert (await connection.ask(get("/check", token, *many))).status == 200
            assert (await connection.ask(get("/check", token, *many, "X: y"))).status == 431

    @pytest.mark.parametrize(
        "text",
        [
            get("/check", f"X: {'y' * 70_000}"),
            get("/" + "x" * 70_000),
            get("/check", f"{'X' * 70_000}: y"),
        ],
        ids=["value", "path", "name"],
    )
    async def test_a_huge_head(self, server: GateServer, text: str) -> None:
        async with raw(server) as connection:
            assert (await connection.ask(text)).status == 431

    async def test_a_head_without_an_end(self, server: GateServer) -> None:
        async with raw(server) as connection:
            await connection.send("GET /check HTTP/1.1\r\nHost: gate\r\nX: ")
            await connection.flood(b"y" * 4096)
        assert server.server_state.total_requests == 0

    async def test_trailers_are_no_headers(self, world: World, server: GateServer) -> None:
        async with raw(server) as connection:
            head = "POST /check HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n"
            answer = await connection.ask(f"{head}1\r\nx\r\n0\r\nAuthorization: Bearer {world.token()}\r\n\r\n")
            assert answer.status == 401
            assert "error" not in answer.headers["www-authenticate"]

    async def test_garbage(self, server: GateServer) -> None:
        for text in (b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100):
            async with raw(server) as connection:
                answer = await connection.ask(text)
                assert (answer.status, answer.headers["connection"]) == (400, "close")

    @pytest.mark.parametrize(
        "headers",
        [
            ["Content-Length: 5", "Transfer-Encoding: chunked"],
            ["Content-Length: 5", "Content-Length: 6"],
            ["Content-Length: -1"],
            ["Transfer-Encoding: chunked, identity"],
            ["X : y"],
        ],
    )
    async def test_two_ways_to_read_a_request_are_one_too_many(self, server: GateServer, headers: list[str]) -> None:
        async with raw(server) as connection:
            assert (await connection.ask(get("/check", *headers))).status == 400


UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
TOKEN_FORM = "grant_type=client_credentials"


class TestUpgrades:
    """An offer to speak another protocol is declined by answering as if it was not there (RFC 9110 section 7.8)."""

    async def test_the_body_after_an_offer_is_read(self, server: GateServer) -> None:
        async with raw(server) as connection:
            for _ in range(2):
                answer = await connection.ask(post("/token", TOKEN_FORM, *UPGRADE))
                assert (answer.status, "connection" in answer.headers) == (200, False), answer.body
            assert (await connection.ask(get("/jwks"))).status == 200

    async def test_in_any_number_of_pieces(self, server: GateServer) -> None:
        text = post("/token", TOKEN_FORM, *UPGRADE)
        async with raw(server) as connection:
            for size in (1, 7, len(text) - len(TOKEN_FORM) - 2, len(text) - len(TOKEN_FORM), len(text) - 3):
                for start in range(0, len(text), size):
                    await connection.send(text[start : start + size])
                    await asyncio.sleep(0)
                assert (await connection.answer()).status == 200, size

    async def test_chunks_after_an_offer(self, server: GateServer) -> None:
        head = post("/token", "", *UPGRADE).replace("Content-Length: 0", "Transfer-Encoding: chunked")
        async with raw(server) as connection:
            answer = await connection.ask(f"{head}{len(TOKEN_FORM):x}\r\n{TOKEN_FORM}\r\n0\r\n\r\n{get('/jwks')}")
            assert answer.status == 200
            assert (await connection.answer()).status == 200

    async def test_a_body_is_never_the_next_request(self, world: World, server: GateServer) -> None:
        token = f"Authorization: Bearer {world.token()}"
        smuggled = get("/jwks")
        async with raw(server) as connection:
            upgrade = ["Connection: Upgrade", "Upgrade: websocket", f"Content-Length: {len(smuggled)}"]
            assert (await connection.ask(get("/check", token, *upgrade) + smuggled)).status == 200
            assert (await connection.ask(get("/check", token))).headers["x-client-id"] == CLIENT_ID
        assert server.server_state.total_requests == 2

    async def test_bounds_hold_after_an_offer(self, server: GateServer) -> None:
        async with raw(server) as connection:
            text = post("/token", "", *UPGRADE).replace("Content-Length: 0", f"Content-Length: {10**12}")
            assert (await connection.ask(text)).status == 413
        async with raw(server) as connection:
            many = [f"X-{n}: y" for n in range(MAX_HEADERS)]
            assert (await connection.ask(get("/check", *UPGRADE, *many))).status == 431

    async def test_offers_one_after_another(self, server: GateServer) -> None:
        async with raw(server) as connection:
            await connection.send(get("/check", *UPGRADE) * 500)
            for _ in range(500):
                assert (await connection.answer()).status == 401

    async def test_curl_with_its_defaults_for_http2(self, server: GateServer) -> None:
        curl = shutil.which("curl")
        if curl is None:
            pytest.skip("curl is not installed")
        url = f"http://127.0.0.1:{server.port}/token"
        arguments = ("--http2", "--silent", "--max-time", "10", "-u", f"{CLIENT_ID}:{SECRET}", "-d", TOKEN_FORM, url)
        process = await asyncio.create_subprocess_exec(curl, *arguments, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        assert "access_token" in orjson.loads(said), said


class TestHosts:
    """RFC 9112 section 3.2."""

    @pytest.mark.parametrize(
        ("version", "hosts", "status"),
        [
            ("1.1", ["gate"], 200),
            ("1.1", [""], 200),
            ("1.1", [], 400),
            ("1.1", ["gate", "gate"], 400),
            ("1.0", ["gate"], 200),
            ("1.0", [], 200),
            ("1.0", ["gate", "other"], 400),
        ],
    )
    @pytest.mark.parametrize("path", ["/check", "/jwks"])
    @pytest.mark.parametrize("more", [[], list(UPGRADE)], ids=["", "with an offer"])
    async def test_one_host(
        self, world: World, server: GateServer, version: str, hosts: list[str], status: int, path: str, more: list[str]
    ) -> None:
        lines = [f"GET {path} HTTP/{version}", f"Authorization: Bearer {world.token()}", *more]
        async with raw(server) as connection:
            answer = await connection.ask("\r\n".join([*lines, *(f"Host: {host}" for host in hosts), "", ""]))
            assert answer.status == status
            if status == 400:
                assert answer.headers["connection"] == "close"


class TestBodies:
    async def test_a_slow_body(self, server: GateServer) -> None:
        async with raw(server) as connection:
            await connection.send(post("/token", "", "X: y").replace("Content-Length: 0", "Content-Length: 100"))
            await connection.send("grant_type=")
            answer = await connection.answer()
            assert (answer.status, orjson.loads(answer.body)["error"]) == (408, "invalid_request")
            assert await connection.closed() == b""

    @pytest.mark.parametrize("path", ["/token", "/introspect"])
    async def test_a_body_that_says_it_is_too_large(self, server: GateServer, path: str) -> None:
        async with raw(server) as connection:
            text = post(path, "").replace("Content-Length: 0", f"Content-Length: {10**12}")
            assert (await connection.ask(text)).status == 413
            assert await connection.closed() == b""

    @pytest.mark.parametrize("path", ["/token", "/introspect"])
    async def test_a_chunked_body_that_is_too_large(self, server: GateServer, path: str) -> None:
        async with raw(server) as connection:
            head = post(path, "").replace("Content-Length: 0", "Transfer-Encoding: chunked")
            await connection.send(head)
            await connection.send("1000\r\n" + "x" * 0x1000 + "\r\n")
            await connection.send("c000\r\n" + "x" * 0xC000 + "\r\n")
            assert (await connection.answer()).status == 413

    async def test_a_body_that_nobody_reads(self, world: World, server: GateServer) -> None:
        token = f"Authorization: Bearer {world.token()}"
        async with raw(server) as connection:
            small = get("/check", token, "Content-Length: 1000") + "x" * 1000
            assert (await connection.ask(small)).status == 200
            assert (await connection.ask(get("/check", token))).status == 200
            endless = get("/check", token, "Content-Length: 100000000")
            assert (await connection.ask(endless)).status == 200
            await connection.flood(b"x" * 65536)

    async def test_whoever_goes_away_costs_nothing(self, world: World, server: GateServer) -> None:
        async with raw(server) as connection:
            await connection.send(post("/token", "").replace("Content-Length: 0", "Content-Length: 100"))
        async with asyncio.timeout(5):
            await asyncio.gather(*server.server_state.tasks)
        assert world.tally.crashes == 0


class TestTimesAndConnections:
    @pytest.mark.parametrize(
        "text", ["", "GET /check HTT", "GET /check HTTP/1.1\r\nHost: gate\r\nContent-Length: 5\r\n\r\n", "\r\n\r\n"]
    )
    async def test_a_request_that_never_comes(
        self, server: GateServer, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setattr(BoundedProtocol, "message_seconds", 0.1)
        async with raw(server) as connection:
            await connection.send(text)
            await connection.closed()

    async def test_line_breaks_do_not_keep_a_connection_open(
        self, server: GateServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(BoundedProtocol, "message_seconds", 0.2)
        async with raw(server) as connection:
            assert (await connection.ask(get("/healthz"))).status == 200
            await connection.flood(b"\r\n", pause=0.02)

    async def test_a_good_caller_may_be_idle(self, server: GateServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BoundedProtocol, "message_seconds", 0.1)
        async with raw(server) as connection:
            assert (await connection.ask(get("/healthz"))).status == 200
            await asyncio.sleep(0.3)  # longer than a request may take to arrive; there is no condition to wait for
            assert (await connection.ask(get("/healthz"))).status == 200

    async def test_newcomers_are_turned_away_and_the_others_served(
        self, world: World, server: GateServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(BoundedProtocol, "max_connections", 2)
        token = f"Authorization: Bearer {world.token()}"
        async with raw(server) as first, raw(server) as second:
            assert (await first.ask(get("/check", token))).status == 200
            assert (await second.ask(get("/check", token))).status == 200
            async with raw(server) as third:
                assert await third.closed() == b""
            assert (await first.ask(get("/check", token))).status == 200

    async def test_a_flood_of_slow_bodies_delays_nobody(self, world: World, server: GateServer) -> None:
        token = world.token()
        slow = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(100)]
        for _, writer in slow:
            writer.write(post("/token", "").replace("Content-Length: 0", "Content-Length: 100").encode())
        async with aiohttp.ClientSession() as session:
            call = Caller(session, f"http://127.0.0.1:{server.port}")
            for _ in range(20):
                assert (await call.check(token))[0] == 200
            assert (await call.token(FORM))[0] == 200
        for _, writer in slow:
            writer.close()

    async def test_pipelined_requests_are_answered_in_order(self, world: World, server: GateServer) -> None:
        token = f"Authorization: Bearer {world.token()}"
        async with raw(server) as connection:
            await connection.send(get("/check", token) + get("/jwks") + get("/checkx"))
            assert [(await connection.answer()).status for _ in range(3)] == [200, 200, 404]

    @pytest.mark.parametrize("path", ["/check", "/jwks"])
    async def test_garbage_after_a_request_is_not_its_answer(self, world: World, server: GateServer, path: str) -> None:
        async with raw(server) as connection:
            await connection.send(get(path, f"Authorization: Bearer {world.token()}") + "\0garbage\r\n\r\n")
            assert not (await connection.closed()).startswith(b"HTTP/1.1 400")
