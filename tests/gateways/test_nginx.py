"""Details of the nginx example: a real nginx between a caller, a gate that says what it is told, and a small API."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout, WSServerHandshakeError, web
from multidict import CIMultiDict

from cluster.programs import free_port
from examples.gateways.render import NGINX, Places
from tests.toolkit.waiting import async_eventually

TOKEN = "Bearer eyJ.the.token"
CHALLENGE = 'Bearer realm="apiclients", error="invalid_token"'
GOOD = {"X-Client-Id": "team-a.billing.0a1b2c3d", "X-Client-Scope": "orders.read", "X-Token-Expires": "1767225600"}


@dataclass
class Seen:
    """A request as a server behind nginx saw it."""

    method: str
    path: str
    headers: CIMultiDict[str]
    body: bytes
    connection: object


@dataclass
class Server:
    """A small server that records what it is asked and answers as told."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    #: Unset: answer at once. Set, the answer waits for the event.
    hold: asyncio.Event | None = None
    hang_up: bool = False
    requests: list[Seen] = field(default_factory=list)
    address: str = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = CIMultiDict(request.headers)
        self.requests.append(Seen(request.method, request.path_qs, headers, body, request.transport))
        if self.hold:
            await self.hold.wait()
        if self.hang_up and request.transport:
            request.transport.close()
        if headers.get("Upgrade") == "websocket":
            return await _echo(request)
        return web.Response(status=self.status, headers=self.headers, text=self.text)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.address = "{}:{}".format(*runner.addresses[0][:2])
        try:
            yield
        finally:
            if self.hold:
                self.hold.set()
            await runner.cleanup()


async def _echo(request: web.BaseRequest) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str(f"echo of {await socket.receive_str()}")
    return socket


@dataclass
class Answer:
    """What the caller got."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


@dataclass
class Setting:
    """The three of them, and the caller."""

    gate: Server
    api: Server
    url: str
    prefix: Path
    session: ClientSession

    async def call(
        self,
        path: str = "/orders/7?a=b",
        method: str = "GET",
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {"Authorization": TOKEN, **(headers or {})}
        async with self.session.request(method, self.url + path, data=body, headers=sent) as response:
            return Answer(response.status, CIMultiDict(response.headers), await response.read())


async def answers(port: int, nginx: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until nginx listens."""

    async def listens() -> bool:
        assert nginx.returncode is None, log.read_text()  # noqa: ASYNC240
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    await async_eventually("nginx listens", listens)


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    gate, api = Server(headers=dict(GOOD)), Server(text="said by the server")
    prefix = tmp_path / "nginx with a space"
    prefix.mkdir()
    port = free_port()
    async with gate.serving(), api.serving():
        NGINX.write(Places(f"127.0.0.1:{port}", [gate.address], api.address, prefix))
        log = tmp_path / "stderr"
        with log.open("wb") as stderr:
            nginx = await asyncio.create_subprocess_exec(*NGINX.command(prefix), stderr=stderr)
        try:
            await answers(port, nginx, log)
            async with ClientSession(timeout=ClientTimeout(20)) as session:
                yield Setting(gate, api, f"http://127.0.0.1:{port}", prefix, session)
        finally:
            with suppress(ProcessLookupError):
                nginx.terminate()
            await nginx.wait()


async def test_a_good_call_reaches_the_api(setting: Setting) -> None:
    answer = await setting.call()
    assert (answer.status, answer.body) == (200, b"said by the server")
    (asked,) = setting.gate.requests
    assert (asked.method, asked.path, asked.body) == ("GET", "/check", b"")
    assert asked.headers["Authorization"] == TOKEN
    (passed,) = setting.api.requests
    assert (passed.method, passed.path) == ("GET", "/orders/7?a=b")
    assert {name: passed.headers[name] for name in GOOD} == GOOD


async def test_the_token_goes_to_the_gate_alone(setting: Setting) -> None:
    await setting.call(path="/orders?access_token=canary")
    await setting.call(path="/orders")
    assert "Authorization" not in setting.api.requests[0].headers
    access = setting.prefix / "access.log"
    await async_eventually("both requests are logged", lambda: access.read_text().count("\n") == 2)
    logs = access.read_text() + (setting.prefix / "error.log").read_text()
    assert "team-a.billing" in logs
    assert "the.token" not in logs
    assert "canary" not in logs


async def test_one_request_id_is_in_both_logs_and_in_the_answer(setting: Setting) -> None:
    setting.gate.status = 401
    refused = await setting.call(headers={"X-Request-Id": "forged"})
    (asked,) = setting.gate.requests
    number = asked.headers["X-Request-Id"]
    assert (refused.status, refused.headers["X-Request-Id"]) == (401, number)
    assert number != "forged"
    access = setting.prefix / "access.log"
    await async_eventually("it is logged", lambda: f'"request":"{number}"' in access.read_text())


async def test_what_the_caller_says_of_itself_is_dropped(setting: Setting) -> None:
    forged = {"X-Client-Id": "evil", "x-client-scope": "admin", "X-TOKEN-EXPIRES": "9", "X_Client_Id": "evil"}
    await setting.call(headers=forged)
    (passed,) = setting.api.requests
    assert {name: passed.headers.getall(name) for name in GOOD} == {name: [value] for name, value in GOOD.items()}
    assert "X_Client_Id" not in passed.headers
    setting.gate.headers = {"X-Client-Id": GOOD["X-Client-Id"], "X-Client-Scope": ""}
    await setting.call(headers=forged)
    passed = setting.api.requests[1]
    assert passed.headers.getall("X-Client-Id") == [GOOD["X-Client-Id"]]
    assert not {"X-Client-Scope", "X-Token-Expires"} & set(passed.headers)


async def test_only_the_token_is_shown_to_the_gate(setting: Setting) -> None:
    body = os.urandom(300_000)
    answer = await setting.call(
        "/orders", "POST", body=body, headers={"Cookie": "a=b", "X-Client-Id": "evil", "X-Big": "x" * 4000}
    )
    assert answer.status == 200
    assert setting.api.requests[0].body == body
    (asked,) = setting.gate.requests
    assert asked.body == b""
    assert {name.title() for name in asked.headers} <= {"Authorization", "Host", "Connection", "X-Request-Id"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/a//b/../c", "/%2e%2e/x", "/_gate/x", "/a?b"])
async def test_every_method_and_path_is_checked(setting: Setting, method: str, path: str) -> None:
    setting.gate.status, setting.gate.headers = 401, {"WWW-Authenticate": CHALLENGE}
    assert (await setting.call(path, method)).status == 401
    assert len(setting.gate.requests) == 1
    assert setting.api.requests == []


async def test_the_inner_location_is_not_for_callers(setting: Setting) -> None:
    assert (await setting.call("/_gate")).status == 404
    assert setting.gate.requests == []


async def test_no_token_is_for_the_gate_to_judge(setting: Setting) -> None:
    setting.gate.status = 401
    assert (await setting.call(headers={"Authorization": ""})).status == 401
    assert "Authorization" not in setting.gate.requests[0].headers


@pytest.mark.parametrize("status", [401, 403])
async def test_a_challenge_is_passed_on_once(setting: Setting, status: int) -> None:
    setting.gate.status, setting.gate.headers = status, {"WWW-Authenticate": CHALLENGE}
    answer = await setting.call()
    assert answer.status == status
    assert answer.headers.getall("WWW-Authenticate") == [CHALLENGE]
    assert setting.api.requests == []


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        *[(status, status) for status in (400, 410, 429, 431, 503)],
        *[(status, 503) for status in (301, 302, 404, 405, 500, 501, 502, 504, 418)],
    ],
)
async def test_other_refusals_are_themselves_or_503(setting: Setting, said: int, seen: int) -> None:
    setting.gate.status, setting.gate.headers = said, {"Retry-After": "2", "Location": "/elsewhere"}
    answer = await setting.call()
    assert answer.status == seen
    assert answer.headers["Retry-After"] == "2"
    assert "Location" not in answer.headers
    assert setting.api.requests == []


@pytest.mark.rule(17)
async def test_a_gate_that_does_not_answer_says_no(setting: Setting) -> None:
    setting.gate.hold = asyncio.Event()
    assert (await setting.call()).status == 503
    assert len(setting.gate.requests) == 1
    assert setting.api.requests == []


async def test_a_gate_that_hangs_up_says_no(setting: Setting) -> None:
    setting.gate.hang_up = True
    assert (await setting.call()).status == 503
    assert setting.api.requests == []


async def test_a_gate_that_is_not_there_says_no(tmp_path: Path) -> None:
    api, port = Server(), free_port()
    async with api.serving():
        NGINX.write(Places(f"127.0.0.1:{port}", [f"127.0.0.1:{free_port()}"], api.address, tmp_path))
        nginx = await asyncio.create_subprocess_exec(*NGINX.command(tmp_path))
        try:
            await answers(port, nginx, tmp_path / "error.log")
            async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
                assert response.status == 503
            assert api.requests == []
        finally:
            nginx.terminate()
            await nginx.wait()


async def test_where_one_gate_cannot_decide_the_other_one_does(tmp_path: Path) -> None:
    stale, able, api, port = Server(status=503), Server(headers=dict(GOOD)), Server(), free_port()
    async with stale.serving(), able.serving(), api.serving():
        NGINX.write(Places(f"127.0.0.1:{port}", [stale.address, able.address], api.address, tmp_path))
        nginx = await asyncio.create_subprocess_exec(*NGINX.command(tmp_path))
        try:
            await answers(port, nginx, tmp_path / "error.log")
            async with ClientSession() as session:
                for _ in range(10):
                    async with session.get(f"http://127.0.0.1:{port}/") as response:
                        assert response.status == 200
            assert stale.requests
        finally:
            nginx.terminate()
            await nginx.wait()


async def test_a_verdict_holds_for_one_call_only(setting: Setting) -> None:
    for status in (200, 401, 200, 503, 200):
        setting.gate.status = status
        assert (await setting.call()).status == status
    assert len(setting.api.requests) == 3


@pytest.mark.parametrize("status", [201, 401, 403, 404, 500, 503])
async def test_what_the_api_says_is_not_touched(setting: Setting, status: int) -> None:
    setting.api.status, setting.api.headers = status, {"WWW-Authenticate": "Api"} if status == 401 else {}
    answer = await setting.call()
    assert (answer.status, answer.body) == (status, b"said by the server")
    assert answer.headers.getall("WWW-Authenticate", []) == (["Api"] if status == 401 else [])


async def test_connections_to_the_gate_are_kept(setting: Setting) -> None:
    for _ in range(10):
        assert (await setting.call()).status == 200
    assert len({id(seen.connection) for seen in setting.gate.requests}) == 1
    assert len(setting.gate.requests) == 10
    assert len({id(seen.connection) for seen in setting.api.requests}) == 1


async def test_a_websocket_is_opened_after_the_gate_said_yes(setting: Setting) -> None:
    sent = {"Authorization": TOKEN, "X-Client-Id": "forged"}
    async with setting.session.ws_connect(setting.url + "/feed", headers=sent) as socket:
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=20) == "echo of hello"
    (seen,) = setting.api.requests
    assert seen.headers["X-Client-Id"] == GOOD["X-Client-Id"]
    assert "Authorization" not in seen.headers
    (asked,) = setting.gate.requests
    assert "Upgrade" not in asked.headers, "the gate is asked as ever"
    assert (await setting.call()).status == 200
    assert "Upgrade" not in setting.api.requests[-1].headers


async def test_a_websocket_that_the_gate_refuses_is_not_opened(setting: Setting) -> None:
    setting.gate.status = 401
    with pytest.raises(WSServerHandshakeError) as refused:
        await setting.session.ws_connect(setting.url + "/feed", headers={"Authorization": TOKEN})
    assert (refused.value.status, setting.api.requests) == (401, [])


async def test_no_other_protocol_is_passed_on(setting: Setting) -> None:
    answer = await setting.call(
        headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": ""}
    )
    assert answer.status == 200
    assert not {"Upgrade", "Connection"} & {name.title() for name in setting.api.requests[-1].headers}
