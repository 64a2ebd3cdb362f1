"""The HTTP server of one process: uvicorn, its certificate renewed while it runs, ended by the one who runs it."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import uvicorn

from apiclients.gate.app import GateApp
from apiclients.gate.protocol import BoundedProtocol

logger = logging.getLogger(__name__)

#: Longer than the 60 s after which nginx gives up an idle connection: the side that sends requests should close first.
_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 2048
_GRACE_SECONDS = 3
_CERTIFICATE_SECONDS = 10.0


class GateServer(uvicorn.Server):
    """uvicorn without its signal handlers: the process decides what a signal means, and takes its port beforehand."""

    _bound: list[socket.socket] | None = None

    def bind(self) -> None:
        """Take the port. Raises OSError; uvicorn would end the process from inside the event loop."""
        host, port = self.config.host, self.config.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._bound = [socket.create_server((host, port), family=family, backlog=self.config.backlog)]
        logger.info("listening on %s:%d", host, self._bound[0].getsockname()[1])

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until asked to end."""
        await super().serve(sockets or self._bound)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield

    @property
    def port(self) -> int:
        """The port that it listens on, once :attr:`started`."""
        return int(self.servers[0].sockets[0].getsockname()[1])


def make_server(app: GateApp, host: str, port: int, context: ssl.SSLContext | None = None) -> GateServer:
    """A server for the gate."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=partial(BoundedProtocol, app.immediate),  # type: ignore[arg-type]  # uvicorn only ever calls it
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    config.load()
    config.ssl = context
    return GateServer(config)


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
