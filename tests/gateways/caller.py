"""A caller of a gateway that sends what it is told, byte for byte, over one connection for as long as that lasts."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from multidict import CIMultiDict

from tests.gateways.backend import MARK

#: Longer than any gateway may take to say no.
_SECONDS = 15.0

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What the caller got."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def of_api(self) -> bool:
        """Whether the API answered, and not the gateway."""
        return MARK in self.headers

    @property
    def seen(self) -> dict[str, Any]:
        """What the API says that reached it."""
        assert self.of_api, self
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def seen_headers(self) -> CIMultiDict[str]:
        """The headers that reached the API."""
        return CIMultiDict([(name, value) for name, value in self.seen["headers"]])


class Caller:
    """One connection; a new one is opened where a gateway has closed it."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.token = token
        self.connections = 0
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def call(
        self, path: str = "/orders", method: str = "GET", headers: Headers = (), body: bytes | None = None
    ) -> Answer:
        """One call with the token. Raises OSError and http.client.HTTPException."""
        lines = [f"{method} {path} HTTP/1.1", "Host: api.example.com"]
        if self.token is not None:
            lines.append(f"Authorization: Bearer {self.token}")
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None and not any(name == "Transfer-Encoding" for name, _ in headers):
            lines.append(f"Content-Length: {len(body)}")
        return self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""), method)

    def send_only(self, request: bytes) -> None:
        """These bytes, without waiting for an answer."""
        self._connected().sendall(request)

    def first_line(self, seconds: float = _SECONDS) -> bytes:
        """The first line of what comes next; that and its headers are read. Raises TimeoutError."""
        connection = self._connected()
        connection.settimeout(seconds)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        connection.settimeout(_SECONDS)
        return head.partition(b"\r\n")[0]

    def send(self, request: bytes, method: str = "GET") -> Answer:
        """These bytes. Raises OSError and http.client.HTTPException."""
        connection = self._connected()
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent: the answer is there
            connection.sendall(request)
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
            answer = Answer(response.status, CIMultiDict(response.getheaders()), response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if response.will_close or response.status == 101:
            self.close()
        return answer

    def _connected(self) -> socket.socket:
        if self._socket is not None and self._is_closed(self._socket):
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=_SECONDS)
            self.connections += 1
        return self._socket

    @staticmethod
    def _is_closed(connection: socket.socket) -> bool:
        """Whether the other side has hung up since the last answer."""
        connection.setblocking(False)
        try:
            return connection.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            connection.settimeout(_SECONDS)


def chunked(parts: Iterable[bytes]) -> bytes:
    """A body in chunks (RFC 9112 section 7.1)."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
