"""How the answers to lists and watches are decoded: to JSON objects, unless a Reflector wants something leaner."""

from __future__ import annotations

from typing import Any, Protocol

from apiclients.kube.objects import JsonObject, Page, ReadObject, WatchEvent, version_of
from apiclients.kube.stream import decode_object, watch_event


class Decoding(Protocol):
    """Decodes pages and events first, and each object in them when its turn comes. All raise KubeError."""

    def page(self, body: bytes) -> tuple[Page, str]:
        """A page of a list, and the token with which the list goes on; empty after the last page."""

    def event(self, line: bytes, title: str) -> WatchEvent:
        """A line of a watch. An ERROR event is raised as ApiError; `title` says which watch it was."""

    def item(self, item: Any) -> JsonObject | ReadObject:
        """An object of a page or of an event."""


class JsonDecoding:
    """Everything becomes JSON objects at once."""

    def page(self, body: bytes) -> tuple[Page, str]:
        """See `Decoding`."""
        found = decode_object(body)
        return Page(found.get("items") or [], str(version_of(found))), found["metadata"].get("continue") or ""

    def event(self, line: bytes, title: str) -> WatchEvent:
        """See `Decoding`."""
        return watch_event(line, title)

    def item(self, item: Any) -> JsonObject:
        """See `Decoding`."""
        found: JsonObject = item
        return found


JSON = JsonDecoding()
