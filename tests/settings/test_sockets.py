"""Listening on IPv4, on IPv6 and on both."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from apiclients.controllers import health
from apiclients.settings.sockets import listen, place


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="the kernel has no IPv6")

V4, V6 = "127.0.0.1", "::1"


def reached(port: int) -> set[str]:
    """By which loopback addresses a port is reached."""
    found = set()
    for address in (V4, V6):
        try:
            socket.create_connection((address, port), timeout=5).close()
        except OSError:
            continue
        found.add(address)
    return found


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "by", "told"),
    [
        (None, {V4, V6}, "all addresses, port {}"),
        ("0.0.0.0", {V4}, "0.0.0.0:{}"),
        ("::", {V6}, "[::]:{}"),
        (V4, {V4}, "127.0.0.1:{}"),
        (V6, {V6}, "[::1]:{}"),
    ],
)
def test_which_addresses_a_host_means(host: str | None, by: set[str], told: str) -> None:
    with listen(host, 0) as listening:
        port = listening.getsockname()[1]
        assert reached(port) == by
        assert place(listening) == told.format(port)


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_without_ipv6_in_the_kernel_all_addresses_are_those_of_ipv4(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.create_server

    def without_ipv6(address: Any, *, family: int = socket.AF_INET, **options: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(number, "no IPv6 here")
        return real(address, family=family, **options)

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    with listen(None, 0) as listening:
        assert reached(listening.getsockname()[1]) == {V4}


@pytest.mark.parametrize("taken_at", ["0.0.0.0", pytest.param("::", marks=needs_ipv6)])
def test_a_port_that_is_taken_in_one_family_is_taken(taken_at: str) -> None:
    with listen(taken_at, 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            listen(None, port)


def test_a_name_that_is_not_known_is_an_oserror() -> None:
    with pytest.raises(OSError, match=r"(?i)name|resolution|known"):
        listen("no-such-host.invalid", 0)


@needs_ipv6
async def test_the_operators_health_is_served_to_both_families() -> None:
    runner = await health.serve(None, 0, CollectorRegistry(), lambda: None)
    try:
        assert reached(runner.addresses[0][1]) == {V4, V6}
    finally:
        await runner.cleanup()
