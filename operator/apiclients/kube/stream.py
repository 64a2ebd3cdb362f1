"""The lines of a watch: bounded, decoded, errors raised."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp
import orjson

from apiclients.kube.errors import ResponseTooLargeError, UnreachableError, api_error
from apiclients.kube.objects import JsonObject, WatchEvent

WATCH_LINE_BYTES = 2 * 1024 * 1024
"""The longest line in bytes. What etcd stores is shorter than 1.5 MiB, so a longer one is not an object."""


async def lines(stream: aiohttp.StreamReader, limit: int = WATCH_LINE_BYTES) -> AsyncGenerator[bytes]:
    """Split a stream into lines; an unfinished last one is dropped, for the stream was cut there.

    Raises ResponseTooLargeError for a line of more than `limit` bytes.
    """
    rest = b""
    async for chunk in stream.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line:
                yield line
        if len(rest) > limit:
            raise ResponseTooLargeError(f"a watch event is longer than {limit} bytes")


def watch_event(line: bytes, title: str) -> WatchEvent:
    """Decode a line. An ERROR event is raised as ApiError (410 as GoneError); `title` says which watch it was."""
    event = decode_object(line)
    kind, body = event.get("type"), event.get("object")
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise UnreachableError(f"{title}: a line of the stream is not a watch event")
    if kind == "ERROR":
        code = body.get("code")
        raise api_error(code if isinstance(code, int) else 500, body, request=title)
    return WatchEvent(kind, body)


def decode_object(raw: bytes | memoryview) -> JsonObject:
    """Decode a JSON object. Raises UnreachableError for anything else: then not the API server answered."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None  # the decoder's message would quote the answer
    if not isinstance(body, dict):
        raise UnreachableError("the answer is not a JSON object: something other than the API server answered")
    return body
