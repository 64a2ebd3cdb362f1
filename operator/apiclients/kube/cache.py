"""`Reflector`: an own list-and-watch cache whose lists find what the watch lost."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Generic, TypeVar

from apiclients.kube.client import KubeClient
from apiclients.kube.errors import GoneError, KubeError, NotFoundError, ResponseTooLargeError
from apiclients.kube.objects import JsonObject, Key, ResourceType
from apiclients.kube.picture import Change, Picture, Source, StaleListError

__all__ = ["Change", "Reflector", "Source", "StaleListError"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LONGEST_BACKOFF = 5.0
# A watch that fails this often in a row cannot be resumed, whatever the server says about it.
_WATCH_FAILURES = 5
# So many lists in a row that are older than the watch was: etcd has been restored, the past is void.
_STALE_LISTS = 3
_QUICK_SECONDS = 1.0


class Reflector(Generic[T]):
    """Keeps the objects of one resource in memory, as `convert` slims them.

    `run()` lists consistently, then watches from there. After a gap, every `relist_interval` seconds and on demand it
    lists again and compares: what the watch should have told and did not is applied and counted in `lost_events`. Older
    statements never overwrite newer ones and nothing deleted comes back, in whatever order lists and events arrive.

    Callables, all synchronous and quick:

    * `convert(object)` returns what to keep, or None to ignore the object.
    * `on_bad(object, error)` is called when `convert` raised; it returns what to keep instead, or None: then the object
      counts as absent. Without it the failure is logged without the object's content.
    * `on_change(change)` is called after the store changed. An exception in it is a bug and ends `run()`, for whatever
      hangs on the changes is then no longer what the store says.

    Attributes: `synced` is set after the first complete list; `last_list_started` is the monotonic time in seconds at
    which the last successful list was requested (None before): the store shows at least all that happened before it.
    """

    def __init__(
        self,
        client: KubeClient,
        resource: ResourceType,
        convert: Callable[[JsonObject], T | None],
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
        on_change: Callable[[Change[T]], None] | None = None,
        on_bad: Callable[[JsonObject, Exception], T | None] | None = None,
        relist_interval: float | None = None,
        page_size: int = 500,
        inactivity_timeout: float = 75.0,
    ) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._metadata_only = metadata_only
        self._relist_interval = relist_interval
        self._page_size = page_size
        self._inactivity_timeout = inactivity_timeout
        self._picture = Picture(convert, on_change, on_bad)
        self._list_lock = asyncio.Lock()
        self._continuous = False
        self._stale_lists = 0
        self.synced = asyncio.Event()
        self.last_list_started: float | None = None

    @property
    def store(self) -> Mapping[Key, T]:
        """The objects by (namespace, name); a live, read-only view."""
        return self._picture.store

    @property
    def resource_version(self) -> int:
        """Everything up to this version has been applied."""
        return self._picture.resource_version

    @property
    def lost_events(self) -> int:
        """How many changes a list found that the watch had passed over."""
        return self._picture.lost_events

    def version_of(self, namespace: str, name: str) -> int:
        """The resourceVersion at which an object is known, also one that `convert` refused; 0 if it is not there."""
        return self._picture.version_of((namespace, name))

    async def run(self) -> None:
        """List and watch until cancelled. Failures of the API server are logged and retried, never raised."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_watching())
            if self._relist_interval is not None:
                tasks.create_task(self._keep_relisting(self._relist_interval))

    async def relist(self) -> None:
        """List now, consistently, and apply the difference. Raises KubeError if it failed; nothing is lost then."""
        await self._list(resume=False)

    async def refresh(self, namespace: str, name: str) -> T | None:
        """Read one object, apply what was found (404: it is gone), return what the store then has. Raises KubeError."""
        key = (namespace, name)
        version = self._picture.version_of(key)
        try:
            body = await self._client.get(self._resource, namespace or None, name, metadata_only=self._metadata_only)
        except NotFoundError:
            self._picture.absent(key, version)
        else:
            self._picture.put(body, "get")
        return self.store.get(key)

    def put(self, body: JsonObject) -> None:
        """Take in the answer to an own write, which is one watch hop ahead. The object must belong to the selection."""
        self._picture.put(body, "put")

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
        count = 0
        events = self._client.watch(
            self._resource,
            self._namespace,
            resource_version=str(self._picture.reached),
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            metadata_only=self._metadata_only,
            inactivity_timeout=self._inactivity_timeout,
        )
        async with aclosing(events):
            async for event in events:
                self._picture.take_event(event)
                count += 1
        return count

    async def _keep_relisting(self, interval: float) -> None:
        await self.synced.wait()
        failures = 0
        while True:
            due = (self.last_list_started or 0.0) + interval - time.monotonic()
            if due > 0:
                await asyncio.sleep(due)
                continue  # a list for another reason may have come first
            try:
                await self.relist()
                failures = 0
            except KubeError as error:
                failures += 1
                logger.warning("%s: relist failed: %s", self._resource.plural, error)
                await asyncio.sleep(_backoff(failures))

    async def _list(self, *, resume: bool) -> None:
        async with self._list_lock:
            started = time.monotonic()
            run = self._picture.start_list(resume=resume)
            pages = self._client.pages(
                self._resource,
                self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
                metadata_only=self._metadata_only,
                page_size=self._page_size,
            )
            async with aclosing(pages):
                async for page in pages:
                    try:
                        self._picture.take_page(run, page)
                    except StaleListError:
                        self._refuse_stale_list()
                        raise
            self._picture.end_list(run)
            self._stale_lists = 0
            self.last_list_started = started
            self.synced.set()

    def _refuse_stale_list(self) -> None:
        """Trust the watch first: a stale list would bring dead objects back. If it lasts, the history was replaced."""
        self._stale_lists += 1
        if self._stale_lists >= _STALE_LISTS:
            logger.error("%s: lists stay older than the watch was: starting anew", self._resource.plural)
            self._picture.forget_history()
            self._continuous = False
            self._stale_lists = 0


def _backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row, jittered."""
    return float(min(_LONGEST_BACKOFF, 0.05 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0))  # noqa: S311
