"""Lists and watches whose objects are read from their text, without dictionaries in between.

Only programs that hold very many objects import this module, for it takes time to import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from apiclients.kube.decoding import JSON
from apiclients.kube.objects import JsonObject, Page, ReadObject, WatchEvent, version_of
from apiclients.kube.stream import decode_object

#: What says more than that an object is as it says.
_SPECIAL = ("ERROR", "BOOKMARK")
#: What msgspec raises for a text that is not as expected; ValueError where it is not UTF-8.
_UNUSUAL = (msgspec.MsgspecError, RecursionError, ValueError)


class _ListMeta(msgspec.Struct, gc=False):
    resourceVersion: str  # noqa: N815 - as in JSON
    continue_: str | None = msgspec.field(name="continue", default=None)


class _List(msgspec.Struct, gc=False):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class StructDecoding:
    """Objects are given to `read` as text. What it returns None for, and all that is unusual, is decoded to JSON."""

    def __init__(self, read: Callable[[msgspec.Raw], ReadObject | None]) -> None:
        self._read = read
        self._list = msgspec.json.Decoder(_List)
        self._event = msgspec.json.Decoder(_Event)

    def page(self, body: bytes) -> tuple[Page, str]:
        """See `Decoding`."""
        try:
            found = self._list.decode(body)
        except _UNUSUAL:
            return JSON.page(body)
        version = version_of({"metadata": {"resourceVersion": found.metadata.resourceVersion}})
        return Page(found.items or [], str(version)), found.metadata.continue_ or ""

    def event(self, line: bytes, title: str) -> WatchEvent:
        """See `Decoding`."""
        try:
            found = self._event.decode(line)
        except _UNUSUAL:
            return JSON.event(line, title)
        return JSON.event(line, title) if found.type in _SPECIAL else WatchEvent(found.type, found.object)

    def item(self, item: Any) -> JsonObject | ReadObject:
        """See `Decoding`."""
        if not isinstance(item, msgspec.Raw):
            return JSON.item(item)
        read = self._read(item)
        return read if read is not None else decode_object(memoryview(item))
