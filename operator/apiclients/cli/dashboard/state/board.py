"""The state behind the pages, kept up to date by watches.

A client's line is computed again when the client or a hold of its namespace changes, and every 30 s, since it depends
on the time. What comes for it is foreseen after the lines, so that no page waits for it.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.problems import sentence
from apiclients.cli.dashboard.state.ahead import Ahead
from apiclients.cli.dashboard.state.background import background
from apiclients.cli.dashboard.state.reading import one_object
from apiclients.cli.dashboard.state.relations import Relations
from apiclients.cli.dashboard.state.revision import Revision
from apiclients.cli.errors import CliError
from apiclients.cli.screens.gates import Unenforced, Versions, unenforced
from apiclients.cli.screens.listing import ClientLine, client_lines
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.errors import ForbiddenError, KubeError
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.objects import JsonObject, ResourceType
from apiclients.kube.pace import Pace
from apiclients.resources.conditions import ConditionType
from apiclients.resources.names import GROUP
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
        #: Set while no line waits to be made.
        self._made = asyncio.Event()
        self._made.set()
        #: Whether something differs from what was published.
        self._changed = False
        #: The clients whose line or future cannot be computed.
        self._unshown: set[NamespacedName] = set()
        self._not_foreseen: set[NamespacedName] = set()
        self._revision = Revision()
        self._unread: list[str] = []
        self._unreadable: set[NamespacedName] = set()
        #: The kinds that are followed, with what it means if they can no longer be read.
        self._followed: dict[ResourceType, str] = {}
        self._troubles: tuple[str, ...] = ()
        self.relations = Relations(session, namespace, self._revision)
        self._clients = Reflector[JsonObject](
            session.kube, API_CLIENTS, slim, namespace=namespace, on_change=self._on_client
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
        return Seen(self.revision, tuple(self._lines[key] for key in sorted(self._lines)), self.notes())

    @property
    def revision(self) -> int:
        """The number of the latest change."""
        return self._revision.number

    def notes(self) -> tuple[str, ...]:
        """For the user: what may not or cannot be read or shown, and whether the API server is unreachable."""
        names = {key: "/".join(key) for key in (*self._unreadable, *self._unshown, *self._not_foreseen)}
        held = "clients that it stops may be shown as not held"
        return (
            *self._troubles,
            *self._unread,
            *(f"Hold {names[key]} cannot be read: {held}" for key in sorted(self._unreadable)),
            *(f"Client {names[key]} cannot be shown" for key in sorted(self._unshown)),
            *(f"What comes for client {names[key]} cannot be foreseen" for key in sorted(self._not_foreseen)),
        )

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
        return max(0, len(self._lines) - len(self.ahead) - len(self._not_foreseen))

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
            self._followed[API_CLIENT_HOLDS] = "Holds can no longer be read: held clients may be shown as not held"
        except ForbiddenError:
            self._unread.append("You may not read holds: held clients may be shown as not held")
        work = [one.run() for one in reflectors]
        async with background([*work, self._keep_lines(), self._keep_ticking(), self._probe()]):
            await self._complete(reflectors)
            async with self.relations.following():
                self._followed |= self.relations.followed
                yield

    async def _complete(self, reflectors: Iterable[Reflector[Any]]) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                for one in reflectors:
                    await one.synced.wait()
                await self._made.wait()
        except TimeoutError:
            raise CliError(
                f"listing the clients took longer than {_START_SECONDS:g} s. Try again, or name a namespace with -n"
            ) from None

    def _on_client(self, change: Change[JsonObject]) -> None:
        self._changed = True  # pages show more of a client than its line
        self._mark([change.key])

    def _on_hold(self, change: Change[ApiClientHold]) -> None:
        namespace, name = change.key
        self._changed = True
        if change.new is not None:
            self._holds[namespace][name] = change.new
        else:
            self._holds[namespace].pop(name, None)
        self._unreadable.discard(change.key)
        self._mark(key for key in self._clients.store if key[0] == namespace)
        self._woken.set()  # also for a hold that stops no client

    def _on_bad_hold(self, obj: JsonObject, _: Exception) -> None:
        meta = obj["metadata"]
        self._unreadable.add((meta["namespace"], meta["name"]))
        self._changed = True
        self._woken.set()

    def _mark(self, keys: Iterable[NamespacedName]) -> None:
        self._dirty.update(keys)
        if self._dirty:
            self._made.clear()
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
                    self._publish()
                    published = time.monotonic()
            self._publish()

    def _publish(self) -> None:
        """Most lines that are computed again are the same: pages are not fetched again for them."""
        if self._changed:
            self._changed = False
            self._revision.advance()

    def _work(self) -> None:
        """Make one line, or look ahead for one client; lines go first."""
        if self._dirty:
            key = self._dirty.pop()
            self._attempt(self._make_line, key, self._unshown)
            self._unforeseen.add(key)
            if not self._dirty:
                self._made.set()
        else:
            key = self._unforeseen.pop()
            self._attempt(self._foresee, key, self._not_foreseen)

    def _attempt(
        self, step: Callable[[NamespacedName], bool], key: NamespacedName, failed: set[NamespacedName]
    ) -> None:
        """Do a step for a client; ``failed`` are those for whom it failed, of which the user is notified."""
        before = key in failed
        try:
            self._changed |= step(key)
            failed.discard(key)
        except Exception:  # anybody may write a client or a hold: one must not stop all others
            failed.add(key)
        self._changed |= (key in failed) is not before

    def _make_line(self, key: NamespacedName) -> bool:
        """Whether the line differs from before."""
        before = self._lines.pop(key, None)
        obj = self._clients.store.get(key)
        if obj is None:
            return before is not None
        (self._lines[key],) = client_lines([obj], self._holds[key[0]].values(), self.session.now())
        return self._lines[key] != before

    def _foresee(self, key: NamespacedName) -> bool:
        """Whether what comes differs from before."""
        obj = self._clients.store.get(key)
        if obj is None:
            return self.ahead.drop(key)
        return self.ahead.look(key, obj, tuple(self._holds[key[0]].values()), self.session.now())

    async def _keep_ticking(self) -> NoReturn:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._mark(self._clients.store)

    async def _probe(self) -> NoReturn:
        """A silent watch does not show whether the API server is still there."""
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            troubles = await self._find_troubles()
            if troubles != self._troubles:
                self._troubles = troubles
                self._revision.advance()

    async def _find_troubles(self) -> tuple[str, ...]:
        """What can no longer be read; if that is the clients, the rest does not matter."""
        try:
            await one_object(self.session, API_CLIENTS, self.namespace)
        except KubeError as error:
            return (f"This page is no longer up to date: {sentence(error) or error}",)
        found = []
        for resource, trouble in tuple(self._followed.items()):
            try:
                await one_object(self.session, resource, self.namespace)
            except KubeError:
                found.append(trouble)
        return tuple(found)


def _enforced(obj: JsonObject) -> bool:
    """Whether every gate obeys, or the operator has not reported yet; cheap, since most clients are enforced."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return not any(c["type"] == ConditionType.ENFORCED and c["status"] != "True" for c in conditions)


def _readable(obj: JsonObject) -> ApiClient | None:
    try:
        return ApiClient.from_object(obj)
    except InvalidObjectError:
        return None


def slim(obj: JsonObject) -> JsonObject:
    """Without managedFields and the annotations of others, which can be most of an object."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    annotations = metadata.pop("annotations", None) or {}
    own = {name: value for name, value in annotations.items() if name.startswith(f"{GROUP}/")}
    return {**obj, "metadata": {**metadata, **({"annotations": own} if own else {})}}


def quiet_logs() -> None:
    """Failed watches are reported on the pages, not on the terminal."""
    logging.getLogger("apiclients.kube").addHandler(logging.NullHandler())
    logging.getLogger("apiclients.kube").propagate = False
