"""The state behind a `Reflector`: what lists, watch events and single answers say about objects, put in order. No IO.

resourceVersions are integers that grow with every change (which Kubernetes promises since 1.35), so that of two
statements about an object the newer one wins, no matter in which order they arrive. Two facts decide the rest:

* a watch delivers events in the order of their resourceVersions, so once it has passed a version without delivering a
  change of that version that a list showed, the change was lost;
* a list at version L shows everything up to L, so that older watch events say nothing new after it.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, Literal, TypeVar

from apiclients.kube.errors import KubeError
from apiclients.kube.objects import JsonObject, Key, Page, WatchEvent, identify, version_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

Source = Literal["list", "watch", "relist", "get", "put"]
"""How a change became known: the first list, the watch, a later list, a single read, the answer to an own write."""

# Longer than any list or answer can be under way (continue tokens expire after about 5 minutes).
TOMBSTONE_SECONDS = 600.0


class StaleListError(KubeError):
    """A consistent list was older than what the watch had reached: a stale server, or an etcd that was restored."""


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """One object changed. `old` is None for a new one, `new` is None for one that is gone or could not be converted.

    `resource_version` is the version of the change, or for a deletion that nobody saw happen the latest it can have.
    """

    key: Key
    old: T | None
    new: T | None
    resource_version: int
    source: Source


@dataclass(frozen=True, slots=True)
class _Entry:
    uid: str
    version: int


@dataclass(frozen=True, slots=True)
class _Tombstone:
    """A deletion: statements up to `version` are older. `uid` is set if that very object is known to be gone."""

    version: int
    uid: str


@dataclass(slots=True)
class ListRun:
    """A list under way. `floor` is what the watch had reached when it was requested."""

    floor: int
    source: Source
    resume: bool
    version: int = 0
    seen: set[Key] = field(default_factory=set)


class Picture(Generic[T]):
    """Objects by key, each as the newest statement has it; see the module. Not thread-safe: one event loop."""

    def __init__(
        self,
        convert: Callable[[JsonObject], T | None],
        on_change: Callable[[Change[T]], None] | None = None,
        on_bad: Callable[[JsonObject, Exception], T | None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """See `cache.Reflector` for the callables."""
        self._convert = convert
        self._on_change = on_change
        self._on_bad = on_bad
        self._monotonic = monotonic
        self._entries: dict[Key, _Entry] = {}
        self._values: dict[Key, T] = {}
        self._tombs: dict[Key, _Tombstone] = {}
        self._tomb_queue: deque[tuple[float, Key, _Tombstone]] = deque()
        self._owed: dict[int, Key] = {}
        self._owed_deletions: dict[Key, int] = {}
        self._reached = 0
        self._listed = 0
        self._lists = 0
        self.lost_events = 0
        self.store: Mapping[Key, T] = MappingProxyType(self._values)

    @property
    def reached(self) -> int:
        """The version from which a watch continues without a gap."""
        return self._reached

    @property
    def resource_version(self) -> int:
        """Everything up to this version is in the store."""
        return max(self._reached, self._listed)

    def version_of(self, key: Key) -> int:
        """The version of the newest statement about an object that is there; 0 if none is."""
        entry = self._entries.get(key)
        return entry.version if entry else 0

    def take_event(self, event: WatchEvent) -> None:
        """Take in what the watch delivered. Raises MalformedObjectError."""
        if event.type == "BOOKMARK":
            self._reach(version_of(event.object))
            return
        key, version = identify(event.object)
        self._owed.pop(version, None)
        if event.type == "DELETED" and version <= self._owed_deletions.get(key, 0):
            del self._owed_deletions[key]
        if version > self._listed:
            if event.type == "DELETED":
                self._remove(key, version, "watch")
            elif not self._outlived(key, event.object, version):
                self._set(key, event.object, version, "watch")
        self._reach(version)

    def put(self, body: JsonObject, source: Source) -> None:
        """Take in one object as a read or a write answered it. Raises MalformedObjectError."""
        key, version = identify(body)
        if version <= self._listed and key not in self._entries:
            return  # the list would have shown it: it is gone, or was never ours
        if not self._outlived(key, body, version):
            self._set(key, body, version, source)

    def absent(self, key: Key, version: int) -> None:
        """Take in that a read found nothing; `version` is what `version_of` said before the read."""
        entry = self._entries.get(key)
        if entry is not None and entry.version == version:
            self._remove(key, version, "get", uid=entry.uid)

    def start_list(self, *, resume: bool) -> ListRun:
        """Call before requesting a list; `resume` if no watch runs and the next one starts from this list."""
        return ListRun(self._reached, "relist" if self._lists else "list", resume)

    def take_page(self, run: ListRun, page: Page) -> None:
        """Take in a page. Raises StaleListError, before anything changed, if the list is older than the watch was."""
        run.version = int(page.resource_version)
        if run.version < run.floor:
            raise StaleListError(f"a list at version {run.version} is older than the watch, which was at {run.floor}")
        for body in page.items:
            key, version = identify(body)
            run.seen.add(key)
            # A list is proof: only a deletion after the state that it shows counts more.
            if version > self.version_of(key) and not self._outlived(key, body, run.version + 1):
                self._set(key, body, version, run.source)
                self._account(run, version, key)

    def end_list(self, run: ListRun) -> None:
        """Call after the last page: what the list did not show and is not younger than it has gone."""
        missing = [key for key, entry in self._entries.items() if key not in run.seen and entry.version <= run.version]
        for key in missing:
            self._remove(key, run.version, run.source)
            if run.version <= self._reached:
                self.lost_events += 1
            elif not run.resume:
                self._owed_deletions[key] = run.version
        self._listed = max(self._listed, run.version)
        self._lists += 1
        if run.resume:
            self._owed.clear()
            self._owed_deletions.clear()
            self._reached = run.version

    def forget_history(self) -> None:
        """Forget all versions, not the objects: the next list replaces everything, whatever its version."""
        self._entries = {key: _Entry(entry.uid, 0) for key, entry in self._entries.items()}
        self._tombs.clear()
        self._tomb_queue.clear()
        self._owed.clear()
        self._owed_deletions.clear()
        self._reached = self._listed = 0

    def _account(self, run: ListRun, version: int, key: Key) -> None:
        """A list showed something new: did the watch lose it, or is it yet to come?"""
        if version <= self._reached:
            self.lost_events += 1
        elif not run.resume:
            self._owed[version] = key

    def _reach(self, version: int) -> None:
        if version <= self._reached:
            return
        self._reached = version
        if self._owed:
            for owed in [owed for owed in self._owed if owed <= version]:
                del self._owed[owed]
                self.lost_events += 1
        if self._owed_deletions:
            for key in [key for key, latest in self._owed_deletions.items() if latest <= version]:
                del self._owed_deletions[key]
                self.lost_events += 1

    def _outlived(self, key: Key, body: JsonObject, version: int) -> bool:
        """Whether this object is known to be gone, or its key to be empty at `version` or later."""
        tomb = self._tombs.get(key)
        return tomb is not None and (version <= tomb.version or body["metadata"].get("uid") == tomb.uid)

    def _set(self, key: Key, body: JsonObject, version: int, source: Source) -> None:
        entry = self._entries.get(key)
        if entry is not None and version <= entry.version:
            return
        uid = body["metadata"].get("uid", "")
        if entry is not None and entry.uid != uid:
            self._emit(key, None, version, source)  # deleted and made anew: two different objects
        self._entries[key] = _Entry(uid, version)
        self._emit(key, self._converted(body), version, source)

    def _converted(self, body: JsonObject) -> T | None:
        try:
            return self._convert(body)
        except Exception as error:
            if self._on_bad is not None:
                return self._on_bad(body, error)
            # Not the error's text: a validation error quotes the object.
            logger.error("cannot read %s: %s; treated as absent", "/".join(identify(body)[0]), type(error).__name__)  # noqa: TRY400
            return None

    def _remove(self, key: Key, version: int, source: Source, uid: str = "") -> None:
        entry = self._entries.get(key)
        if entry is not None and entry.version > version:
            return  # made anew meanwhile
        self._bury(key, _Tombstone(version, uid))
        if entry is not None:
            del self._entries[key]
            self._emit(key, None, version, source)

    def _bury(self, key: Key, tomb: _Tombstone) -> None:
        now = self._monotonic()
        self._tombs[key] = tomb
        self._tomb_queue.append((now, key, tomb))
        while self._tomb_queue and self._tomb_queue[0][0] < now - TOMBSTONE_SECONDS:
            _, old_key, old_tomb = self._tomb_queue.popleft()
            if self._tombs.get(old_key) is old_tomb:
                del self._tombs[old_key]

    def _emit(self, key: Key, new: T | None, version: int, source: Source) -> None:
        old = self._values.get(key)
        if new is None:
            self._values.pop(key, None)
        else:
            self._values[key] = new
        if self._on_change is not None and (old is not None or new is not None):
            self._on_change(Change(key, old, new, version, source))
