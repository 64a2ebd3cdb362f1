"""The Lease of a replica, renewed at once when there is news that somebody waits for."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from apiclients.kube.client import KubeClient
from apiclients.kube.leases import HeartbeatLease

#: News wait at most so long, so that many of them cost few writes, in seconds.
_SHORTEST_PAUSE = 0.15


class PromptLease(HeartbeatLease):
    """A heartbeat that can be asked to come soon."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        labels: Mapping[str, str],
        annotations_fn: Callable[[], Mapping[str, str]],
        renew_seconds: float,
    ) -> None:
        super().__init__(client, namespace, name, labels, annotations_fn, renew_seconds)
        self._longest_pause = renew_seconds
        self._news = asyncio.Event()

    def renew_soon(self) -> None:
        """There is news."""
        self._news.set()

    async def run(self) -> None:
        """Renew until cancelled, then delete the lease. Failures are logged and tried again, never raised."""
        try:
            while True:
                started = time.monotonic()
                self._news.clear()
                await self._renew()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._longest_pause * random.uniform(0.9, 1.0)):  # noqa: S311
                        await self._news.wait()
                await asyncio.sleep(max(0.0, started + _SHORTEST_PAUSE - time.monotonic()))
        finally:
            await self._delete()
