"""The state of every cache: what lists, watch events and single answers say about objects, put in order. No IO.

A `Reflector` feeds it from its own watch, the operator's stores feed it from kopf's.

resourceVersions are integers that grow with every change (which Kubernetes promises since 1.35), so that of two
statements about an object the newer one wins, no matter in which order they arrive. Two facts decide the rest:

* a watch delivers events in the order of their resourceVersions, so once it has passed a version without delivering a
  change of that version that a list showed, the change was lost. Whoever hands events over object by object (kopf) is
  given until the next list;
* a list at version L shows everything up to L, so that older watch events say nothing new after it.

Both hold as long as the API server's watch cache, from which watches and lists come, has lost nothing. A read of one
object comes from etcd: what it says outweighs them until they have caught up with it (`reads`).
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

from apiclients.kube.errors import KubeError
from apiclients.kube.objects import JsonObject, Page, ReadObject, WatchEvent, identify, uid_of, version_of
from apiclients.kube.reads import DirectReads, Moment
from apiclients.resources.refs import NamespacedName

logger = logging.getLogger(__name__)

T = TypeVar("T")

Body = JsonObject | ReadObject
"""An object as whoever feeds the state has decoded it."""

Source = Literal["list", "watch", "relist", "get", "put"]
"""How a change became known: the first list, the watch, a later list, a single read, the answer to an own write."""

# Longer than any list or answer can be under way (continue tokens expire after about 5 minutes).
TOMBSTONE_SECONDS = 600.0
# So many lists in a row that are older than the watch was: etcd has been restored, the past is void.
STALE_LISTS = 3


class StaleListError(KubeError):
    """A consistent list was older than what the watch had reached: a stale server, or an etcd that was restored.

    `history_replaced` is set when it has happened so often that the state has forgotten all versions.
    """

    def __init__(self, message: str, *, history_replaced: bool) -> None:
        super().__init__(message)
        self.history_replaced = history_replaced


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """One object changed. `old` is None for a new one, `new` is None for one that is gone or could not be converted.

    `resource_version` is the version of the change, or for a deletion that nobody saw happen the latest it can have.
    """

    key: NamespacedName
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
    #: Which statement it was, in the order of their arrival.
    order: int


@dataclass(slots=True)
class ListRun:
    """A list under way. `floor` is what the watch had reached when it was requested.

    It says nothing of the namespaces `left_out`.
    """

    floor: int
    source: Source
    resume: bool
    left_out: frozenset[str] = frozenset()
    version: int = 0
    seen: set[NamespacedName] = field(default_factory=set)

    def silent_about(self, key: NamespacedName) -> bool:
        """Whether it would show the object, if it were there, and does not."""
        return key not in self.seen and key[0] not in self.left_out


class ObjectState(Generic[T]):
    """Objects by key, each as the newest statement has it; see the module. Not thread-safe: one event loop."""

    def __init__(
        self,
        convert: Callable[[Any], T | None],
        on_change: Callable[[Change[T]], None] | None = None,
        on_bad: Callable[[Any, Exception], T | None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        in_order: bool = True,
    ) -> None:
        """See `cache.Reflector` for the callables.

        `in_order`: the events of different objects come in the order of their versions, as a watch sends them.
        """
        self._convert = convert
        self._on_change = on_change
        self._on_bad = on_bad
        self._monotonic = monotonic
        self._in_order = in_order
        self._entries: dict[NamespacedName, _Entry] = {}
        self._values: dict[NamespacedName, T] = {}
        self._tombs: dict[NamespacedName, _Tombstone] = {}
        self._tomb_queue: deque[tuple[float, NamespacedName, _Tombstone]] = deque()
        self._owed: dict[int, NamespacedName] = {}
        self._owed_deletions: dict[NamespacedName, int] = {}
        self._reached = 0
        self._listed = 0
        self._order = 0
        self._lists = 0
        self._stale_lists = 0
        self.reads = DirectReads()
        self.lost_events = 0
        self.store: Mapping[NamespacedName, T] = MappingProxyType(self._values)

    @property
    def reached(self) -> int:
        """The version from which a watch continues without a gap."""
        return self._reached

    @property
    def resource_version(self) -> int:
        """Everything up to this version is in the store."""
        return max(self._reached, self._listed)

    def version_of(self, key: NamespacedName) -> int:
        """The version of the newest statement about an object that is there; 0 if none is."""
        entry = self._entries.get(key)
        return entry.version if entry else 0

    def uid_of(self, key: NamespacedName) -> str | None:
        """The UID of the object that is there; None if none is."""
        entry = self._entries.get(key)
        return entry.uid if entry else None

    def take_event(self, event: WatchEvent) -> None:
        """Take in what the watch delivered. Raises MalformedObjectError."""
        if event.type == "BOOKMARK":
            self._reach(version_of(event.object))
            return
        key, version = identify(event.object)
        self.reads.watched(key, version, deleted=event.type == "DELETED")
        self._owed.pop(version, None)
        if event.type == "DELETED" and version <= self._owed_deletions.get(key, 0):
            del self._owed_deletions[key]
        if version > self._listed:
            if event.type == "DELETED":
                self._remove(key, version, "watch")
            elif not self._outlived(key, event.object, version):
                self._set(key, event.object, version, "watch")
        self._reach(version)

    def take_listed(self, body: JsonObject) -> None:
        """Take in one object of the feeder's own list, whose version and end it does not tell (kopf's first events).

        After such a list the watch goes on from there: what it then skips is a gap and no loss. Raises
        MalformedObjectError.
        """
        key, version = identify(body)
        for owed in [owed for owed, whose in self._owed.items() if whose == key and owed <= version]:
            del self._owed[owed]
        self.put(body, "relist" if self._lists else "list")

    def put(self, body: JsonObject, source: Source) -> None:
        """Take in one object as a read or a write answered it. Raises MalformedObjectError."""
        key, version = identify(body)
        if version <= self._listed and key not in self._entries:
            return  # the list would have shown it: it is gone, or was never ours
        if not self._outlived(key, body, version):
            self._set(key, body, version, source)

    def absent(self, key: NamespacedName, version: int) -> None:
        """Take in that a read found nothing; `version` is what `version_of` said before the read."""
        entry = self._entries.get(key)
        if entry is not None and entry.version == version:
            self._remove(key, version, "get", uid=entry.uid)

    def moment(self) -> Moment:
        """Call before a read that etcd is to answer: nothing that is known by then can be newer than its answer."""
        return Moment(self._order, self._listed)

    def put_read(self, body: JsonObject, asked: Moment) -> bool:
        """Take in what etcd answered to a read at the moment `asked`; lists and tombstones of before say nothing.

        Nor does a list of after it that does not show what an earlier one has failed to show as well. Returns whether
        it was new. Raises MalformedObjectError.
        """
        key, version = identify(body)
        unlisted = asked.listed < version <= self._listed and key not in self._entries
        if unlisted or self._outlived(key, body, version, since=asked.order) or version <= self.version_of(key):
            return False
        self._owed.pop(version, None)  # it is accounted for as a read from now on
        self._set(key, body, version, "get")
        self.reads.note(key, uid_of(body), version)
        return True

    def absent_read(self, key: NamespacedName, version: int) -> bool:
        """As `absent`, of a read that etcd has answered. Returns whether it was new."""
        uid = self.uid_of(key)
        self.absent(key, version)
        if uid is None or self.uid_of(key) is not None:
            return False
        self.reads.note(key, uid, 0)
        return True

    def start_list(self, *, resume: bool, left_out: frozenset[str] = frozenset()) -> ListRun:
        """Call before requesting a list; `resume` if no watch runs and the next one starts from this list.

        `left_out` are the namespaces whose objects it will not show, wherever they are; then it must not `resume`.
        """
        if not self._in_order:
            self._write_off()  # a whole interval has passed
        return ListRun(self._reached, "relist" if self._lists else "list", resume, left_out)

    def take_page(self, run: ListRun, page: Page) -> None:
        """Take in a page. Raises StaleListError, before any object changed, if the list is older than the watch was."""
        for key, version, body in self._news(run, page):
            self._set(key, body, version, run.source)

    def compare_page(self, run: ListRun, page: Page) -> list[NamespacedName]:
        """Take in a page that proves versions but shows no content; return what has to be read, and put, anew.

        Raises StaleListError as `take_page` does.
        """
        return [key for key, _, _ in self._news(run, page)]

    def end_list(self, run: ListRun) -> None:
        """Call after the last page: what the list did not show and is not younger than it has gone."""
        missing = [
            key
            for key, entry in self._entries.items()
            if run.silent_about(key) and entry.version <= run.version and not self.reads.outweighs_absence(key)
        ]
        for key in missing:
            self._remove(key, run.version, run.source)
            if self._passed(run.version):
                self.lost_events += 1
            elif not run.resume:
                self._owed_deletions[key] = run.version
        self.reads.listed(lambda key: not run.silent_about(key))
        if not run.left_out:
            self._listed = max(self._listed, run.version)
        self._lists += 1
        self._stale_lists = 0
        if run.resume:
            self._owed.clear()
            self._owed_deletions.clear()
            self.reads.watch_anew()
            self._reached = run.version

    def forget_history(self) -> None:
        """Forget all versions, not the objects: the next list replaces everything, whatever its version."""
        self._entries = {key: _Entry(entry.uid, 0) for key, entry in self._entries.items()}
        self._tombs.clear()
        self._tomb_queue.clear()
        self._owed.clear()
        self._owed_deletions.clear()
        self.reads.clear()
        self._reached = self._listed = self._stale_lists = 0

    def _news(self, run: ListRun, page: Page) -> Iterator[tuple[NamespacedName, int, Body]]:
        """What a page shows that is newer than what is known; each of it is accounted for."""
        run.version = int(page.resource_version)
        if run.version < run.floor:
            raise self._stale(run)
        for body in page.items:
            key, version = identify(body)
            run.seen.add(key)
            if self.reads.outweighs(key, uid_of(body), version):
                continue
            # A list is proof: only a deletion after the state that it shows counts more.
            if version > self.version_of(key) and not self._outlived(key, body, run.version + 1):
                self._account(run, version, key)
                yield key, version, body

    def _stale(self, run: ListRun) -> StaleListError:
        """Trust the watch first: a stale list would bring dead objects back. If it lasts, the history was replaced."""
        self._stale_lists += 1
        replaced = self._stale_lists >= STALE_LISTS
        if replaced:
            self.forget_history()
        message = f"a list at version {run.version} is older than the watch, which was at {run.floor}"
        return StaleListError(message, history_replaced=replaced)

    def _passed(self, version: int) -> bool:
        """Whether the watch can no longer deliver a change of that version."""
        return self._in_order and version <= self._reached

    def _write_off(self) -> None:
        self.lost_events += len(self._owed) + len(self._owed_deletions)
        self._owed.clear()
        self._owed_deletions.clear()

    def _account(self, run: ListRun, version: int, key: NamespacedName) -> None:
        """A list showed something new: did the watch lose it, or is it yet to come?"""
        if self._passed(version):
            self.lost_events += 1
        elif not run.resume:
            self._owed[version] = key

    def _reach(self, version: int) -> None:
        if version <= self._reached:
            return
        self._reached = version
        if not self._in_order:
            return
        if self._owed:
            for owed in [owed for owed in self._owed if owed <= version]:
                del self._owed[owed]
                self.lost_events += 1
        if self._owed_deletions:
            for key in [key for key, latest in self._owed_deletions.items() if latest <= version]:
                del self._owed_deletions[key]
                self.lost_events += 1

    def _outlived(self, key: NamespacedName, body: Body, version: int, since: int = -1) -> bool:
        """Whether this object is known to be gone, or, `since` that moment, its key to be empty at `version`."""
        tomb = self._tombs.get(key)
        if tomb is None:
            return False
        return (version <= tomb.version and tomb.order > since) or uid_of(body) == tomb.uid

    def _set(self, key: NamespacedName, body: Body, version: int, source: Source) -> None:
        entry = self._entries.get(key)
        if entry is not None and version <= entry.version:
            return
        uid = uid_of(body)
        if entry is not None and entry.uid != uid:
            self._emit(key, None, version, source)  # deleted and made anew: two different objects
        self._entries[key] = _Entry(uid, version)
        self._emit(key, self._converted(body), version, source)

    def _converted(self, body: Body) -> T | None:
        try:
            return self._convert(body)
        except Exception as error:
            if self._on_bad is not None:
                return self._on_bad(body, error)
            # Not the error's text: a validation error quotes the object.
            logger.error("cannot read %s: %s; treated as absent", "/".join(identify(body)[0]), type(error).__name__)  # noqa: TRY400
            return None

    def _remove(self, key: NamespacedName, version: int, source: Source, uid: str = "") -> None:
        entry = self._entries.get(key)
        if entry is not None and entry.version > version:
            return  # made anew meanwhile
        self._bury(key, _Tombstone(version, uid, self._next()))
        if entry is not None:
            del self._entries[key]
            self._emit(key, None, version, source)

    def _bury(self, key: NamespacedName, tomb: _Tombstone) -> None:
        known = self._tombs.get(key)
        if known is not None and known.version > tomb.version:
            return
        now = self._monotonic()
        self._tombs[key] = tomb
        self._tomb_queue.append((now, key, tomb))
        while self._tomb_queue and self._tomb_queue[0][0] < now - TOMBSTONE_SECONDS:
            _, old_key, old_tomb = self._tomb_queue.popleft()
            if self._tombs.get(old_key) is old_tomb:
                del self._tombs[old_key]

    def _next(self) -> int:
        self._order += 1
        return self._order

    def _emit(self, key: NamespacedName, new: T | None, version: int, source: Source) -> None:
        old = self._values.get(key)
        if new is None:
            self._values.pop(key, None)
        else:
            self._values[key] = new
        if self._on_change is not None and (old is not None or new is not None):
            self._on_change(Change(key, old, new, version, source))
