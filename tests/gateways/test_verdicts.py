"""What callers get for each verdict of the gate, and what the API gets of a call that passes."""

import hashlib

import pytest

from tests.gateways.arena import Arena, Running, contract, until_active
from tests.gateways.caller import chunked
from tests.gateways.table import OF_THE_GATE, SIZES, TRAITS
from tests.toolkit.waiting import eventually

FORGED = "forged"
TRICKS = (
    "/",
    "//",
    "/.",
    "/..",
    "/../check",
    "/%2e%2e/check",
    "/%2E%2E%2Fcheck",
    "/..%2fcheck",
    "/..;/check",
    "/a/../../../check",
    "/a/%2e%2e/%2e%2e/check",
    "/check",
    "/token",
    "/authz/other/orders",
    "/%2fauthz/other/orders",
    "/orders?x=/../check",
    "/orders;a=b",
    "/orders%00",
    "/orders%0d%0aX-Client-Id:%20forged",
    "/orders%23",
    "/a\\..\\..\\check",
    "/%5c..%5ccheck",
    "/_gate",
    "/healthz/../readyz",
    "/.well-known/openid-configuration",
    "http://other.example.com/check",
)


def test_a_good_token_passes_and_the_api_learns_who_calls(arena: Arena, gateway: Running) -> None:
    with gateway.caller(arena.token) as caller:
        answer = caller.call("/orders/7?a=b")
    assert (answer.status, answer.seen["method"], answer.seen["path"]) == (200, "GET", "/orders/7?a=b")
    told = {name: answer.seen_headers.getall(name) for name in OF_THE_GATE}
    expires = told.pop("X-Token-Expires")
    assert told == {
        "X-Client-Id": [arena.billing.get()["status"]["clientId"]],
        "X-Client-Scope": ["orders.read"],
        "X-Client-Plan": ["gold"],
        "X-RateLimit-Limit": ["6000"],
        "X-RateLimit-Window": ["60"],
    }
    assert len(expires) == 1
    assert expires[0].isdigit()


def test_the_token_stays_with_the_gate(arena: Arena, gateway: Running) -> None:
    with gateway.caller(arena.token) as caller:
        answer = caller.call(headers=[("X-Other", "stays")])
    assert answer.seen_headers["X-Other"] == "stays"
    assert "Authorization" not in answer.seen_headers
    assert arena.token not in answer.body.decode()


def test_the_callers_own_headers_do_not_pass(arena: Arena, gateway: Running) -> None:
    """Nor do names that differ from them by underscores or case, which some APIs take for the same."""
    aliases = [name.replace("-", "_") for name in OF_THE_GATE]
    halves = [name.replace("-", "_", 1) for name in OF_THE_GATE]
    others = ["_".join(name.rsplit("-", 1)) for name in OF_THE_GATE]
    names = [*OF_THE_GATE, *map(str.lower, OF_THE_GATE), *map(str.upper, aliases), *aliases, *halves, *others]
    with gateway.caller(arena.token) as caller:
        answer = caller.call(headers=[(name, FORGED) for name in [*names, "X-Required-Scope", "X_Required_Scope"]])
    assert answer.status == 200, "the caller's own X-Required-Scope would have made it 403"
    assert FORGED not in answer.seen_headers.values()
    for name in OF_THE_GATE:
        assert len(answer.seen_headers.getall(name)) == 1


@pytest.mark.parametrize("token", [None, "x.y.z", "x" * 3000])
def test_no_good_token_is_401_with_a_challenge(gateway: Running, token: str | None) -> None:
    with gateway.caller(token) as caller:
        answer = caller.call()
    assert (answer.status, answer.of_api) == (401, False)
    (challenge,) = answer.headers.getall("WWW-Authenticate")
    assert challenge.startswith('Bearer realm="apiclients"')
    assert ("invalid_token" in challenge) is (token is not None)


def test_no_contract_is_403(arena: Arena, gateway: Running) -> None:
    with gateway.caller(arena.strangers_token) as caller:
        answer = caller.call()
    assert (answer.status, answer.of_api) == (403, False)


def test_a_plan_that_does_not_cover_the_scope_is_403_with_a_challenge(arena: Arena) -> None:
    admin = arena.product.admin
    before = admin.get("apis", "shop", "orders")["spec"]["plans"]
    admin.patch(
        "apis", "shop", "orders", {"spec": {"plans": [{**plan, "scopes": ["orders.write"]} for plan in before]}}
    )
    try:
        arena.until_gates_say(403)
        for name, gateway in arena.gateways.items():
            with gateway.caller(arena.token) as caller:
                answer = caller.call()
            assert (name, answer.status, answer.of_api) == (name, 403, False)
            (challenge,) = answer.headers.getall("WWW-Authenticate")
            assert "insufficient_scope" in challenge, name
    finally:
        admin.patch("apis", "shop", "orders", {"spec": {"plans": before}})
        arena.until_passes()


def test_a_token_from_before_the_contract_is_401_and_a_new_one_passes(arena: Arena) -> None:
    """So a client that asks for a new token upon a 401 goes on by itself."""
    client = arena.team.declare("late")
    old = client.token()
    arena.product.admin.create("contracts", "shop", contract("shop", "late"))
    until_active(arena.product, "late-orders")
    eventually("the gates know the contract", lambda: arena.at_gates(old) == {401})
    new = client.token()
    for gateway in arena.gateways.values():
        with gateway.caller(old) as caller:
            assert caller.call().status == 401, gateway.name
            caller.token = new
            assert caller.call().status == 200, gateway.name


def test_a_retired_api_is_410(arena: Arena) -> None:
    """Within the grace period everything comes back as it was."""
    admin = arena.product.admin
    count = len(admin.list("contracts", "shop"))
    retired = {"desiredStatus": "Retired", "retirement": {"acknowledgedContractCount": count, "gracePeriod": "1h"}}
    admin.patch("apis", "shop", "orders", {"spec": retired})
    try:
        arena.until_gates_say(410)
        for gateway in arena.gateways.values():
            with gateway.caller(arena.token) as caller:
                answer = caller.call()
            assert (gateway.name, answer.status, answer.of_api) == (gateway.name, 410, False)
    finally:
        admin.patch("apis", "shop", "orders", {"spec": {"desiredStatus": "Published", "retirement": None}})
        arena.until_passes()


@pytest.mark.parametrize("status", [201, 401, 403, 404, 500, 502, 503, 504])
def test_what_the_api_says_is_not_touched(arena: Arena, gateway: Running, status: int) -> None:
    with gateway.caller(arena.token) as caller:
        answer = caller.call(f"/status/{status}")
    assert (answer.status, answer.seen["path"]) == (status, f"/status/{status}")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method_is_checked(arena: Arena, gateway: Running, method: str) -> None:
    """OPTIONS too: who wants CORS preflights to pass says so at the gateway (docs/gateways.md)."""
    with gateway.caller("no.good.token") as caller:
        refused = caller.call(method=method)
        caller.token = arena.token
        passed = caller.call(method=method)
    assert (refused.status, refused.of_api) == (401, False)
    assert (passed.status, passed.of_api) == (200, True)
    if method != "HEAD":
        assert passed.seen["method"] == method


def test_no_path_gets_around_the_gate(arena: Arena, gateway: Running) -> None:
    for path in TRICKS:
        with gateway.caller(arena.strangers_token) as caller:
            refused = caller.call(path)
        assert (path, refused.of_api) == (path, False)
        assert refused.status >= 400, path
    with gateway.caller(arena.token) as caller:
        statuses = {path: caller.call(path).status for path in TRICKS if path.startswith("/orders")}
    assert statuses["/orders?x=/../check"] == 200


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_a_body_reaches_the_api_and_not_the_gate(arena: Arena, gateway: Running, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with gateway.caller(arena.token) as caller:
        for _ in range(2):
            whole = caller.call(method="POST", body=body)
            assert (whole.status, whole.seen["length"]) == (200, size)
            assert whole.seen["digest"] == hashlib.sha256(body).hexdigest()
        parts = chunked([body[:1000], body[1000:]] if size > 1000 else [body] * bool(size))
        sent = caller.call(method="POST", headers=[("Transfer-Encoding", "chunked")], body=parts)
    assert (sent.status, sent.seen["digest"]) == (200, hashlib.sha256(body).hexdigest())


def test_a_refused_call_with_a_body_is_answered(gateway: Running) -> None:
    with gateway.caller("no.good.token") as caller:
        refused = caller.call(method="POST", body=b"x" * 300_000)
    assert (refused.status, refused.of_api) == (401, False)


def test_how_large_headers_may_be(arena: Arena, gateway: Running) -> None:
    """What is too large is refused before anybody is asked, and never cut off."""
    traits = TRAITS[gateway.name]
    for size in SIZES:
        several = [(f"X-Large-{number}", "x" * 990) for number in range(size)]
        for limit, headers in ((traits.headers, several), (traits.one_header, [("X-Large", "x" * 1000 * size)])):
            with gateway.caller(arena.token) as caller:
                answer = caller.call(headers=headers)
            assert answer.of_api is (size <= limit), (size, limit, answer.status)
            if answer.of_api:
                assert all(answer.seen_headers[name] == value for name, value in headers)
            else:
                assert answer.status in (400, 431), size


def test_how_many_headers_envoy_takes(arena: Arena) -> None:
    """At most 100 with those that it adds itself; what has no room for the gate's answer is refused."""
    for count, status in ((80, 200), (95, 500), (101, 431)):
        with arena.gateways["envoy"].caller(arena.token) as caller:
            answer = caller.call(headers=[(f"X-{number}", "x") for number in range(count)])
        assert (count, answer.status, answer.of_api) == (count, status, status == 200)


def test_an_old_client_with_http_1_0(arena: Arena, gateway: Running) -> None:
    for token, status in ((arena.token, 200), (arena.strangers_token, 403)):
        with gateway.caller() as caller:
            answer = caller.send(f"GET /orders HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        expected = TRAITS[gateway.name].http_1_0
        assert answer.status == (status if expected == 200 else expected)
        assert answer.of_api is (answer.status == 200)


def test_a_caller_that_waits_for_100_continue(arena: Arena, gateway: Running) -> None:
    """Caddy says nothing when the call is refused: such a caller sends its body in the end, or gives up."""
    head = "POST /orders HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nAuthorization: Bearer "
    with gateway.caller() as caller:
        caller.send_only(f"{head}{arena.token}\r\n\r\n".encode())
        assert caller.first_line().startswith(b"HTTP/1.1 100")
        assert caller.send(b"12345", "POST").seen["length"] == 5
    with gateway.caller() as caller:
        caller.send_only(f"{head}{arena.strangers_token}\r\n\r\n".encode())
        if TRAITS[gateway.name].answers_expect:
            assert caller.first_line().split()[1] in (b"403", b"100")
        else:
            with pytest.raises(TimeoutError):
                caller.first_line(seconds=2)


def test_the_gateways_request_id_is_the_gates(arena: Arena, gateway: Running) -> None:
    """The gate logs it with the reason of a refusal; a caller cannot choose it."""
    with gateway.caller(arena.token) as caller:
        answer = caller.call(headers=[("X-Request-Id", "chosen-by-caller")])
    assert answer.seen_headers.getall("X-Request-Id", []) != ["chosen-by-caller"]
