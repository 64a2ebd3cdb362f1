"""What can become of a request to the API server, and which requests are meant."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, read from its path."""

    method: str
    namespace: str
    resource: str
    name: str
    subresource: str
    watch: bool
    query: Mapping[str, str]

    @property
    def is_write(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"

    @classmethod
    def read(cls, request: web.Request) -> Self:
        """From ``/api/v1/...`` or ``/apis/<group>/<version>/...``."""
        parts = request.path.strip("/").split("/")
        rest, namespace = (parts[2:] if parts[0] == "api" else parts[3:]), ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        resource, name, subresource = [*rest, "", "", ""][:3]
        watch = request.query.get("watch") in ("true", "1")
        return cls(request.method, namespace, resource, name, subresource, watch, request.query)


class Fate(Enum):
    """What becomes of a request."""

    PASS = auto()
    #: It never reaches the API server; the connection is closed.
    DROP = auto()
    #: The API server has done it, and the connection is closed before the answer.
    LOSE = auto()
    #: It waits, unsent, until the proxy judges by another function, and is then dropped.
    HOLD = auto()


Judge = Callable[[Asked], Fate]


def pass_all(_: Asked) -> Fate:
    """No faults."""
    return Fate.PASS


@dataclass
class StrikeAt:
    """Lets writes of one namespace pass until the ``number``-th, which suffers ``fate``; nothing passes after that.

    So whoever wrote is as good as dead from then on, and can be killed at leisure. Events do not count: they come
    whenever they come.
    """

    namespace: str
    number: int
    fate: Fate
    writes: list[Asked] = field(default_factory=list)
    _struck: bool = False

    def __call__(self, asked: Asked) -> Fate:
        if self._struck:
            return Fate.HOLD
        if not asked.is_write or asked.namespace != self.namespace or asked.resource == "events":
            return Fate.PASS
        self.writes.append(asked)
        self._struck = len(self.writes) == self.number
        return self.fate if self._struck else Fate.PASS


EVENTS = frozenset({"ADDED", "MODIFIED", "DELETED"})


@dataclass
class Refusal:
    """Answers matching requests with an error instead of passing them on."""

    status: int
    matches: Callable[[Asked], bool]
    left: int
    given: int = 0


@dataclass
class Loss:
    """Swallows watch events of a kind."""

    resource: str
    types: frozenset[str]
    name: str | None
    left: int
    happened: threading.Event = field(default_factory=threading.Event)
