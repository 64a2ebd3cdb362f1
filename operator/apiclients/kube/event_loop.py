"""The event loop of both programs: uvloop, which must not be left with the file descriptor of a failed connection.

A connection that is reset before uvloop has taken it over is closed twice: by libuv at once, and by the socket object
once that is collected. In between its number may belong to another connection, to the API server or of a caller, which
then breaks or is mixed up with a third. A socket that gives up its number when the connection fails cannot do that.
"""

import asyncio
import socket
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


class Loop(uvloop.Loop):
    """uvloop's, whose transports own the sockets that they are given, as those of asyncio do."""

    async def create_connection(self, *arguments: Any, sock: socket.socket | None = None, **options: Any) -> Any:
        """Connect, or take over ``sock`` whatever comes of it. Returns and raises as uvloop does."""
        try:
            transport, protocol = await super().create_connection(*arguments, sock=sock, **options)
        except BaseException:
            if sock is not None:
                sock.detach()
            raise
        if sock is not None and transport.is_closing():  # type: ignore[attr-defined]
            sock.detach()
        return transport, protocol


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a program to its end."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main)
