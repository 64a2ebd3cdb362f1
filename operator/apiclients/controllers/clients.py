"""The operator's cache of ApiClients: fed by kopf's watch, by its own writes, and by a list for what a watch misses."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from apiclients.controllers.queue import Key
from apiclients.kube.client import KubeClient, custom_resource
from apiclients.kube.errors import NotFoundError
from apiclients.resources.names import GROUP, VERSION
from apiclients.resources.objects import ApiClient

logger = logging.getLogger(__name__)

API_CLIENTS = custom_resource(GROUP, VERSION, "apiclients", "ApiClient")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One object as JSON without managedFields: a third of the memory of the decoded object."""

    uid: str
    resource_version: int
    body: bytes
    changed_by: str | None


class ClientStore:
    """ApiClients by namespace and name. A newer version of an object never gives way to an older one."""

    def __init__(self, on_change: Callable[[Key], None]) -> None:
        self._on_change = on_change
        self._entries: dict[Key, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._entries))

    def get(self, key: Key) -> ApiClient | None:
        """One client, read. Raises InvalidObjectError when it does not fit the models."""
        entry = self._entries.get(key)
        return ApiClient.from_object(orjson.loads(entry.body), changed_by=entry.changed_by) if entry else None

    def raw(self, key: Key) -> dict[str, Any] | None:
        """One client as JSON, for an object that cannot be read."""
        entry = self._entries.get(key)
        return orjson.loads(entry.body) if entry else None

    def put(self, obj: Mapping[str, Any], *, announce: bool = True) -> None:
        """Take in an object as it now is; nothing happens when that version is known already."""
        key, entry = _entry(obj)
        known = self._entries.get(key)
        if known is not None and known.uid == entry.uid and known.resource_version >= entry.resource_version:
            return
        self._entries[key] = entry
        if announce:
            self._on_change(key)

    def remove(self, key: Key, uid: str | None = None) -> None:
        """Forget an object that is gone; with a UID only if it is still that one."""
        known = self._entries.get(key)
        if known is not None and uid in (None, known.uid):
            del self._entries[key]
            self._on_change(key)

    async def refresh(self, client: KubeClient, key: Key) -> None:
        """Read one object anew. Raises KubeError."""
        try:
            self.put(await client.get(API_CLIENTS, *key))
        except NotFoundError:
            self.remove(key)

    async def resync(self, client: KubeClient) -> int:
        """Compare with a consistent list of metadata and mend what the watch missed; returns how much that was.

        Raises KubeError. Only what was known before the list can count as gone: anything newer came in meanwhile.
        """
        before = {key: entry.uid for key, entry in self._entries.items()}
        listed: dict[Key, tuple[str, int]] = {}
        async for page in client.pages(API_CLIENTS, metadata_only=True):
            for item in page.items:
                meta = item["metadata"]
                listed[meta["namespace"], meta["name"]] = meta["uid"], int(meta["resourceVersion"])
        gone = [key for key, uid in before.items() if key not in listed and self._uid(key) == uid]
        behind = [key for key, found in listed.items() if self._behind(key, *found)]
        for key in gone:
            await self.refresh(client, key)  # a GET, for the watch may have brought a new one of that name
        for key in behind:
            await self.refresh(client, key)
        if gone or behind:
            logger.warning("Watch of ApiClients missed changes", extra={"deleted": len(gone), "changed": len(behind)})
        return len(gone) + len(behind)

    def _uid(self, key: Key) -> str | None:
        entry = self._entries.get(key)
        return entry.uid if entry else None

    def _behind(self, key: Key, uid: str, resource_version: int) -> bool:
        entry = self._entries.get(key)
        return entry is None or entry.uid != uid or entry.resource_version < resource_version


def _entry(obj: Mapping[str, Any]) -> tuple[Key, _Entry]:
    meta = dict(obj["metadata"])
    managed_fields = meta.pop("managedFields", None) or []
    slim = {"metadata": meta, "spec": obj.get("spec"), "status": obj.get("status")}
    key = meta.get("namespace", ""), meta["name"]
    body, version = orjson.dumps(slim), int(meta["resourceVersion"])
    return key, _Entry(meta["uid"], version, body, _changed_by(managed_fields))


def _changed_by(managed_fields: list[dict[str, Any]]) -> str | None:
    """Who last set ``spec.desiredStatus``: the latest of the managers that own it."""
    owners = [
        (entry.get("time", ""), entry.get("manager", ""))
        for entry in managed_fields
        if "f:desiredStatus" in entry.get("fieldsV1", {}).get("f:spec", {}) and not entry.get("subresource")
    ]
    return max(owners)[1][:128] if owners else None
