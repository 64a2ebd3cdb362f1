"""Forms: a small one that has arrived whole is answered in the protocol, all others through ASGI, and alike."""

from __future__ import annotations

import asyncio
import base64
import copy
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apiclients.gate.http.app import GateApp
from apiclients.gate.http.forms import Head
from apiclients.gate.http.protocol import MAX_FORM_BYTES
from apiclients.gate.http.replies import Headers, Receive, Reply, Scope, Send
from apiclients.gate.http.server import GateServer
from apiclients.gate.state.problems import Problem
from apiclients.gate.tokens.assertions import JWT_BEARER
from tests.gate.raw import get, raw
from tests.gate.support import CLIENT_ID, ISSUER, SECRET, World, serving
from tests.toolkit.waiting import async_eventually

FORM_TYPE = "application/x-www-form-urlencoded"
PATHS = ["/token", "/token", "/introspect", "/introspect", "/revoke", "/token?x=y", "/token/", "/introspect?"]


class Counting:
    """An application that counts what goes through ASGI; with ``at_once`` off, everything does."""

    def __init__(self, app: GateApp, *, at_once: bool = True) -> None:
        self._app = app
        self._at_once = at_once
        self.through_asgi = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.through_asgi += 1
        await self._app(scope, receive, send)

    def has_passed(self, count: int) -> bool:
        """Whether so many went through ASGI."""
        return self.through_asgi == count

    def immediate(self, path: bytes, headers: Headers) -> Reply | None:
        return self._app.immediate(path, headers) if self._at_once else None

    def takes_form(self, path: bytes) -> bool:
        return self._at_once and self._app.takes_form(path)

    def immediate_form(self, head: Head, body: bytes) -> Reply | None:
        return self._app.immediate_form(head, body)


def basic(client: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def request(path: str, body: bytes, method: str = "POST", kind: str | None = FORM_TYPE, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: gate", f"Content-Length: {len(body)}", *headers]
    lines += [f"Content-Type: {kind}"] if kind is not None else []
    return "\r\n".join([*lines, "", ""]).encode() + body


AUTH = f"Authorization: {basic(CLIENT_ID, SECRET)}"
#: A request after which the server closes.
LAST = get("/jwks", "Connection: close").encode()
GOOD, REVOKED = World().token(), World().token(jti="jti-2")
TOKEN_REQUEST = request("/token", b"grant_type=client_credentials", "POST", FORM_TYPE, AUTH)


class TestWhichWay:
    @pytest.fixture
    def app(self, world: World) -> Counting:
        return Counting(world.app(body_seconds=0.2))

    @pytest.fixture
    async def server(self, app: Counting) -> AsyncIterator[GateServer]:
        async with serving(app) as running:
            yield running

    async def test_a_whole_form_is_answered_at_once(self, app: Counting, server: GateServer) -> None:
        async with raw(server) as connection:
            for _ in range(3):
                assert (await connection.ask(TOKEN_REQUEST)).status == 200
        assert (app.through_asgi, server.server_state.total_requests) == (0, 3)

    async def test_a_form_in_two_parts(self, app: Counting, server: GateServer) -> None:
        async with raw(server) as connection:
            in_body, before_body = len(TOKEN_REQUEST) - 1, TOKEN_REQUEST.index(b"\r\n\r\n") + 4
            for count, cut in enumerate((in_body, before_body), start=1):
                await connection.send(TOKEN_REQUEST[:cut])
                await async_eventually("it goes through ASGI", partial(app.has_passed, count))
                answer = await connection.ask(TOKEN_REQUEST[cut:])
                assert (answer.status, "connection" in answer.headers) == (200, False)
            assert (await connection.ask(TOKEN_REQUEST)).status == 200
        assert app.through_asgi == 2

    async def test_a_form_that_never_ends(self, server: GateServer) -> None:
        async with raw(server) as connection:
            answer = await connection.ask(TOKEN_REQUEST[:-1])
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert await connection.closed() == b""

    async def test_a_large_form(self, app: Counting, server: GateServer) -> None:
        async with raw(server) as connection:
            for size, through_asgi in ((MAX_FORM_BYTES, 0), (MAX_FORM_BYTES + 1, 1)):
                body = b"grant_type=client_credentials&x=".ljust(size, b"y")
                text = request("/token", body, "POST", FORM_TYPE, AUTH)
                app.through_asgi = 0
                assert (await connection.ask(text)).status == 200
                # What is small enough may still arrive in more than one read.
                assert app.through_asgi >= through_asgi

    async def test_assertions_and_revocations_wait_for_the_api_server(self, app: Counting, server: GateServer) -> None:
        form = urlencode({"grant_type": "client_credentials", "client_assertion_type": JWT_BEARER}).encode()
        assertion = request("/token", form + b"&client%5Fassertion=x", "POST", FORM_TYPE)
        revoke = request("/revoke", b"token=x", "POST", FORM_TYPE, AUTH)
        async with raw(server) as connection:
            for number, (text, status) in enumerate([(assertion, 400), (revoke, 200), (assertion, 400)]):
                answer = await connection.ask(text)
                assert (answer.status, "connection" in answer.headers) == (status, False)
                assert app.through_asgi == number + 1
            assert (await connection.ask(TOKEN_REQUEST)).status == 200
        assert app.through_asgi == 3

    async def test_the_second_of_one_read_lets_others_go_first(self, app: Counting, server: GateServer) -> None:
        async with raw(server) as connection:
            await connection.send(TOKEN_REQUEST * 3 + get("/check").encode())
            assert [(await connection.answer()).status for _ in range(4)] == [200, 200, 200, 401]
        assert app.through_asgi == 3

    async def test_an_offer_of_another_protocol(self, app: Counting, server: GateServer) -> None:
        offer = request("/token", b"grant_type=client_credentials", "POST", FORM_TYPE, AUTH, "Upgrade: h2c")
        offer = offer.replace(b"Host: gate", b"Host: gate\r\nConnection: Upgrade")
        async with raw(server) as connection:
            assert (await connection.ask(offer)).status == 200
            assert (await connection.ask(TOKEN_REQUEST)).status == 200

    async def test_whatever_breaks_is_a_500(
        self, world: World, server: GateServer, app: Counting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> None:
            raise ValueError("inner detail")

        monkeypatch.setattr(world.gate, "authenticate", broken)
        async with raw(server) as connection:
            answer = await connection.ask(TOKEN_REQUEST)
        assert (answer.status, b"inner" in answer.body, app.through_asgi) == (500, False, 0)
        assert orjson.loads(answer.body)["error"] == "server_error"


class Both:
    """Two gates that know the same; one answers at once what it can, the other all through ASGI."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._worlds = World(), World()
        self._apps = [Counting(world.app(), at_once=number == 0) for number, world in enumerate(self._worlds)]
        self._stack = AsyncExitStack()
        self._servers = self._runner.run(self._serve())

    async def _serve(self) -> list[GateServer]:
        return [await self._stack.enter_async_context(serving(app)) for app in self._apps]

    def ask(self, text: bytes, why: Problem | None) -> list[tuple[bytes, dict[str, Any]]]:
        """What comes back from each until the connection ends, and what it has counted since it started."""
        for world in self._worlds:
            world.evidence.why = why
        answers = self._runner.run(self._ask(text))
        return [(_told(answer), _counts(world)) for answer, world in zip(answers, self._worlds, strict=True)]

    async def _ask(self, text: bytes) -> list[bytes]:
        answers = []
        for server in self._servers:
            async with raw(server) as connection:
                await connection.send(text)
                answers.append(await connection.closed())
        return answers

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()


def _told(answer: bytes) -> bytes:
    """Without what is another in each answer: the time, the id of a token, its signature."""
    return re.sub(rb'"access_token":"([^"]+)"', _claims, re.sub(rb"(?m)^date: .*\r\n", b"", answer))


def _claims(found: re.Match[bytes]) -> bytes:
    head, claims, signature = found[1].split(b".")
    told = orjson.loads(base64.urlsafe_b64decode(claims + b"=="))
    assert told.pop("jti")
    return b"%s %s %d" % (head, orjson.dumps(told), len(signature))


def _counts(world: World) -> dict[str, Any]:
    """All that the gate counts and notes."""
    return copy.deepcopy(vars(world.tally))


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    pair = Both()
    yield pair
    pair.close()


TEXTS = st.text(max_size=12) | st.sampled_from([CLIENT_ID, SECRET, "client_credentials", "a b", ISSUER, JWT_BEARER])
FIELDS = st.sampled_from(
    [
        *["grant_type", "scope", "resource", "token", "token_type_hint", "x"],
        *["client_id", "client_secret", "client_assertion", "client_assertion_type"],
    ]
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Forms that could be good, with damage or without."""
    good = draw(st.sampled_from([{"grant_type": "client_credentials"}, {"token": GOOD}, {"token": REVOKED}]))
    own = draw(st.sampled_from([{}, {}, {"client_id": CLIENT_ID, "client_secret": SECRET}]))
    more = draw(st.lists(st.tuples(FIELDS, TEXTS), max_size=draw(st.sampled_from([0, 0, 3]))))
    body = urlencode([*(good | own).items(), *more]).encode()
    return _damaged(draw, body, st.binary(max_size=3)) + draw(st.sampled_from([b"", b"", b"&" * 70, b"x" * 20_000]))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Requests of one message each: damage never moves the end of one."""
    kinds = st.sampled_from([FORM_TYPE] * 5 + [f"{FORM_TYPE}; charset=utf-8", "application/json", None])
    more = st.sampled_from(
        [
            *["Connection: close", "Expect: 100-continue", "Transfer-Encoding: chunked", "Content-Length: 1", "X: y"],
            *["Authorization: Basic !", "Authorization: Bearer x", f"Authorization: {basic('nobody', SECRET)}", AUTH],
            *[f"Authorization: {basic(CLIENT_ID, 'wrong')}", f"Content-Type: {FORM_TYPE}", "Host: other"],
        ]
    )
    headers = draw(st.sampled_from([[AUTH], [AUTH], []])) + draw(st.lists(more, max_size=draw(st.sampled_from([0, 2]))))
    method = draw(st.sampled_from(["POST"] * 8 + ["GET", "PUT", "HEAD"]))
    body = draw(bodies())
    head, length, rest = request(draw(st.sampled_from(PATHS)), body, method, draw(kinds), *headers).partition(
        b"Content-Length: %d\r\n" % len(body)
    )
    one_byte = st.binary(min_size=1, max_size=1).filter(lambda byte: byte not in b"\r\n")
    return _damaged(draw, head[:-2], one_byte) + head[-2:] + length + rest


def _damaged(draw: st.DrawFn, text: bytes, what: st.SearchStrategy[bytes]) -> bytes:
    if draw(st.integers(0, 3)):
        return text
    place = draw(st.integers(0, len(text) - 1))
    return text[:place] + draw(what) + text[place + 1 :]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=requests(), why=st.sampled_from([None] * 6 + [Problem.STALE]))
@example(text=TOKEN_REQUEST, why=None)
@example(text=request("/introspect", urlencode({"token": GOOD}).encode(), "POST", FORM_TYPE, AUTH), why=None)
def test_both_ways_lead_to_the_same_answer(both: Both, text: bytes, why: Problem | None) -> None:
    """Status, headers but Date, body, whether the connection goes on, and all that is counted."""
    at_once, through_asgi = both.ask(text + LAST, why)
    assert at_once == through_asgi
    assert at_once[0].startswith(b"HTTP/1.1 ")
