"""The event loop of the programs: each file descriptor has one owner, whatever becomes of a connection."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import cast

import pytest

from apiclients.kube import event_loop

#: Close with a reset (SO_LINGER: on, 0 seconds).
_RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def refused() -> Iterator[socket.socket]:
    """A connection that the other side has reset."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = socket.create_connection(server.getsockname())
        sock.setblocking(False)
        peer, _ = server.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        peer.close()
        assert select.select([sock], [], [], 10)[0]
        yield sock
        sock.close()


@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])
def test_socket_of_a_failed_connection_gives_up_its_descriptor(refused: socket.socket, tls: bool) -> None:
    descriptor = refused.fileno()

    async def connect() -> None:
        context, name = (ssl.create_default_context(), "localhost") if tls else (None, None)
        ended = asyncio.Event()
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _UntilLost(ended), sock=refused, ssl=context, server_hostname=name
            )
        except ConnectionResetError:
            return
        await asyncio.wait_for(ended.wait(), 10)

    event_loop.run(connect())
    assert refused.fileno() == -1, "closing it would close a connection that has the number now"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_socket_of_a_connection_that_is_aborted_at_once_gives_up_its_descriptor() -> None:
    async def connect(sock: socket.socket) -> int:
        await asyncio.get_running_loop().create_connection(_Aborting, sock=sock)
        return sock.fileno()

    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = socket.create_connection(server.getsockname())
        sock.setblocking(False)
        assert event_loop.run(connect(sock)) == -1


def test_connection_made_from_a_socket_stays_open() -> None:
    async def talk(server: socket.socket) -> bytes:
        sock = socket.create_connection(server.getsockname())
        sock.setblocking(False)
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, sock=sock)
        with server.accept()[0] as peer:
            peer.sendall(b"hello")
        said = await asyncio.wait_for(reader.read(), 10)
        transport.close()
        return said

    with socket.create_server(("127.0.0.1", 0)) as server:
        assert event_loop.run(talk(server)) == b"hello"


class _Aborting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).abort()  # uvloop's are of no class of asyncio's


class _UntilLost(asyncio.Protocol):
    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()
