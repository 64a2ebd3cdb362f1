"""Serves the pages on 127.0.0.1 until interrupted."""

import asyncio
import errno
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

from aiohttp import web

from apiclients.cli.cluster.connection import Session
from apiclients.cli.dashboard.routes import Site, application
from apiclients.cli.dashboard.state.board import Board, quiet_logs
from apiclients.cli.dashboard.web.access import ADDRESS, LINK_LIFETIME, Access
from apiclients.cli.dashboard.web.guard import OPEN_PATH
from apiclients.cli.errors import CliError
from apiclients.cli.screens.text import span, write

_KEEPALIVE_SECONDS = 30.0
_SHUTDOWN_SECONDS = 1.0


async def serve(session: Session, namespace: str | None, port: int, system_namespace: str, root: Path) -> NoReturn:
    """Print the link and serve until cancelled; ``port`` 0 takes a free one. Raises CliError, KubeError.

    ``root`` is the folder with the manifests.
    """
    quiet_logs()
    board = Board(session, namespace)
    with listening(port) as listener:
        async with board.following(), served(Site(board, system_namespace, root), listener) as link:
            write(sys.stdout, link)
            lifetime = span(LINK_LIFETIME)
            print(f"Open the link within {lifetime}; it works once. The dashboard is read-only. Press Ctrl-C to stop.",
                  file=sys.stderr)  # fmt: skip
            await asyncio.Event().wait()
    raise AssertionError("serves until cancelled")


def listening(port: int) -> socket.socket:
    """A socket on 127.0.0.1. Raises CliError if the port is not available."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
        listener.listen()  # with SO_REUSEADDR, two sockets can be bound to a port, but only one listens
    except OSError as error:
        listener.close()
        used = error.errno == errno.EADDRINUSE
        why = "in use, perhaps by another dashboard" if used else f"not available ({error.strerror})"
        raise CliError(f"port {port} on {ADDRESS} is {why}. Choose another with --port, or 0 for a free one") from None
    return listener


@asynccontextmanager
async def served(site: Site, listener: socket.socket) -> AsyncIterator[str]:
    """Serve on a bound socket; yields the link."""
    port = listener.getsockname()[1]
    access = Access(time.monotonic)
    # No access log: the token is in the address of the link.
    runner = web.AppRunner(
        application(site, access, port),
        access_log=None,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield f"http://{ADDRESS}:{port}{OPEN_PATH}?token={access.token}"
    finally:
        await runner.cleanup()
