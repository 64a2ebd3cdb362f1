"""What the client does when the API server, the network or something in between misbehaves."""

from __future__ import annotations

import asyncio
import gzip
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import orjson
import pytest
from aiohttp import web

from apiclients.kube.client import SECRETS, KubeClient, custom_resource
from apiclients.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    ResponseTooLargeError,
    TooManyRequestsError,
    UnreachableError,
)
from tests.kube.fake import Answer, FakeServer, status

THINGS = custom_resource("example.test", "v1", "things", "Thing")
THING = {"metadata": {"name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "1"}}

Calls = list[tuple[str, str, int, float]]


class Rig:
    """A client and the fake that it talks to; `script` is answered in order, the last one for ever."""

    def __init__(self, folder: Path) -> None:
        self.script: list[web.Response | Answer] = []
        self.server = FakeServer(self._answer)
        self.folder = folder
        self.calls: Calls = []

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, web.Response):
            return web.Response(body=step.body, status=step.status, headers=step.headers)
        return await step(request)

    async def connect(self, user: str = "{}") -> KubeClient:
        kubeconfig = self.server.kubeconfig(self.folder, user)
        observe = lambda *call: self.calls.append(call)  # noqa: E731
        return await KubeClient.connect(kubeconfig=kubeconfig, user_agent="test/1", observe=observe)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    async with rig.server:
        yield rig


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[KubeClient]:
    async with await rig.connect() as client:
        yield client


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, in seconds, which are not really made."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("apiclients.kube.transport.asyncio.sleep", sleep)
    return waited


async def create(client: KubeClient) -> object:
    return await client.create(THINGS, "ns", THING)


async def read(client: KubeClient) -> object:
    return await client.get(THINGS, "ns", "a")


@pytest.mark.parametrize("call", [create, read])
async def test_retry_after_is_obeyed(
    rig: Rig, client: KubeClient, waits: list[float], call: Callable[[KubeClient], Awaitable[object]]
) -> None:
    busy = status(429, "TooManyRequests", Retry_After="7")
    rig.script = [busy, busy, web.json_response(THING)]
    assert await call(client) == THING
    assert [7 <= seconds <= 7.5 for seconds in waits] == [True, True]
    assert [code for _, _, code, _ in rig.calls] == [429, 429, 200]


async def test_429_is_not_obeyed_for_ever(rig: Rig, client: KubeClient, waits: list[float]) -> None:
    rig.script = [status(429, "TooManyRequests", Retry_After="100")]
    with pytest.raises(TooManyRequestsError) as caught:
        await create(client)
    assert caught.value.retry_after == 100
    assert len(rig.server.requests) == 5
    assert all(seconds <= 30.5 for seconds in waits)


async def test_reads_are_tried_again_writes_are_not(rig: Rig, client: KubeClient, waits: list[float]) -> None:
    rig.script = [status(500, "InternalError"), status(503, "ServiceUnavailable"), web.json_response(THING)]
    assert await read(client) == THING
    rig.script = [status(500, "InternalError", "boom"), web.json_response(THING)]
    with pytest.raises(ApiError, match="create things ns/a: 500 InternalError: boom"):
        await create(client)
    assert len(rig.server.requests) == 4


async def test_a_broken_connection_is_unreachable(rig: Rig, client: KubeClient, waits: list[float]) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    rig.script = [hang_up]
    with pytest.raises(UnreachableError):
        await create(client)
    assert len(rig.server.requests) == 1, "it is open whether a write happened: not repeated"
    with pytest.raises(UnreachableError):
        await read(client)
    assert rig.calls[-1][2] == 0


async def test_nobody_listens(rig: Rig, waits: list[float]) -> None:
    rig.server.url = "http://127.0.0.1:9"
    async with await rig.connect() as client:
        with pytest.raises(UnreachableError, match="Connect"):
            await read(client)


async def test_a_server_that_does_not_answer_is_given_up(
    rig: Rig, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apiclients.kube.client.WRITE_SECONDS", 0.1)

    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    rig.script = [never]
    with pytest.raises(UnreachableError, match="create things ns/a: TimeoutError"):
        await create(client)


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (403, "Forbidden", ForbiddenError),
        (404, "NotFound", NotFoundError),
        (409, "Conflict", ConflictError),
        (409, "AlreadyExists", AlreadyExistsError),
        (410, "Expired", GoneError),
        (422, "Invalid", InvalidError),
        (418, "Teapot", ApiError),
    ],
)
async def test_errors_by_kind(rig: Rig, client: KubeClient, code: int, reason: str, kind: type[ApiError]) -> None:
    rig.script = [status(code, reason, "because")]
    with pytest.raises(ApiError) as caught:
        await create(client)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.reason, caught.value.message) == (code, reason, "because")


@pytest.mark.rule(6)
@pytest.mark.parametrize("text", ["404 page not found", "<html>gone</html>", ""])
async def test_a_404_that_is_not_the_api_servers_proves_nothing(rig: Rig, client: KubeClient, text: str) -> None:
    rig.script = [web.Response(status=404, text=text)]
    with pytest.raises(ApiError) as caught:
        await read(client)
    assert not isinstance(caught.value, NotFoundError)


@pytest.mark.parametrize("text", ["<html>welcome</html>", "[]", ""])
async def test_an_answer_that_is_no_object_is_unreachable(rig: Rig, client: KubeClient, text: str) -> None:
    rig.script = [web.Response(text=text)]
    with pytest.raises(UnreachableError, match="not a JSON object"):
        await read(client)


async def test_a_redirect_is_not_followed(rig: Rig, client: KubeClient) -> None:
    rig.script = [web.Response(status=302, headers={"Location": "/elsewhere"})]
    with pytest.raises(ApiError, match="302"):
        await read(client)
    assert len(rig.server.requests) == 1


@pytest.mark.rule(23)
@pytest.mark.parametrize("code", [409, 422, 500])
async def test_errors_of_secret_writes_quote_nothing(rig: Rig, client: KubeClient, code: int) -> None:
    secret = {"metadata": {"name": "a"}, "data": {"client-secret": "c2VjcmV0"}}
    rig.script = [status(code, "Invalid", 'Invalid value: "c2VjcmV0"')]
    for write in (
        client.create(SECRETS, "ns", secret),
        client.apply(SECRETS, "ns", "a", secret, field_manager="test"),
        client.replace(SECRETS, "ns", "a", secret),
    ):
        with pytest.raises(ApiError) as caught:
            await write
        assert "c2VjcmV0" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert caught.value.status == code


async def test_an_object_that_is_too_large_is_dropped(
    rig: Rig, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apiclients.kube.client.OBJECT_BYTES", 1000)

    async def chunked(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x" * 500)
        return response

    rig.script = [web.Response(body=b"x" * 1001), chunked]
    for _ in range(2):
        with pytest.raises(ResponseTooLargeError):
            await read(client)


async def test_a_bomb_is_not_unpacked(rig: Rig, client: KubeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apiclients.kube.client.OBJECT_BYTES", 100_000)
    bomb = gzip.compress(b'{"a": "' + b"x" * 10_000_000 + b'"}')
    rig.script = [web.Response(body=bomb, headers={"Content-Encoding": "gzip"})]
    with pytest.raises((ResponseTooLargeError, UnreachableError)):
        await read(client)


async def test_pages_too_large_become_smaller(rig: Rig, client: KubeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apiclients.kube.client.PAGE_BYTES", 5000)

    async def page(request: web.Request) -> web.StreamResponse:
        start, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
        items = [{"i": i, "text": "x" * 100} for i in range(start, min(start + limit, 300))]
        token = str(start + limit) if start + limit < 300 else ""
        return web.json_response({"metadata": {"resourceVersion": "5", "continue": token}, "items": items})

    rig.script = [page]
    found = [item["i"] async for part in client.pages(THINGS) for item in part.items]
    assert found == list(range(300))


async def test_an_expired_continue_token_is_gone(rig: Rig, client: KubeClient) -> None:
    first = {"metadata": {"resourceVersion": "5", "continue": "x"}, "items": []}
    rig.script = [web.json_response(first), status(410, "Expired")]
    with pytest.raises(GoneError):
        async for _ in client.pages(THINGS):
            pass


async def test_writes_share_one_bound(rig: Rig, tmp_path: Path) -> None:
    now = most = 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal now, most
        if request.headers["User-Agent"] != "bounded/1":
            return web.json_response(THING)  # somebody looks for another server that had this port
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return web.json_response(THING)

    rig.script = [slow]
    kubeconfig = rig.server.kubeconfig(tmp_path)
    async with await KubeClient.connect(
        kubeconfig=kubeconfig, max_writes_in_flight=3, user_agent="bounded/1"
    ) as client:
        await asyncio.gather(*(create(client) for _ in range(20)))
        assert most == 3


async def test_an_urgent_write_passes_a_queue_of_others(rig: Rig, client: KubeClient) -> None:
    held = asyncio.Event()

    async def stuck(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            await held.wait()
        return web.json_response(THING)

    rig.script = [stuck]
    others = [asyncio.create_task(create(client)) for _ in range(60)]
    await client.replace(THINGS, "ns", "a", THING, urgent=True)
    assert not any(task.done() for task in others)
    held.set()
    await asyncio.gather(*others)


async def test_a_rotated_token_file_is_read_again(rig: Rig) -> None:
    token = rig.folder / "token"
    token.write_text("old\n")
    seen: list[str] = []

    async def check(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["Authorization"])
        if request.headers["Authorization"] != "Bearer new":
            token.write_text("new\n")
            return status(401, "Unauthorized")
        return web.json_response(THING)

    rig.script = [check]
    async with await rig.connect("{tokenFile: token}") as client:
        await create(client)  # a write: refused for its token it did nothing, so it is sent again
        await create(client)
    assert seen == ["Bearer old", "Bearer new", "Bearer new"]
    assert rig.server.bodies[0] == rig.server.bodies[1] == orjson.dumps(THING)


async def test_a_wrong_token_is_not_tried_twice(rig: Rig) -> None:
    rig.script = [status(401, "Unauthorized")]
    async with await rig.connect("{token: wrong}") as client:
        with pytest.raises(ApiError, match="401"):
            await create(client)
    assert len(rig.server.requests) == 1


async def test_an_exec_plugin_is_run_again_when_its_token_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    script = rig.folder / "plugin"
    count = rig.folder / "count"
    script.write_text(
        f'#!/bin/sh\necho run >> "{count}"\nn=$(wc -l < "{count}" | tr -d " ")\n'
        'printf \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
        '"status":{"token":"t%s"}}\' "$n"\n'
    )
    script.chmod(0o755)

    async def check(request: web.Request) -> web.StreamResponse:
        good = request.headers["Authorization"] == "Bearer t2"
        return web.json_response(THING) if good else status(401, "Unauthorized")

    rig.script = [check]
    user = f'{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: "{script}"}}}}'
    monkeypatch.setattr("apiclients.kube.exec_plugin._REFUSED_SECONDS", 0.0)
    async with await rig.connect(user) as client:
        await create(client)
        await create(client)
    assert count.read_text() == "run\nrun\n"


@pytest.mark.parametrize("content", [None, "", "a: b", "apiVersion: v1\nkind: Config\ncurrent-context: x\n"])
async def test_an_unusable_kubeconfig_is_one_clear_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError):
        await KubeClient.connect(kubeconfig=path, user_agent="t/1")


async def test_a_session_for_others_carries_the_credentials(rig: Rig) -> None:
    rig.script = [web.json_response(THING)]
    async with (
        await rig.connect("{token: abc}") as client,
        client.new_session() as session,
        session.get(rig.server.url + "/api") as response,
    ):
        assert response.status == 200
    assert rig.server.requests[0].headers["Authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("method", "path", "verb", "resource"),
    [
        ("GET", "/api", "get", "discovery"),
        ("GET", "/version", "get", "discovery"),
        ("GET", "/apis/example.test/v1", "get", "discovery"),
        ("GET", "/apis/example.test/v1/things", "list", "things"),
        ("GET", "/apis/example.test/v1/things?watch=true&resourceVersion=1", "watch", "things"),
        ("GET", "/apis/example.test/v1/namespaces/ns/things", "list", "things"),
        ("GET", "/apis/example.test/v1/namespaces/ns/things/a", "get", "things"),
        ("GET", "/api/v1/namespaces", "list", "namespaces"),
        ("GET", "/api/v1/namespaces/ns", "get", "namespaces"),
        ("PATCH", "/apis/example.test/v1/namespaces/ns/things/a/status", "patch", "things"),
        ("POST", "/api/v1/namespaces/ns/events", "create", "events"),
    ],
)
async def test_the_requests_of_others_are_observed_too(
    rig: Rig, method: str, path: str, verb: str, resource: str
) -> None:
    rig.script = [web.json_response(THING)]
    async with (
        await rig.connect() as client,
        client.new_session() as session,
        session.request(method, rig.server.url + path) as response,
    ):
        assert response.status == 200
    assert [call[:3] for call in rig.calls] == [(verb, resource, 200)]


async def test_a_request_of_others_without_an_answer_is_observed(rig: Rig) -> None:
    rig.script = [web.json_response(THING)]
    async with await rig.connect() as client, client.new_session() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get("http://127.0.0.1:1/apis/example.test/v1/things")
    assert [call[:3] for call in rig.calls] == [("list", "things", 0)]


async def test_the_requests_of_others_are_observed_behind_a_path_of_the_server(rig: Rig) -> None:
    rig.script = [web.json_response(THING)]
    kubeconfig = rig.server.kubeconfig(rig.folder)
    kubeconfig.write_text(kubeconfig.read_text().replace(rig.server.url, f"{rig.server.url}/k8s/clusters/one"))
    observe = lambda *call: rig.calls.append(call)  # noqa: E731
    async with (
        await KubeClient.connect(kubeconfig=kubeconfig, user_agent="test/1", observe=observe) as client,
        client.new_session() as session,
        session.get(f"{client.server}/apis/example.test/v1/things"),
    ):
        pass
    assert [call[:3] for call in rig.calls] == [("list", "things", 200)]


def _stream(*chunks: bytes, then_wait: bool = False) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if then_wait:
            await asyncio.sleep(30)
        return response

    return answer


def _line(type_: str, **body: object) -> bytes:
    return orjson.dumps({"type": type_, "object": body}) + b"\n"


async def _watch(client: KubeClient, inactivity: float = 5.0) -> list[str]:
    return [e.type async for e in client.watch(THINGS, resource_version="1", inactivity_timeout=inactivity)]


async def test_watch_lines_are_put_together(rig: Rig, client: KubeClient) -> None:
    whole = _line("ADDED", a=1) + _line("MODIFIED", a=2) + b"\n" + _line("BOOKMARK")
    rig.script = [_stream(whole[:10], whole[10:50], whole[50:], b'{"type": "DELE')]
    assert await _watch(client) == ["ADDED", "MODIFIED", "BOOKMARK"]
    query = rig.server.requests[0].query
    assert query["allowWatchBookmarks"] == "true"
    assert 60 <= int(query["timeoutSeconds"]) <= 120


@pytest.mark.parametrize(
    ("code", "kind"), [(410, GoneError), (500, ApiError), (429, TooManyRequestsError), (403, ForbiddenError)]
)
async def test_errors_in_the_stream_are_raised(rig: Rig, client: KubeClient, code: int, kind: type[ApiError]) -> None:
    rig.script = [_stream(_line("ADDED", a=1), _line("ERROR", kind="Status", code=code, reason="R", message="m"))]
    with pytest.raises(ApiError) as caught:
        await _watch(client)
    assert type(caught.value) is kind


async def test_a_silent_watch_is_given_up(rig: Rig, client: KubeClient) -> None:
    rig.script = [_stream(_line("ADDED", a=1), then_wait=True)]
    with pytest.raises(UnreachableError):
        await _watch(client, inactivity=0.2)


async def test_a_huge_line_is_given_up(rig: Rig, client: KubeClient) -> None:
    rig.script = [_stream(*(b"x" * 65536 for _ in range(64)))]
    with pytest.raises(ResponseTooLargeError):
        await _watch(client)


@pytest.mark.parametrize("line", [b"not json\n", b'{"type": 1, "object": {}}\n', b'{"type": "ADDED"}\n'])
async def test_lines_that_are_no_events_end_the_watch(rig: Rig, client: KubeClient, line: bytes) -> None:
    rig.script = [_stream(line)]
    with pytest.raises(UnreachableError):
        await _watch(client)


@pytest.mark.rule(26)
async def test_the_clock_hears_every_answer(rig: Rig, client: KubeClient) -> None:
    rig.script = [status(404, "NotFound", Date="Mon, 02 Jan 2006 15:04:05 GMT")]
    with pytest.raises(NotFoundError):
        await read(client)
    assert client.clock.offset_seconds is not None
    assert client.clock.offset_seconds > 1e8
    assert not client.clock.trusted()


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_names_that_mean_something_else_in_a_path_are_refused(client: KubeClient, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        await client.delete(THINGS, "ns", name)
    assert THINGS.path("ns", "a/../b") == "/apis/example.test/v1/namespaces/ns/things/a%2F..%2Fb"
