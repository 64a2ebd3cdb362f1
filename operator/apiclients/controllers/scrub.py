"""Finds, by slow reads from etcd, what the API server's watch cache has lost, and heals it (rule 17).

Everything else here comes from that cache, the resync included: a change that it has lost stays lost to every watcher
until the object changes again. So the scrub changes it, by its status: the event of this has the whole object.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.store import ObjectStore
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.single_reads import Where
from apiclients.resources.refs import NamespacedName

logger = logging.getLogger(__name__)

#: What a watch has not told after that many seconds it has lost: kopf may be behind by some at a cold start.
_MOMENT_SECONDS = 10.0
#: So many finds wait for their moment; what is found beyond them is found again.
_MOST_SUSPECTS = 1000
#: Nobody to ask: not more often than this.
_PAUSE_SECONDS = 1.0

_Store = ObjectStore[Any]
Repeat = Callable[[_Store, NamespacedName], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Suspect:
    """An object of which no watch has told what it should have."""

    store: _Store
    key: NamespacedName
    due: float
    #: Whether it was written here: then it is known here, and the question is who else has heard of it.
    own: bool = False


class Scrub:
    """Reads one known object after the other, and for each client the hold that may bear its name."""

    def __init__(
        self,
        client: KubeClient,
        stores: Sequence[_Store],
        rate: float,
        repeat: Repeat,
        metrics: OperatorMetrics,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        moment: float = _MOMENT_SECONDS,
    ) -> None:
        """``rate`` is in reads a second. ``repeat`` writes a status only so that watchers hear of the object again."""
        self._client = client
        self._stores = {store.resource.kind: store for store in stores}
        self._gap = 1 / rate
        self._repeat = repeat
        self._metrics = metrics
        self._monotonic = monotonic
        self._moment = moment
        self._suspects: deque[_Suspect] = deque()
        #: When the last whole round began, or the first one; None before.
        self._since: float | None = None

    @property
    def age(self) -> float:
        """For at most how many seconds an object has not been read; 0 before the first round."""
        return self._monotonic() - self._since if self._since is not None else 0.0

    async def run(self) -> None:
        """Scrub until cancelled. Failures of the API server are logged and tried again, never raised."""
        self._since = self._monotonic()
        while True:
            begun = self._monotonic()
            await asyncio.sleep(self._gap)  # also where there is nothing
            for store, key in self._round():
                await self.look_at(store, key)
                await self.settle()
                await asyncio.sleep(self._gap)
            self._since = begun

    async def look_at(self, store: _Store, key: NamespacedName) -> None:
        """Compare one object with etcd and take in what differs."""
        try:
            await self._compare(store, key)
        except KubeError as error:
            await self._failed(store, key, error)

    async def settle(self) -> None:
        """Account for one object of which no watch has told in time, if there is one."""
        suspect = self._next_suspect()
        if suspect is None:
            return
        try:
            await self._account_for(suspect)
        except KubeError as error:
            self._suspects.append(replace(suspect, due=self._monotonic()))
            await self._failed(suspect.store, suspect.key, error)

    def _round(self) -> Iterator[tuple[_Store, NamespacedName]]:
        """Everything that is known when its kind has its turn. An unknown hold is found by the client that it names."""
        holds = self._stores.get(API_CLIENT_HOLDS.kind)
        for store in self._stores.values():
            for key in store:
                yield store, key
                if store.resource is API_CLIENTS and holds is not None and key not in holds:
                    yield holds, key

    async def _compare(self, store: _Store, key: NamespacedName) -> None:
        """The cache is asked before a reconcile can write, for that heals it."""
        reads = store.single_reads(self._client)
        version = await reads.differing(key)
        if version is None:
            return
        lost = await reads.lost_by_cache(key, version)
        taken_in = await reads.read(key)
        if lost:
            self._count(store, key, Where.API_SERVER)
            try:
                await self._heal(store, key)
            except KubeError:
                self._suspect(store, key, own=True)  # it is known here now, as if it had been written here
                raise
        elif taken_in:
            self._suspect(store, key)

    def _suspect(self, store: _Store, key: NamespacedName, *, own: bool = False) -> None:
        if len(self._suspects) < _MOST_SUSPECTS:
            self._suspects.append(_Suspect(store, key, self._monotonic() + self._moment, own))

    def _next_suspect(self) -> _Suspect | None:
        now = self._monotonic()
        if self._suspects and self._suspects[0].due <= now:
            return self._suspects.popleft()
        for store in self._stores.values():
            key = store.undelivered.take_overdue(self._moment)
            if key is not None:
                return _Suspect(store, key, now, own=True)
        return None

    async def _account_for(self, suspect: _Suspect) -> None:
        store, key = suspect.store, suspect.key
        reads = store.single_reads(self._client)
        if not suspect.own:
            if reads.overdue(key):
                self._count(store, key, Where.WATCH)
        elif await reads.lost_by_cache(key, store.version_of(key)):
            self._count(store, key, Where.API_SERVER)
            await self._heal(store, key)

    def _count(self, store: _Store, key: NamespacedName, where: Where) -> None:
        kind, (namespace, name) = store.resource.kind, key
        self._metrics.lost_event(kind, where)
        place = "The API server's watch cache" if where is Where.API_SERVER else "The watch"
        logger.error("%s has lost a change of %s", place, kind, extra={"namespace": namespace, "object": name})

    async def _heal(self, store: _Store, key: NamespacedName) -> None:
        """Nothing can be written on what has gone: such a cache shows it until the API server is started anew."""
        if key in store:
            await self._repeat(store, key)
            store.undelivered.forget(key)  # if the cache loses this, too, writing does not help
            self._metrics.healed(store.resource.kind)

    async def _failed(self, store: _Store, key: NamespacedName, error: KubeError) -> None:
        logger.warning("Reading %s again failed: %s", store.resource.kind, error, extra={"namespace": key[0]})
        await asyncio.sleep(_PAUSE_SECONDS)
