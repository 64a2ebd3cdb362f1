"""Callers who mean no good, against running gates: no crash, no growth, and honest callers are served."""

import http.client
import json
import socket
import threading
import time
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.faults.arena import Arena, Gate, Team, descriptors, resident_bytes
from tests.toolkit.waiting import PATIENCE, eventually

pytestmark = pytest.mark.cluster

_IDLE = 300
_FLOODERS = 4
_FLOOD_SECONDS = 4.0
_MEBIBYTE = 1024 * 1024
_HONEST = frozenset({200, 400, 401, 403, 404, 405, 408, 410, 411, 413, 414, 415, 422, 431, 501})
_FEW = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_words = st.one_of(st.binary(max_size=300), st.text(max_size=120).map(lambda text: text.encode("utf-8", "replace")))
_segment = st.binary(max_size=80).map(lambda raw: urlsafe_b64encode(raw).rstrip(b"="))
_jwt_like = st.tuples(_segment, _segment, _segment).map(b".".join)
_claims = st.dictionaries(
    st.sampled_from(["iss", "sub", "aud", "exp", "iat", "uid", "client_id", "scope", "jti", "nbf"]),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.text(max_size=5))
    ),
).map(lambda claims: urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"="))
_tokens = st.one_of(_words, _jwt_like, st.tuples(st.just(b"eyJhbGciOiJFUzI1NiJ9"), _claims, _segment).map(b".".join))
_schemes = st.sampled_from([b"Bearer ", b"bearer ", b"BEARER\t", b"Basic ", b"DPoP ", b"", b"Bearer  ", b"Bearer"])


def raw(gate: Gate, request: bytes) -> bytes:
    """Send bytes, and return what comes back until the gate has answered or hung up."""
    where = urlsplit(gate.url)
    assert where.hostname
    assert where.port
    with socket.create_connection((where.hostname, where.port), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def status_of(answer: bytes) -> int:
    """The status in the first line; 0 if nothing was said."""
    parts = answer.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[0].startswith(b"HTTP/") else 0


def crashes(arena: Arena) -> float:
    """How many requests have met a bug."""
    return sum(gate.metric("crashes_total") for gate in arena.gates)


@pytest.mark.rule(1)
def test_any_authorization_header_is_refused_and_crashes_nothing(arena: Arena, team: Team, shop: Team) -> None:
    team.declare("billing")
    path = shop.api("orders")
    before, gate = crashes(arena), arena.gates[0]

    @_FEW
    @given(scheme=_schemes, token=_tokens, target=st.sampled_from(["/check", path, f"{path}/a/b?c", "/authz//"]))
    @example(scheme=b"Bearer ", token=b"." * 300, target="/check")
    @example(scheme=b"Bearer ", token=b"eyJhbGciOiJub25lIn0.e30.", target="/check")
    def refused(scheme: bytes, token: bytes, target: str) -> None:
        head = f"GET {target} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n".encode()
        answer = raw(gate, head + b"Authorization: " + scheme + token + b"\r\n\r\n")
        assert status_of(answer) in {0, 400, 401, 403, 404, 431, 503}, answer[:200]
        assert b"Traceback" not in answer

    with arena.promise("honest", team.token("billing")):
        refused()
    assert crashes(arena) == before


@pytest.mark.rule(2, 20)
def test_any_body_is_answered_and_crashes_nothing(arena: Arena, team: Team) -> None:
    team.declare("billing")
    before, gate = crashes(arena), arena.gates[0]
    types = [
        b"application/x-www-form-urlencoded",
        b"application/json",
        b"text/plain",
        b"multipart/form-data; boundary=x",
    ]
    fields = st.lists(
        st.tuples(
            st.sampled_from([b"grant_type", b"client_id", b"client_secret", b"token", b"scope", b"resource", b"x"]),
            _words,
        ).map(b"=".join),
        max_size=8,
    ).map(b"&".join)

    @_FEW
    @given(
        target=st.sampled_from(["/token", "/introspect"]),
        kind=st.sampled_from(types),
        body=st.one_of(_words, fields),
        lie=st.sampled_from([0, 0, 0, 7, -1]),
        credentials=st.one_of(st.none(), _words.map(urlsafe_b64encode)),
    )
    def answered(target: str, kind: bytes, body: bytes, lie: int, credentials: bytes | None) -> None:
        head = f"POST {target} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n".encode()
        head += b"Content-Type: " + kind + b"\r\nContent-Length: %d\r\n" % max(0, len(body) + lie)
        head += b"Authorization: Basic " + credentials + b"\r\n" if credentials is not None else b""
        answer = raw(gate, head + b"\r\n" + body)
        assert status_of(answer) in {0, 400, 401, 408, 413, 415, 503}, answer[:200]
        assert b"access_token" not in answer

    with arena.promise("honest", team.token("billing")):
        answered()
    assert crashes(arena) == before


@pytest.mark.rule(17)
def test_idle_and_half_sent_requests_keep_nobody_out(arena: Arena, team: Team) -> None:
    team.declare("billing")
    gate = arena.gates[0]
    where = urlsplit(gate.url)
    before = descriptors(gate.service.pid)
    with arena.promise("honest", team.token("billing")) as promise, ExitStack() as open_ones:
        for number in range(_IDLE):
            connection = socket.create_connection((where.hostname, where.port), timeout=60)
            open_ones.enter_context(connection)
            if number % 2:
                connection.sendall(b"GET /check HTTP/1.1\r\nHost: slow\r\n")  # and never the rest
        eventually("an honest caller is served", lambda: gate.check(promise.token) == 200)
        assert descriptors(gate.service.pid) > before
    eventually("they are closed", lambda: descriptors(gate.service.pid) <= before + 5)


@pytest.mark.rule(1, 18)
def test_flood_of_bad_signatures_neither_grows_the_gate_nor_starves_others(arena: Arena, team: Team) -> None:
    team.declare("billing")
    gate, token = arena.gates[0], team.token("billing")
    head, payload, signature = token.split(".")
    ended = threading.Event()

    def flood(number: int) -> int:
        connection, sent = http.client.HTTPConnection(urlsplit(gate.url).netloc, timeout=60), 0
        while not ended.is_set():
            forged = f"{number}-{sent}".encode().ljust(64, b"x")
            bad = f"{head}.{payload}.{urlsafe_b64encode(forged).decode().rstrip('=')}"
            connection.request("GET", "/check", headers={"Authorization": f"Bearer {bad}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status in {401, 503}
            sent += 1
        return sent

    assert len(signature) == 86
    with arena.promise("honest", token) as promise, ThreadPoolExecutor(_FLOODERS) as pool:
        flooders = [pool.submit(flood, number) for number in range(_FLOODERS)]
        time.sleep(_FLOOD_SECONDS / 2)
        memory, honest = resident_bytes(gate.service.pid), promise.seen[200]
        time.sleep(_FLOOD_SECONDS)
        try:
            eventually("honest callers are served meanwhile", lambda: promise.seen[200] > honest + 10)
        finally:
            ended.set()
        assert sum(flooder.result(PATIENCE) for flooder in flooders) > 100
        assert resident_bytes(gate.service.pid) - memory < 10 * _MEBIBYTE
        assert gate.check(token) == 200
