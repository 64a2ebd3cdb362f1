"""The Lease of one replica, which says that it is alive and how far it sees."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from apiclients.kube.client import LEASES, KubeClient
from apiclients.kube.errors import KubeError
from apiclients.kube.objects import micro_time

logger = logging.getLogger(__name__)

_GOODBYE_SECONDS = 3.0
#: News are told at once, and at most so often: so many seconds are between a renewal and the next one for news.
_SHORTEST_PAUSE = 1.0


class HeartbeatLease:
    """One Lease per replica that says what it is and how far it sees; others read it, nobody competes for it.

    `annotations_fn` is called at each renewal. The lease is applied server-side: who deletes it gets it back.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        labels: Mapping[str, str],
        annotations_fn: Callable[[], Mapping[str, str]],
        renew_seconds: float,
        *,
        field_manager: str = "apiclient-gate",
        last_words: bool = False,
        shortest_duration: float = 0.0,
    ) -> None:
        """`name` also identifies the holder; `renew_seconds` is the time between two renewals.

        With `last_words` it is renewed once more at the end, and deleted only if that succeeded. It is good for three
        times `renew_seconds`, and for `shortest_duration` seconds at the least.
        """
        self._client = client
        self._namespace = namespace
        self._name = name
        self._labels = dict(labels)
        self._annotations = annotations_fn
        self._renew_seconds = renew_seconds
        self._field_manager = field_manager
        self._last_words = last_words
        self._duration = max(1, math.ceil(max(3 * renew_seconds, shortest_duration)))
        self._news = asyncio.Event()
        self._since = micro_time()
        self._uid: str | None = None
        self._renewal: asyncio.Task[bool] | None = None

    def renew_soon(self) -> None:
        """There is news that somebody waits for."""
        self._news.set()

    async def run(self) -> None:
        """Renew until cancelled, then delete the lease. Failures are logged and tried again, never raised."""
        try:
            while True:
                started = time.monotonic()
                self._news.clear()
                self._renewal = asyncio.create_task(self._renew())
                await asyncio.shield(self._renewal)
                if await self._news_within(self._renew_seconds * random.uniform(0.9, 1.0)):  # noqa: S311
                    await asyncio.sleep(max(0.0, started + _SHORTEST_PAUSE - time.monotonic()))
        finally:
            await self._delete()

    async def _news_within(self, seconds: float) -> bool:
        """Wait for news, and no longer than that; whether there are any."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._news.wait()
        return False

    async def _renew(self) -> bool:
        """Whether it succeeded; a failure is logged."""
        try:
            body = {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": {"name": self._name, "labels": self._labels, "annotations": dict(self._annotations())},
                "spec": {
                    "holderIdentity": self._name,
                    "leaseDurationSeconds": self._duration,
                    "acquireTime": self._since,
                    "renewTime": micro_time(),
                },
            }
            lease = await self._client.apply(
                LEASES, self._namespace, self._name, body, field_manager=self._field_manager
            )
            self._uid = lease["metadata"]["uid"]
        except Exception as error:  # a heartbeat must not end what it reports on
            logger.warning("cannot renew lease %s/%s: %s", self._namespace, self._name, error)
            return False
        return True

    async def _delete(self) -> None:
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                if self._renewal is not None:
                    await self._renewal  # cut off, it might be carried out after the deletion
                if self._uid is None:
                    return
                if self._last_words and not await self._renew():
                    return  # what stays shows that something is missing
                await self._client.delete(LEASES, self._namespace, self._name, uid=self._uid)
        except (KubeError, TimeoutError) as error:
            logger.info("cannot delete lease %s/%s: %s", self._namespace, self._name, error or "timeout")
