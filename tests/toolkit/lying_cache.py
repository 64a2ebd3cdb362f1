"""An API server whose watch cache has lost changes, as kubernetes #123072 tells of one.

Lists, watches, and reads of one object that name a resourceVersion are answered from that cache: chosen changes have
never happened there, although resourceVersions and bookmarks go on. Reads without a resourceVersion come from etcd and
tell the truth. A change that reaches the cache again ends the lie about its object, as the whole object comes with it.

It works on the answers of a real API server, whose versions say what was lost: no clock and no race decides.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from apiclients.kube.objects import identify, version_of
from apiclients.kube.table import ACCEPT_TABLE, WITHOUT_OBJECTS, identities
from apiclients.resources.refs import NamespacedName
from tests.toolkit.admin import Admin
from tests.toolkit.faults import EVENTS, Asked
from tests.toolkit.objects import JsonObject

_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_END_OF_FIRST_EVENTS = "k8s.io/initial-events-end"


@dataclass(frozen=True)
class _Image:
    """An object as the API server showed it in a list of each form."""

    item: JsonObject
    metadata: JsonObject
    row: JsonObject

    def entry(self, list_kind: str, query: Mapping[str, str]) -> JsonObject:
        """As it stands in a list of this kind."""
        if list_kind == "PartialObjectMetadataList":
            return self.metadata
        if list_kind != "Table":
            return self.item
        shown = {"None": None, "Metadata": self.metadata, "Object": self.item}
        return {**self.row, "object": shown[query.get("includeObject", "Metadata")]}


@dataclass(eq=False)
class _Lie:
    """The changes of one object after version ``since`` and up to ``until`` are lost; before them it was ``image``."""

    since: int
    image: _Image | None
    until: float = math.inf
    #: Version of the first change that reached the cache again.
    over: float = math.inf

    def hides(self, version: int) -> bool:
        """Whether the cache has lost the change that made this version."""
        return self.since < version <= self.until

    def hides_in_list(self, list_version: int, version: int | None) -> bool:
        """Whether a list at a version shows what the cache has lost: an object at ``version``, or that it is gone."""
        if version is not None:
            return self.hides(version)
        return list_version > self.since and self.over == math.inf

    def retold(self, kind: str, version: int) -> str | None:
        """How the cache calls a change: the first one it knows of again is told by what it believed until then."""
        if self.hides(version):
            return None
        if version > self.until:
            self.over = min(self.over, version)
        if version != self.over or (kind == "DELETED" and self.image is not None):
            return kind
        if kind == "DELETED":
            return None
        return "ADDED" if self.image is None else "MODIFIED"


class LyingCache:
    """The cache; it tells the truth until ``lose`` is called. May be used from several threads."""

    def __init__(self) -> None:
        self._lies: Mapping[str, Mapping[NamespacedName, _Lie]] = {}

    def lose(self, admin: Admin, resource: str, namespace: str, name: str) -> None:
        """Lose all changes of an object of ours from now on, until ``heal``. It need not be there yet."""
        known = self._lies.get(resource, {})
        lie = known.get((namespace, name))
        if lie is None or lie.over < math.inf:
            lie = _Lie(*_seen_now(admin, resource, namespace, name))
        lie.until = math.inf
        self._lies = {**self._lies, resource: {**known, (namespace, name): lie}}

    @contextmanager
    def losing(self, admin: Admin, resource: str, namespace: str, name: str) -> Iterator[None]:
        """Lose the changes of an object that are made in this block; the next one after it is seen."""
        self.lose(admin, resource, namespace, name)
        yield
        since, _ = _seen_now(admin, resource, namespace, name, whole_list=True)
        self._lies[resource][namespace, name].until = since

    def heal(self) -> None:
        """Hold from now on what etcd holds. Watches do not make up for what they have not told."""
        self._lies = {}

    def answers(self, asked: Asked) -> bool:
        """Whether the answer to a request comes from the cache, and from one that has lost something of that kind."""
        from_cache = not asked.is_write and (not asked.name or "resourceVersion" in asked.query)
        if not from_cache or asked.resource not in self._lies:
            return False
        if "labelSelector" in asked.query or (asked.watch and not _says_from_where(asked)):
            raise NotImplementedError(f"the lying cache cannot answer {asked}")
        return True

    def believed_list(self, asked: Asked, body: JsonObject) -> JsonObject:
        """What it makes of a true list, which is a whole one and not a page."""
        is_table = body["kind"] == "Table"
        field, version = "rows" if is_table else "items", version_of(body)
        entries = body.get(field) or []
        heads = map(identify, identities(body) if is_table else entries)
        shown = {key: (found, entry) for (key, found), entry in zip(heads, entries, strict=True)}
        for key, lie in self.lies_about(asked).items():
            found, _ = shown.get(key, (None, None))
            if not lie.hides_in_list(version, found):
                continue
            shown.pop(key, None)
            if lie.image is not None and _selected(lie.image.item, asked.query.get("fieldSelector", "")):
                shown[key] = (lie.since, lie.image.entry(body["kind"], asked.query))
        in_order = sorted(shown, key="/".join)
        return {**body, field: [shown[key][1] for key in in_order]}

    def believed_object(self, asked: Asked, accept: str, body: JsonObject | None) -> JsonObject | None:
        """What it makes of the true state of one object; None if it is not there."""
        lie = self.lies_about(asked).get((asked.namespace, asked.name))
        if lie is None or not lie.hides_in_list(lie.since + 1, version_of(body) if body else None):
            return body
        if lie.image is None:
            return None
        return lie.image.metadata if "as=PartialObjectMetadata" in accept else lie.image.item

    def watch(self, asked: Asked, accept: str) -> "CacheWatch":
        """A watch of it."""
        return CacheWatch(self, asked, metadata_only="as=PartialObjectMetadata" in accept)

    def lies_about(self, asked: Asked) -> Mapping[NamespacedName, _Lie]:
        """What it believes wrongly of what a request is about, by namespace and name."""
        lies = self._lies.get(asked.resource, {})
        return {key: lie for key, lie in lies.items() if asked.namespace in ("", key[0])}


class CacheWatch:
    """What one watch of the cache delivers."""

    def __init__(self, cache: LyingCache, asked: Asked, *, metadata_only: bool) -> None:
        self._cache = cache
        self._asked = asked
        self._metadata_only = metadata_only
        self._told: set[NamespacedName] | None = set() if "sendInitialEvents" in asked.query else None

    def lines(self, line: bytes) -> list[bytes]:
        """The lines that it delivers instead of a true one."""
        lies = self._cache.lies_about(self._asked)
        if not lies:
            return [line]
        event = json.loads(line)
        if event["type"] == "BOOKMARK":
            return [*self._end_of_first_events(event["object"], lies), line]
        if event["type"] not in EVENTS:
            return [line]
        key, version = identify(event["object"])
        kind = lies[key].retold(event["type"], version) if key in lies else event["type"]
        if kind is None:
            return []
        if self._told is not None:
            self._told.add(key)
        return [json.dumps({**event, "type": kind}).encode() if kind != event["type"] else line]

    def _end_of_first_events(self, bookmark: JsonObject, lies: Mapping[NamespacedName, _Lie]) -> list[bytes]:
        """What the cache believes to be there, before a watch that begins with a list says that this was all."""
        if self._told is None or _END_OF_FIRST_EVENTS not in bookmark["metadata"].get("annotations", {}):
            return []
        told, self._told = self._told, None
        images = [lie.image for key, lie in lies.items() if key not in told and lie.over == math.inf]
        objects = [image.metadata if self._metadata_only else image.item for image in images if image is not None]
        return [json.dumps({"type": "ADDED", "object": one}).encode() for one in objects]


def _seen_now(
    admin: Admin, resource: str, namespace: str, name: str, *, whole_list: bool = False
) -> tuple[int, _Image | None]:
    """An object in all forms, and a version after which all changes of it are yet to come.

    With ``whole_list`` that version is the one of the list, so that it includes a deletion of a moment ago.
    """
    only = {"fieldSelector": f"metadata.name={name}"}
    while True:
        plain = admin.done("GET", resource, namespace, **only)
        metadata = admin.done("GET", resource, namespace, accept=_METADATA_LIST, **only)
        table = admin.done("GET", resource, namespace, accept=ACCEPT_TABLE, **WITHOUT_OBJECTS, **only)
        found = [plain["items"], metadata.get("items") or [], identities(table)]
        versions = {version_of(one) for items in found for one in items}
        if not any(found):
            return version_of(plain), None
        if all(found) and len(versions) == 1:
            image = _Image(plain["items"][0], metadata["items"][0], table["rows"][0])
            return version_of(plain) if whole_list else versions.pop(), image


def _says_from_where(asked: Asked) -> bool:
    """Whether a watch continues a list, or says when its first events end."""
    return asked.query.get("resourceVersion", "0") != "0" or "sendInitialEvents" in asked.query


def _selected(body: JsonObject, selector: str) -> bool:
    """Whether a field selector selects an object."""
    return all(_meets(body, term) for term in selector.split(",") if term)


def _meets(body: JsonObject, term: str) -> bool:
    path, operator, wanted = term.partition("!=" if "!=" in term else "=")
    found: Any = body
    for part in path.split("."):
        found = found.get(part, {})
    return (found == wanted.removeprefix("=")) is (operator == "=")
