"""Polls the keys of all TokenIssuers, each on its own: one that hangs delays no other."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apiclients.controllers.store import ObjectStore
from apiclients.kube.errors import where
from apiclients.lifecycle.issuers import Fetched, FetchedKeys, FetchFailed, keys_source, pause
from apiclients.resources.objects import AnyObject, InvalidObjectError, TokenIssuer
from apiclients.resources.tokenissuer import TokenIssuerSpec

logger = logging.getLogger(__name__)

#: What nobody tells of is looked for so often: whether gates ask for keys.
_TICK_SECONDS = 1.0
_BUG = "The keys cannot be fetched because of a bug in the operator: its log says more"


@dataclass(slots=True)
class _Poll:
    """What is known of one TokenIssuer."""

    task: asyncio.Task[None]
    changed: asyncio.Event
    uid: str = ""
    fetched: Fetched | None = None
    found: float | None = None
    successes: int = 0
    failures: int = 0


class IssuerPolls(Collector):
    """A task for each TokenIssuer.

    ``asked`` tells what gates have said of keys that they do not know, by the name of a TokenIssuer: whenever that
    differs from what it was at the last try, there is another one. ``on_fetched`` hears of every try.
    """

    def __init__(
        self,
        issuers: ObjectStore[AnyObject],
        fetch: Callable[[TokenIssuer], Awaitable[Fetched]],
        asked: Callable[[str], object],
        on_fetched: Callable[[str], None],
    ) -> None:
        self._issuers = issuers
        self._fetch = fetch
        self._asked = asked
        self._on_fetched = on_fetched
        self._polls: dict[str, _Poll] = {}
        self._changed = asyncio.Event()

    def fetched(self, issuer: TokenIssuer) -> Fetched | None:
        """What the last try came to; None before there was one for this very object."""
        poll = self._polls.get(issuer.metadata.name)
        return poll.fetched if poll is not None and poll.uid == issuer.metadata.uid else None

    def look(self, name: str) -> None:
        """A TokenIssuer has come, gone or changed."""
        self._changed.set()
        if name in self._polls:
            self._polls[name].changed.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            while True:
                self._changed.clear()
                self._start_and_stop()
                await self._changed.wait()
        finally:
            tasks = [poll.task for poll in self._polls.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start_and_stop(self) -> None:
        names = {name for _, name in self._issuers}
        for name in self._polls.keys() - names:
            self._polls.pop(name).task.cancel()
        for name in names - self._polls.keys():
            self._polls[name] = _Poll(asyncio.create_task(self._poll(name), name=name), asyncio.Event())

    async def _poll(self, name: str) -> None:
        poll = self._polls[name]
        while True:
            poll.changed.clear()
            issuer = self._read(name)
            if issuer is None or not keys_source(issuer.spec):
                await poll.changed.wait()  # until somebody makes it readable
                continue
            asked, started = self._asked(name), time.monotonic()
            self._note(poll, issuer, await self._attempt(issuer))
            self._on_fetched(name)
            await self._pause(poll, issuer, asked, started)

    async def _attempt(self, issuer: TokenIssuer) -> Fetched:
        try:
            return await self._fetch(issuer)
        except Exception as error:
            logger.error("Fetching keys of a TokenIssuer ended in a bug: %s", where(error))  # noqa: TRY400
            return FetchFailed(keys_source(issuer.spec), _BUG)

    def _note(self, poll: _Poll, issuer: TokenIssuer, fetched: Fetched) -> None:
        before, poll.uid, poll.fetched = poll.fetched, issuer.metadata.uid, fetched
        if isinstance(fetched, FetchedKeys):
            poll.successes += 1
            poll.found = fetched.time.timestamp()
            return
        poll.failures += 1
        if fetched != before:
            logger.warning("TokenIssuer %s: %s", issuer.metadata.name, fetched.message)

    async def _pause(self, poll: _Poll, issuer: TokenIssuer, asked: object, started: float) -> None:
        """Until the next try is due, or its spec has changed."""
        while True:
            is_asked = self._asked(issuer.metadata.name) != asked
            left = started + pause(issuer.spec, asked=is_asked).total_seconds() - time.monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(left, _TICK_SECONDS)):
                    await poll.changed.wait()
            except TimeoutError:
                continue
            poll.changed.clear()
            now = self._read(issuer.metadata.name)
            if now is None or (now.metadata.uid, _fetching(now.spec)) != (issuer.metadata.uid, _fetching(issuer.spec)):
                return

    def _read(self, name: str) -> TokenIssuer | None:
        try:
            found = self._issuers.get(("", name))
            return found if isinstance(found, TokenIssuer) else None
        except InvalidObjectError:
            return None

    def collect(self) -> Iterator[Metric]:
        """When keys were last found, and how tries ended."""
        found = GaugeMetricFamily(
            "apiclient_operator_issuer_keys_found_timestamp_seconds",
            "When the keys of a TokenIssuer were last found.",
            labels=["issuer"],
        )
        tries = CounterMetricFamily(
            "apiclient_operator_issuer_fetches",
            "Tries to fetch the keys of a TokenIssuer.",
            labels=["issuer", "outcome"],
        )
        for name, poll in sorted(self._polls.items()):
            if poll.found is not None:
                found.add_metric([name], poll.found)
            tries.add_metric([name, "found"], poll.successes)
            tries.add_metric([name, "failed"], poll.failures)
        yield found
        yield tries


def _fetching(spec: TokenIssuerSpec) -> object:
    """What of a spec decides about fetching."""
    return spec.issuer, spec.keys, spec.certificate_authority, spec.refresh_interval
