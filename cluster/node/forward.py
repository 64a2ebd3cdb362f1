"""Lets this machine reach ports inside the node's network: ``forward.py FOLDER PROCESS PORT...``, run as a script.

It listens on 127.0.0.1 of the machine and then moves into the network of ``PROCESS``: a socket stays where it was made,
so what it accepts comes from the machine, and what it connects to is inside. ``FOLDER`` only marks the command line.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
from functools import partial
from pathlib import Path

HOST = "127.0.0.1"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_CHUNK = 65536


def main(process: str, ports: list[int]) -> None:
    listeners = {port: _listen(port) for port in ports}
    _enter_network(process)
    asyncio.run(_serve(listeners))


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(1024)
    return listener


def _enter_network(process: str) -> None:
    """As ``os.setns``, which Python has since 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{process}/ns/net").open("rb") as namespace:
        if libc.setns(namespace.fileno(), _NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


async def _serve(listeners: dict[int, socket.socket]) -> None:
    servers = [await asyncio.start_server(partial(_forward, port), sock=sock) for port, sock in listeners.items()]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _forward(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy both ways until both sides have ended; where nobody listens inside, the caller is cut off."""
    with contextlib.suppress(OSError):
        try:
            inner_reader, inner_writer = await asyncio.open_connection(HOST, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[2], [int(port) for port in sys.argv[3:]])
