"""A connection to the gate that sends bytes as they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from apiclients.gate.http.server import GateServer


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Raw:
    """A connection that sends bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)
        await self.writer.drain()

    async def answer(self) -> Answer:
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(head[0].split(" ")[1]), headers, body)

    async def ask(self, text: str | bytes) -> Answer:
        await self.send(text)
        return await self.answer()

    async def flood(self, data: bytes, pause: float = 0.0) -> None:
        """Send until the other side has had enough."""
        with suppress(ConnectionError):
            async with asyncio.timeout(5):
                while not self.reader.at_eof():
                    await self.send(data)
                    await asyncio.sleep(pause)

    async def closed(self) -> bytes:
        """What still comes until the other side closes."""
        async with asyncio.timeout(5):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@asynccontextmanager
async def raw(server: GateServer) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()


def get(path: str, *headers: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: gate\r\n{''.join(header + chr(13) + chr(10) for header in headers)}\r\n"
