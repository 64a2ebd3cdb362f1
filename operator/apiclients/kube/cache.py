"""`Reflector`: an own list-and-watch cache whose lists find what the watch lost."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from apiclients.kube.client import CACHED, KubeClient
from apiclients.kube.decoding import JSON, Decoding
from apiclients.kube.errors import GoneError, KubeError, NotFoundError, ResponseTooLargeError
from apiclients.kube.object_state import Change, ListRun, ObjectState, Source, StaleListError
from apiclients.kube.objects import JsonObject, Page, ResourceType, WatchEvent
from apiclients.kube.pace import Pace, parts
from apiclients.kube.single_reads import SingleReads
from apiclients.resources.refs import NamespacedName

__all__ = ["Change", "Reflector", "Source", "StaleListError", "Verdict"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Verdict(Enum):
    """What comparing one object with etcd has shown."""

    #: It is as it is known here, or known even newer.
    SAME = auto()
    #: It was not, and now is.
    DIFFERENT = auto()
    #: It has to be looked at again.
    UNCLEAR = auto()


_LONGEST_BACKOFF = 5.0
# A watch that fails this often in a row cannot be resumed, whatever the server says about it.
_WATCH_FAILURES = 5
_QUICK_SECONDS = 1.0
_READS_AT_ONCE = 20


class Reflector(Generic[T]):
    """Keeps the objects of one resource in memory, as `convert` slims them.

    `run()` lists consistently, then watches from there. After a gap, every `relist_interval` seconds (jittered) and on
    demand it lists again and compares: what the watch should have told and did not is applied and counted in
    `lost_events`. Older statements never overwrite newer ones and nothing deleted comes back, in whatever order lists
    and events arrive.

    Callables, all synchronous and quick:

    * `convert(object)` returns what to keep, or None to ignore the object.
    * `on_bad(object, error)` is called when `convert` raised; it returns what to keep instead, or None: then the object
      counts as absent. Without it the failure is logged without the object's content.
    * `on_change(change)` is called after the store changed. An exception in it is a bug and ends `run()`, for whatever
      hangs on the changes is then no longer what the store says.

    Attributes: `synced` is set after the first complete list; `last_list_started` is the monotonic time in seconds at
    which the last successful list was requested (None before): the store shows at least all that happened before it.

    Lists and watches are decoded by `decoding`; single reads are JSON objects always. `convert` gets what that makes.

    With `relist_by_identity`, which is for our own kinds, lists after the first show which objects there are at which
    version; only what differs is read. So their cost does not depend on what people write into the objects.
    """

    def __init__(
        self,
        client: KubeClient,
        resource: ResourceType,
        convert: Callable[[Any], T | None],
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
        on_change: Callable[[Change[T]], None] | None = None,
        on_bad: Callable[[Any, Exception], T | None] | None = None,
        relist_interval: float | None = None,
        relist_by_identity: bool = False,
        page_size: int | None = None,
        inactivity_timeout: float = 75.0,
        decoding: Decoding = JSON,
    ) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._metadata_only = metadata_only
        self._relist_interval = relist_interval
        self._relist_by_identity = relist_by_identity
        self._page_size = page_size
        self._inactivity_timeout = inactivity_timeout
        self._decoding = decoding
        self._state = ObjectState(convert, on_change, on_bad)
        self._single_reads = SingleReads(client, resource, self._state, metadata_only)
        self._list_lock = asyncio.Lock()
        self._continuous = False
        self.synced = asyncio.Event()
        self.last_list_started: float | None = None

    @property
    def store(self) -> Mapping[NamespacedName, T]:
        """The objects by (namespace, name); a live, read-only view."""
        return self._state.store

    @property
    def resource_version(self) -> int:
        """Everything up to this version has been applied."""
        return self._state.resource_version

    @property
    def lost_events(self) -> int:
        """How many changes a list found that the watch had passed over."""
        return self._state.lost_events

    def version_of(self, namespace: str, name: str) -> int:
        """The resourceVersion at which an object is known, also one that `convert` refused; 0 if it is not there."""
        return self._state.version_of((namespace, name))

    async def run(self) -> None:
        """List and watch until cancelled. Failures of the API server are logged and retried, never raised."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_watching())
            if self._relist_interval is not None:
                tasks.create_task(self._keep_relisting(self._relist_interval))

    async def relist(self) -> None:
        """List now, consistently, and apply the difference. Raises KubeError if it failed; nothing is lost then."""
        await self._list(resume=False)

    async def confirm(self, left_out: frozenset[str] = frozenset()) -> None:
        """Compare with a consistent list of identities, read what differs; as good as a relist. Raises KubeError.

        What is in the namespaces `left_out` is not asked for and stays as it is. Only for our own kinds.
        """
        async with self._list_lock:
            started = time.monotonic()
            run = self._state.start_list(resume=False, left_out=left_out)
            behind = await self._compare(run)
            for first in range(0, len(behind), _READS_AT_ONCE):
                await asyncio.gather(*(self.refresh(*key) for key in behind[first : first + _READS_AT_ONCE]))
            self._finish(run, started)

    async def refresh(self, namespace: str, name: str) -> T | None:
        """Read one object, apply what was found (404: it is gone), return what the store then has. Raises KubeError."""
        key = (namespace, name)
        version = self._state.version_of(key)
        try:
            body = await self._client.get(self._resource, namespace or None, name, metadata_only=self._metadata_only)
        except NotFoundError:
            self._state.absent(key, version)
        else:
            self._state.put(body, "get")
        return self.store.get(key)

    async def verify(self, namespace: str, name: str) -> Verdict:
        """Compare one object, there or not, with etcd; what differs is read whole and applied. Raises KubeError.

        This is the one comparison that trusts no cache of the API server's (see `reads`).
        """
        key = (namespace, name)
        before = self._state.version_of(key)
        stored = await self._single_reads.stored_version(key)
        now = self._state.version_of(key)
        if stored == now or before <= stored < now:
            return Verdict.SAME
        if now != before or 0 < stored < before:
            return Verdict.UNCLEAR  # it changes just now, or etcd was set back, which lists find out
        return Verdict.DIFFERENT if await self._single_reads.read(key) else Verdict.UNCLEAR

    def overdue(self, namespace: str, name: str) -> bool:
        """Whether the watch has not delivered to this day what `verify` found different; tells so once."""
        return self._single_reads.overdue((namespace, name))

    async def is_cached_as_known(self, namespace: str, name: str) -> bool:
        """Whether the API server's watch cache has an object, there or not, as it is known here. Raises KubeError."""
        return await self._single_reads.stored_version((namespace, name), CACHED) == self.version_of(namespace, name)

    def put(self, body: JsonObject) -> None:
        """Take in the answer to an own write, which is one watch hop ahead. The object must belong to the selection."""
        self._state.put(body, "put")

    async def _keep_watching(self) -> None:
        failures = 0
        while True:
            started = time.monotonic()
            try:
                if not self._continuous:
                    await self._list(resume=True)
                    self._continuous = True
                quick = await self._watch() == 0 and time.monotonic() - started < _QUICK_SECONDS
                failures = failures + 1 if quick else 0
            except (GoneError, ResponseTooLargeError) as error:
                self._continuous = False
                failures += 1
                logger.info("%s: the watch cannot be resumed, listing again: %s", self._resource.plural, error)
            except KubeError as error:
                failures += 1
                logger.warning("%s: list or watch failed: %s", self._resource.plural, error)
            if failures:
                if failures % _WATCH_FAILURES == 0:
                    self._continuous = False
                await asyncio.sleep(_backoff(failures))

    async def _watch(self) -> int:
        """Follow one watch until the server ends it; returns how many events came, bookmarks included."""
        count, pace = 0, Pace()
        events = self._client.watch(
            self._resource,
            self._namespace,
            resource_version=str(self._state.reached),
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            metadata_only=self._metadata_only,
            inactivity_timeout=self._inactivity_timeout,
            decoding=self._decoding,
        )
        async with aclosing(events):
            async for event in events:
                self._state.take_event(WatchEvent(event.type, self._decoding.item(event.object)))
                count += 1
                await pace.pause()  # as many events as have arrived come without one
        return count

    async def _keep_relisting(self, interval: float) -> None:
        await self.synced.wait()
        failures = 0
        while True:
            await asyncio.sleep(_backoff(failures) if failures else _jittered(interval))
            try:
                await self._relist_all()
                failures = 0
            except KubeError as error:
                failures += 1
                logger.warning("%s: relist failed: %s", self._resource.plural, error)

    async def _relist_all(self) -> None:
        """What no watch and no proof has shown. Reads that outweigh lists may themselves be out of date by now."""
        await (self.confirm() if self._relist_by_identity else self.relist())
        for key in self._state.reads.disputed():
            await self._single_reads.read(key)

    async def _list(self, *, resume: bool) -> None:
        async with self._list_lock:
            started = time.monotonic()
            run, pace = self._state.start_list(resume=resume), Pace()
            pages = self._client.pages(
                self._resource,
                self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
                metadata_only=self._metadata_only,
                page_size=self._page_size,
                decoding=self._decoding,
            )
            async with aclosing(pages):
                async for page in pages:
                    for part in parts(page):
                        try:
                            self._state.take_page(run, self._decoded(part))
                        except StaleListError as error:
                            self._note_stale_list(error)
                            raise
                        await pace.pause()
            self._finish(run, started)

    def _decoded(self, part: Page) -> Page:
        return Page([self._decoding.item(item) for item in part.items], part.resource_version)

    async def _compare(self, run: ListRun) -> list[NamespacedName]:
        """What a list of identities shows to be newer than what is here."""
        behind: list[NamespacedName] = []
        elsewhere = [f"metadata.namespace!={namespace}" for namespace in sorted(run.left_out)]
        pages = self._client.pages(
            self._resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=",".join(filter(None, [self._field_selector, *elsewhere])) or None,
            identity_only=True,
            page_size=self._page_size,
        )
        async with aclosing(pages):
            async for page in pages:
                try:
                    behind += self._state.compare_page(run, page)
                except StaleListError as error:
                    self._note_stale_list(error)
                    raise
                await asyncio.sleep(0)
        return behind

    def _finish(self, run: ListRun, started: float) -> None:
        self._state.end_list(run)
        self.last_list_started = started
        self.synced.set()

    def _note_stale_list(self, error: StaleListError) -> None:
        if error.history_replaced:
            logger.error("%s: lists stay older than the watch was: starting anew", self._resource.plural)
            self._continuous = False


def _jittered(interval: float) -> float:
    """Seconds until the next relist, never more than the interval, so that replicas do not list together."""
    return interval * random.uniform(0.8, 1.0)  # noqa: S311


def _backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row, jittered."""
    return float(min(_LONGEST_BACKOFF, 0.05 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0))  # noqa: S311
