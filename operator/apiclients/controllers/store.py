"""The operator's cache of one kind: fed by kopf's watch, by its own writes, and by a list for what a watch misses.

What counts when these disagree is decided in `kube.object_state`, as for the gate; here it is kept small.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from apiclients.controllers.undelivered import Undelivered
from apiclients.kube.client import KubeClient, ResourceType
from apiclients.kube.errors import NotFoundError
from apiclients.kube.object_state import Change, ListRun, ObjectState, Source
from apiclients.kube.objects import JsonObject, WatchEvent, identify
from apiclients.kube.pace import Pace, parts
from apiclients.kube.single_reads import SingleReads, latest_version
from apiclients.resources.refs import NamespacedName

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Stored:
    """One object as JSON without managedFields: a third of the memory of the decoded object."""

    body: bytes
    changed_by: str | None


class ObjectStore(Generic[T]):
    """Objects by namespace and name. A newer version of an object never gives way to an older one."""

    def __init__(
        self,
        resource: ResourceType,
        read: Callable[[Mapping[str, Any], str | None], T],
        on_change: Callable[[NamespacedName, JsonObject | None, Source, int], None],
    ) -> None:
        """``read`` makes the typed object of the JSON and of who last set ``spec.desiredStatus``.

        ``on_change`` hears which object changed, its JSON or None if it is gone, how that became known ("put" for the
        answer to an own write), and the version of the change.
        """
        self.resource = resource
        self._read = read
        self._on_change = on_change
        self._state: ObjectState[_Stored] = ObjectState(_slim, self._changed, in_order=False)
        #: What the watch has yet to tell.
        self.undelivered = Undelivered()

    def __len__(self) -> int:
        return len(self._state.store)

    def __iter__(self) -> Iterator[NamespacedName]:
        return iter(list(self._state.store))

    def __contains__(self, key: NamespacedName) -> bool:
        return key in self._state.store

    def by_uid(self) -> dict[str, NamespacedName]:
        """The objects that there are, by UID."""
        return {uid: key for key in self._state.store if (uid := self._state.uid_of(key)) is not None}

    @property
    def version(self) -> int:
        """Everything up to this version is here."""
        return self._state.resource_version

    @property
    def lost_events(self) -> int:
        """How many changes a list found that the watch did not deliver until the next one."""
        return self._state.lost_events

    def get(self, key: NamespacedName) -> T | None:
        """One object, read. Raises InvalidObjectError when it does not fit the models."""
        stored = self._state.store.get(key)
        return self._read(orjson.loads(stored.body), stored.changed_by) if stored else None

    def raw(self, key: NamespacedName) -> JsonObject | None:
        """One object as JSON."""
        return _decoded(self._state.store.get(key))

    def version_of(self, key: NamespacedName) -> int:
        """The version at which an object is known; 0 if it is not there."""
        return self._state.version_of(key)

    def take_event(self, event_type: str | None, obj: Mapping[str, Any]) -> None:
        """Take in what kopf delivers; the type of what its own lists show is None. Raises MalformedObjectError."""
        self.undelivered.delivered(*identify(dict(obj)), deleted=event_type == "DELETED")
        if event_type is None:
            self._state.take_listed(dict(obj))
        else:
            self.undelivered.list_ended()  # kopf hands on its list before any event
            self._state.take_event(WatchEvent(event_type, dict(obj)))

    def put(self, obj: JsonObject, *, own: bool = False) -> None:
        """Take in an object as it now is; nothing happens when that version is known already.

        The answer to an own write says nothing of an object that has gone, or was made again, meanwhile.
        """
        if not own:
            self.take_event("MODIFIED", obj)
        elif self._state.uid_of(_key(obj)) == obj["metadata"]["uid"]:
            key, version = identify(obj)
            if version > self._state.version_of(key):  # otherwise the watch has overtaken the answer
                self.undelivered.written(key, version)
            self._state.put(obj, "put")

    def remove(self, key: NamespacedName, uid: str | None = None) -> None:
        """Forget an object that is gone; with a UID only if it is still that one."""
        if uid in (None, self._state.uid_of(key)):
            self._state.absent(key, self._state.version_of(key))

    async def refresh(self, client: KubeClient, key: NamespacedName) -> None:
        """Read one object anew; what the watch brings meanwhile counts more. Raises KubeError."""
        version = self._state.version_of(key)
        try:
            self._state.put(await client.get(self.resource, *key), "get")
        except NotFoundError:
            self._state.absent(key, version)

    async def load(self, client: KubeClient) -> None:
        """Take in all objects there are; the watch begins afterwards. Raises KubeError."""
        run, pace = self._state.start_list(resume=True), Pace()
        async for page in client.pages(self.resource):
            for part in parts(page):
                self._state.take_page(run, part)
                await pace.pause()
        self._state.end_list(run)
        self.undelivered.listed(self._state.store)

    def single_reads(self, client: KubeClient) -> SingleReads:
        """Compares single objects with etcd."""
        return SingleReads(client, self.resource, self._state)

    async def resync(self, client: KubeClient) -> None:
        """Compare with a consistent list of identities at the version of now and fix what differs; see `lost_events`.

        Raises KubeError, StaleListError among them: then what is here stays, until so many lists in a row are stale
        that the history must have been replaced.
        """
        run = self._state.start_list(resume=False)
        await self._read_newer(client, run)
        self._state.end_list(run)
        self.undelivered.list_ended()
        for key in self._state.reads.disputed():
            await self.single_reads(client).read(key)  # what outweighs lists may itself be out of date by now

    async def _read_newer(self, client: KubeClient, run: ListRun) -> None:
        """Read what the list shows to be newer, before the list counts: it then proves the absence of all else."""
        behind: list[NamespacedName] = []
        version = await latest_version(client, self.resource)
        async for page in client.pages(self.resource, identity_only=True, at_version=version):
            behind += self._state.compare_page(run, page)
        for key in behind:
            await self.refresh(client, key)

    def _changed(self, change: Change[_Stored]) -> None:
        self._on_change(change.key, _decoded(change.new), change.source, change.resource_version)


def _key(obj: JsonObject) -> NamespacedName:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _decoded(stored: _Stored | None) -> JsonObject | None:
    if stored is None:
        return None
    body: JsonObject = orjson.loads(stored.body)
    return body


def _slim(obj: JsonObject) -> _Stored:
    meta = dict(obj["metadata"])
    managed_fields = meta.pop("managedFields", None) or []
    slim = {"metadata": meta, "spec": obj.get("spec"), "status": obj.get("status")}
    return _Stored(orjson.dumps(slim), _changed_by(managed_fields))


def _changed_by(managed_fields: list[JsonObject]) -> str | None:
    """Who last set ``spec.desiredStatus``: the latest of the managers that own it."""
    owners = [
        (entry.get("time", ""), entry.get("manager", ""))
        for entry in managed_fields
        if "f:desiredStatus" in entry.get("fieldsV1", {}).get("f:spec", {}) and not entry.get("subresource")
    ]
    return max(owners)[1][:128] if owners else None
