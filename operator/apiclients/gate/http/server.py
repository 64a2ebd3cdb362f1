"""The HTTP server of one process: uvicorn, its certificate renewed while it runs, ended by the one who runs it."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import uvicorn

from apiclients.gate.http.protocol import App, BoundedProtocol
from apiclients.settings.sockets import listen, place

logger = logging.getLogger(__name__)

#: Longer than the 60 s after which nginx gives up an idle connection: the side that sends requests should close first.
_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 3
#: How long a server that ends answers on open connections: gateways use each of their connections within this time, or
#: can do without it.
_DRAIN_SECONDS = 5.0
_DRAIN_POLL_SECONDS = 0.05
_CERTIFICATE_SECONDS = 10.0


class GateServer(uvicorn.Server):
    """uvicorn without its signal handlers: the process decides what a signal means, and takes its port beforehand."""

    #: How long it answers on open connections once asked to end.
    drain_seconds = _DRAIN_SECONDS

    def __init__(self, config: uvicorn.Config, host: str | None, purpose: str) -> None:
        """``host`` is where to listen, None for all addresses; ``purpose`` is what it does there, for the log."""
        super().__init__(config)
        self._host = host
        self._purpose = purpose
        self._bound: list[socket.socket] | None = None

    def bind(self) -> None:
        """Take the port, and log it. Raises OSError; uvicorn would end the process from inside the event loop."""
        try:
            self._bound = [listen(self._host, self.config.port)]
        except OSError as error:
            where = self._host or "all addresses"
            logger.error("cannot listen on %s, port %d: %s", where, self.config.port, error)  # noqa: TRY400 - the sentence says it all
            raise
        logger.info("%s on %s", self._purpose, place(self._bound[0]))

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until asked to end."""
        await super().serve(sockets or self._bound)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, answer a last time on each that is open, then close what is left."""
        for server in self.servers:
            server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.drain_seconds):
                await self._drained()
        await super().shutdown(sockets)

    async def _drained(self) -> None:
        while self.server_state.connections:
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.drain()
            await asyncio.sleep(_DRAIN_POLL_SECONDS)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield

    @property
    def port(self) -> int:
        """The port that it listens on, once :attr:`started`."""
        return int(self.servers[0].sockets[0].getsockname()[1])


def make_server(
    app: App,
    host: str | None,
    port: int,
    context: ssl.SSLContext | None = None,
    max_connections: int | None = None,
    keep_alive_seconds: int = _KEEP_ALIVE_SECONDS,
    purpose: str = "listening",
) -> GateServer:
    """A server of the gate; ``max_connections`` if it may have fewer than by default."""
    config = uvicorn.Config(
        app,
        port=port,
        http=partial(BoundedProtocol, app, max_connections=max_connections),  # type: ignore[arg-type]  # uvicorn only ever calls it
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=keep_alive_seconds,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    config.load()
    config.ssl = context
    return GateServer(config, host, purpose)


class Certificate:
    """Certificate chain and key from files that somebody renews; new connections get what was read last."""

    def __init__(self, chain: Path, key: Path) -> None:
        """Raises OSError or ssl.SSLError if the files are no pair."""
        self._chain = chain
        self._key = key
        self._seen = self._stamp()
        self.context = _context(chain, key)

    def reload(self) -> bool:
        """Read the files again if they changed; whether that was done. A pair that does not fit is left for later."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        try:
            _context(self._chain, self._key)  # a failed attempt would leave the real context without a key
            self.context.load_cert_chain(self._chain, self._key)
        except (OSError, ssl.SSLError) as error:
            logger.warning("the new certificate cannot be used, the old one stays: %s", error)
            return False
        self._seen = stamp
        logger.info("using the new certificate")
        return True

    async def keep_reloading(self, interval: float = _CERTIFICATE_SECONDS) -> None:
        """Look every ``interval`` seconds until cancelled."""
        while True:
            await asyncio.sleep(interval)
            self.reload()

    def _stamp(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_file_stamp(path) for path in (self._chain, self._key))


def _file_stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _context(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    return context
