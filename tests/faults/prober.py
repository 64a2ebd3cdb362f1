"""The expectation model and who checks it all the time.

A :class:`Promise` says for one token and one path what a gate must answer now: yes, no, or either while a change is
within the stated bounds of freshness. The :class:`Prober` asks every gate over and over. 503 is always an honest
answer; a wrong yes and a wrong no never are.
"""

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

YES = frozenset({200})
NO = frozenset({401, 403, 410})
NOT_NOW = frozenset({503})
_PAUSE = 0.01
_IDLE = 0.05
_SECONDS = 10.0


class Must(Enum):
    """What a gate has to answer."""

    ACCEPT = YES | NOT_NOW
    REFUSE = NO | NOT_NOW
    EITHER = YES | NO | NOT_NOW


@dataclass(frozen=True, slots=True)
class _Demand:
    must: Must
    since: float


@dataclass(eq=False)
class Promise:
    """What gates must answer to a token at a path; ``/check`` or ``/authz/<namespace>/<name>``."""

    what: str
    token: str = field(repr=False)
    path: str = "/check"
    demand: _Demand = field(default_factory=lambda: _Demand(Must.EITHER, 0.0))
    #: Answers by status.
    seen: Counter[int] = field(default_factory=Counter)

    def accept(self, *, within: float = 0.0) -> None:
        """From then on a gate must say yes, or 503."""
        self.demand = _Demand(Must.ACCEPT, time.monotonic() + within)

    def refuse(self, *, within: float = 0.0) -> None:
        """From then on a gate must not say yes."""
        self.demand = _Demand(Must.REFUSE, time.monotonic() + within)

    @contextmanager
    def ends(self, *, within: float) -> Iterator[None]:
        """The block ends what is promised; from its end on it counts how long."""
        self.either()
        yield
        self.refuse(within=within)

    def either(self) -> None:
        """Anything goes, for now."""
        self.demand = _Demand(Must.EITHER, 0.0)


class Prober:
    """Asks all gates in a thread of its own, from entry to exit; ``verify`` raises what it found."""

    def __init__(self, gates: Sequence[str]) -> None:
        self._gates = gates
        self._promises: list[Promise] = []
        self._violations: list[str] = []
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._keep_asking, args=(url,), daemon=True) for url in gates]
        #: Told of every violation as it happens.
        self.on_violation: Callable[[str], None] = lambda _: None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(2 * _SECONDS)

    @contextmanager
    def watching(self, what: str, token: str, path: str = "/check") -> Iterator[Promise]:
        """Check a promise until the block ends; raises if it was broken."""
        promise = self.add(Promise(what, token, path))
        try:
            yield promise
        finally:
            self.remove(promise)
        self.verify()

    def add(self, promise: Promise) -> Promise:
        """Check it from now on."""
        self._promises = [*self._promises, promise]
        return promise

    def remove(self, *promises: Promise) -> None:
        """Check them no more."""
        self._promises = [one for one in self._promises if one not in promises]

    def verify(self) -> None:
        """Raise AssertionError if anything was answered that must not be."""
        found, self._violations = self._violations, []
        assert not found, "\n".join(found[:10])

    def _keep_asking(self, url: str) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._ending.is_set():
            for promise in self._promises:
                connection = connection or http.client.HTTPConnection(urlsplit(url).netloc, timeout=_SECONDS)
                try:
                    self._ask(url, connection, promise)
                except (OSError, http.client.HTTPException):  # a gate may be down; that is no yes
                    with contextlib.suppress(OSError):
                        connection.close()
                    connection = None
                self._ending.wait(_PAUSE)
            if not self._promises:
                self._ending.wait(_IDLE)

    def _ask(self, url: str, connection: http.client.HTTPConnection, promise: Promise) -> None:
        demand, started = promise.demand, time.monotonic()
        connection.request("GET", promise.path, headers={"Authorization": f"Bearer {promise.token}"})
        response = connection.getresponse()
        response.read()
        if response.status not in Must.EITHER.value:
            self._note(f"{promise.what}: {url}{promise.path} answered {response.status}")
        elif promise.demand is demand and started >= demand.since and response.status not in demand.must.value:
            late = started - demand.since
            self._note(f"{promise.what}: {url}{promise.path} answered {response.status}, {late:.2f} s too late")
        promise.seen[response.status] += 1

    def _note(self, violation: str) -> None:
        self._violations.append(violation)
        self.on_violation(violation)
