"""The state behind the pages, kept up to date by watches.

A client's line is computed again when the client or a hold of its namespace changes, and every 30 s, since it depends
on the time. What comes for it is foreseen after the lines, so that no page waits for it.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.problems import sentence
from apiclients.cli.dashboard.state.ahead import Ahead
from apiclients.cli.dashboard.state.reading import one_object
from apiclients.cli.dashboard.state.relations import Relations
from apiclients.cli.dashboard.state.revision import Revision
from apiclients.cli.errors import CliError
from apiclients.cli.screens.gates import Unenforced, Versions, unenforced
from apiclients.cli.screens.listing import ClientLine, client_lines
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.errors import ForbiddenError, KubeError
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.objects import JsonObject
from apiclients.kube.pace import Pace
from apiclients.resources.conditions import ConditionType
from apiclients.resources.objects import ApiClient, ApiClientHold, InvalidObjectError
from apiclients.resources.refs import NamespacedName

#: Lines depend on the time, so they are computed again this often.
_TICK_SECONDS = 30.0
#: Between checks that the API server answers.
_PROBE_SECONDS = 10.0
_START_SECONDS = 60.0
#: While many lines are computed, the finished ones are published this often.
_PUBLISH_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Seen:
    """A snapshot of the clients."""

    #: The number of the latest change.
    revision: int
    lines: tuple[ClientLine, ...]
    #: For the user: what may not be read, and whether the API server is unreachable.
    notes: tuple[str, ...]


class Board:
    """The clients of a namespace, or of all namespaces (None)."""

    def __init__(self, session: Session, namespace: str | None) -> None:
        """Nothing is read until ``following`` is entered."""
        self.session = session
        self.namespace = namespace
        self._lines: dict[NamespacedName, ClientLine] = {}
        self._holds: defaultdict[str, dict[str, ApiClientHold]] = defaultdict(dict)
        self._dirty: set[NamespacedName] = set()
        #: For whom to look ahead again.
        self._unforeseen: set[NamespacedName] = set()
        #: What comes for each client; ``unforeseen`` says for how many it is not known.
        self.ahead = Ahead()
        self._woken = asyncio.Event()
        self._revision = Revision()
        self._unread: list[str] = []
        self._unreadable: set[NamespacedName] = set()
        self._trouble: str | None = None
        self.relations = Relations(session, namespace, self._revision)
        self._clients = Reflector[JsonObject](
            session.kube, API_CLIENTS, _as_is, namespace=namespace, on_change=self._on_client
        )
        self._hold_cache = Reflector[ApiClientHold](
            session.kube,
            API_CLIENT_HOLDS,
            ApiClientHold.from_object,
            namespace=namespace,
            on_change=self._on_hold,
            on_bad=self._on_bad_hold,
        )

    def seen(self) -> Seen:
        """The present snapshot, sorted by namespace and name."""
        notes = [*self._unread, *(f"Hold {'/'.join(key)} cannot be read: clients that it stops may be shown as not held"
                                  for key in sorted(self._unreadable))]  # fmt: skip
        trouble = [self._trouble] if self._trouble is not None else []
        return Seen(self._revision.number, tuple(self._lines[key] for key in sorted(self._lines)), (*trouble, *notes))

    def owners(self) -> dict[NamespacedName, str | None]:
        """The owner of each client."""
        return {key: line.owner for key, line in self._lines.items()}

    def unenforced(self) -> list[Unenforced]:
        """The clients that some gate does not obey yet; those that this version cannot read are left out."""
        found = []
        for (namespace, _), obj in self._clients.store.items():
            if not _enforced(obj) and (client := _readable(obj)) is not None:
                found.append(unenforced(client, self._holds[namespace]))
        return [one for one in found if one is not None]

    def versions(self) -> Versions:
        """The versions of the latest clients and holds that are known."""
        clients = (obj["metadata"]["resourceVersion"] for obj in self._clients.store.values())
        holds = (hold.metadata.resource_version or 0 for hold in self._hold_cache.store.values())
        return Versions(clients=max(map(int, clients), default=0), holds=max(map(int, holds), default=0))

    @property
    def unforeseen(self) -> int:
        """For how many clients what comes has not been foreseen yet."""
        return max(0, len(self._lines) - len(self.ahead))

    @property
    def holds(self) -> Iterable[ApiClientHold]:
        """The holds."""
        return self._hold_cache.store.values()

    async def after(self, revision: int) -> int:
        """Wait for a revision other than this one, and return it."""
        return await self._revision.after(revision)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """List and watch. Raises KubeError if clients may not be listed, and CliError if it takes too long."""
        reflectors: list[Reflector[Any]] = [self._clients]
        await one_object(self.session, API_CLIENTS, self.namespace)
        try:
            await one_object(self.session, API_CLIENT_HOLDS, self.namespace)
            reflectors.insert(0, self._hold_cache)
        except ForbiddenError:
            self._unread.append("You may not read holds: held clients may be shown as not held")
        work = [one.run() for one in reflectors]
        tasks = [asyncio.create_task(one) for one in (*work, self._keep_lines(), self._keep_ticking(), self._probe())]
        try:
            await self._complete(reflectors)
            async with self.relations.following():
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _complete(self, reflectors: Iterable[Reflector[Any]]) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                for one in reflectors:
                    await one.synced.wait()
                while self._dirty:
                    await self.after(self._revision.number)
        except TimeoutError:
            raise CliError(
                f"listing the clients took longer than {_START_SECONDS:g} s. Try again, or name a namespace with -n"
            ) from None

    def _on_client(self, change: Change[JsonObject]) -> None:
        self._mark([change.key])

    def _on_hold(self, change: Change[ApiClientHold]) -> None:
        namespace, name = change.key
        if change.new is not None:
            self._holds[namespace][name] = change.new
        else:
            self._holds[namespace].pop(name, None)
        self._unreadable.discard(change.key)
        self._mark(key for key in self._clients.store if key[0] == namespace)

    def _on_bad_hold(self, obj: JsonObject, _: Exception) -> None:
        meta = obj["metadata"]
        self._unreadable.add((meta["namespace"], meta["name"]))

    def _mark(self, keys: Iterable[NamespacedName]) -> None:
        self._dirty.update(keys)
        if self._dirty:
            self._woken.set()

    async def _keep_lines(self) -> NoReturn:
        while True:
            await self._woken.wait()
            self._woken.clear()
            pace, published = Pace(), time.monotonic()
            while self._dirty or self._unforeseen:
                self._work()
                await pace.pause()
                if time.monotonic() - published > _PUBLISH_SECONDS:
                    self._revision.advance()
                    published = time.monotonic()
            self._revision.advance()

    def _work(self) -> None:
        """Make one line, or look ahead for one client; lines go first."""
        if self._dirty:
            key = self._dirty.pop()
            self._make_line(key)
            self._unforeseen.add(key)
        else:
            self._foresee(self._unforeseen.pop())

    def _make_line(self, key: NamespacedName) -> None:
        obj = self._clients.store.get(key)
        if obj is None:
            self._lines.pop(key, None)
            return
        (self._lines[key],) = client_lines([obj], self._holds[key[0]].values(), self.session.now())

    def _foresee(self, key: NamespacedName) -> None:
        obj = self._clients.store.get(key)
        if obj is None:
            self.ahead.drop(key)
            return
        self.ahead.look(key, obj, tuple(self._holds[key[0]].values()), self.session.now())

    async def _keep_ticking(self) -> NoReturn:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._mark(self._clients.store)

    async def _probe(self) -> NoReturn:
        """A silent watch does not show whether the API server is still there."""
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            try:
                await one_object(self.session, API_CLIENTS, self.namespace)
                trouble = None
            except KubeError as error:
                trouble = f"This page is no longer up to date: {sentence(error) or error}"
            if trouble != self._trouble:
                self._trouble = trouble
                self._revision.advance()


def _enforced(obj: JsonObject) -> bool:
    """Whether every gate obeys, or the operator has not reported yet; cheap, since most clients are enforced."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return not any(c["type"] == ConditionType.ENFORCED and c["status"] != "True" for c in conditions)


def _readable(obj: JsonObject) -> ApiClient | None:
    try:
        return ApiClient.from_object(obj)
    except InvalidObjectError:
        return None


def _as_is(obj: JsonObject) -> JsonObject:
    return obj


def quiet_logs() -> None:
    """Failed watches are reported on the pages, not on the terminal."""
    logging.getLogger("apiclients.kube").addHandler(logging.NullHandler())
    logging.getLogger("apiclients.kube").propagate = False
