"""The operator's cache of one kind: fed by kopf's watch, by its own writes, and by a list for what a watch misses."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from apiclients.kube.client import KubeClient, ResourceType
from apiclients.kube.errors import NotFoundError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Namespace and name.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One object as JSON without managedFields: a third of the memory of the decoded object."""

    uid: str
    resource_version: int
    body: bytes
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What changed, as JSON; ``old`` is None for a new object, ``new`` for one that is gone."""

    key: Key
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    #: The answer to an own write: who wrote it knows it already.
    own: bool = False


class ObjectStore(Generic[T]):
    """Objects by namespace and name. A newer version of an object never gives way to an older one."""

    def __init__(
        self,
        resource: ResourceType,
        read: Callable[[Mapping[str, Any], str | None], T],
        on_change: Callable[[Change], None],
    ) -> None:
        """``read`` makes the typed object of the JSON and of who last set ``spec.desiredStatus``."""
        self.resource = resource
        self._read = read
        self._on_change = on_change
        self._entries: dict[Key, _Entry] = {}
        self._by_namespace: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._entries))

    def get(self, key: Key) -> T | None:
        """One object, read. Raises InvalidObjectError when it does not fit the models."""
        entry = self._entries.get(key)
        return self._read(orjson.loads(entry.body), entry.changed_by) if entry else None

    def raw(self, key: Key) -> dict[str, Any] | None:
        """One object as JSON."""
        entry = self._entries.get(key)
        return _decoded(entry) if entry else None

    def in_namespace(self, namespace: str) -> list[Key]:
        """The keys of all objects in a namespace."""
        return [(namespace, name) for name in self._by_namespace.get(namespace, ())]

    def put(self, obj: Mapping[str, Any], *, own: bool = False) -> None:
        """Take in an object as it now is; nothing happens when that version is known already.

        The answer to an own write says nothing of an object that has gone, or was made again, meanwhile.
        """
        key, entry = _entry(obj)
        known = self._entries.get(key)
        if own and (known is None or known.uid != entry.uid):
            return
        if known is not None and known.uid == entry.uid and known.resource_version >= entry.resource_version:
            return
        self._entries[key] = entry
        self._by_namespace.setdefault(key[0], set()).add(key[1])
        self._on_change(Change(key, _decoded(known) if known else None, _decoded(entry), own))

    def remove(self, key: Key, uid: str | None = None) -> None:
        """Forget an object that is gone; with a UID only if it is still that one."""
        known = self._entries.get(key)
        if known is None or uid not in (None, known.uid):
            return
        del self._entries[key]
        names = self._by_namespace[key[0]]
        names.discard(key[1])
        if not names:
            del self._by_namespace[key[0]]
        self._on_change(Change(key, _decoded(known), None))

    async def refresh(self, client: KubeClient, key: Key) -> None:
        """Read one object anew; what the watch brings meanwhile counts more. Raises KubeError."""
        before = self._uid(key)
        try:
            found = await client.get(self.resource, *key)
        except NotFoundError:
            if before is not None:
                self.remove(key, before)
            return
        if before is None or key in self._entries:
            self.put(found)

    async def load(self, client: KubeClient) -> None:
        """Take in all objects there are. Raises KubeError."""
        async for page in client.pages(self.resource):
            for obj in page.items:
                self.put(obj)

    async def resync(self, client: KubeClient) -> int:
        """Compare with a consistent list of metadata and mend what the watch missed; returns how much that was.

        Raises KubeError. Only what was known before the list can count as gone: anything newer came in meanwhile.
        """
        before = {key: entry.uid for key, entry in self._entries.items()}
        listed: dict[Key, tuple[str, int]] = {}
        async for page in client.pages(self.resource, metadata_only=True):
            for item in page.items:
                meta = item["metadata"]
                listed[meta["namespace"], meta["name"]] = meta["uid"], int(meta["resourceVersion"])
        gone = [key for key, uid in before.items() if key not in listed and self._uid(key) == uid]
        behind = [key for key, found in listed.items() if self._behind(key, *found)]
        for key in (*gone, *behind):
            await self.refresh(client, key)  # a GET, for the watch may have brought something newer meanwhile
        if gone or behind:
            counts = {"deleted": len(gone), "changed": len(behind)}
            logger.warning("Watch of %s missed changes", self.resource.plural, extra=counts)
        return len(gone) + len(behind)

    def _uid(self, key: Key) -> str | None:
        entry = self._entries.get(key)
        return entry.uid if entry else None

    def _behind(self, key: Key, uid: str, resource_version: int) -> bool:
        entry = self._entries.get(key)
        return entry is None or entry.uid != uid or entry.resource_version < resource_version


def _decoded(entry: _Entry) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(entry.body)
    return body


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
