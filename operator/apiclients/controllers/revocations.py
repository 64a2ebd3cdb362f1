"""Removes TokenRevocations, which gates write, once the tokens that they refuse have ended anyway."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from apiclients.kube.cache import Reflector
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import ConflictError, KubeError, NotFoundError
from apiclients.kube.kinds import TOKEN_REVOCATIONS
from apiclients.lifecycle.revocations import RevocationView, removable, revocation_view, unreadable_revocation
from apiclients.resources.objects import TokenRevocation

logger = logging.getLogger(__name__)

#: What a watch may lose is found after so long, in seconds.
_RELIST_SECONDS = 600.0
#: Between two looks for what is over.
_PERIOD_SECONDS = 30.0
#: After each deletion, so that there are at most 20 in a second.
_PAUSE_SECONDS = 0.05


class RevocationRemoval:
    """Watches the TokenRevocations of one namespace."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        clock: Callable[[], datetime],
        period: float = _PERIOD_SECONDS,
        pause: float = _PAUSE_SECONDS,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._period = period
        self._pause = pause
        self.reflector: Reflector[RevocationView] = Reflector(
            client,
            TOKEN_REVOCATIONS,
            _read,
            namespace=namespace,
            on_bad=_read_bad,
            relist_interval=_RELIST_SECONDS,
            relist_by_identity=True,
        )

    async def run(self) -> None:
        """Remove until cancelled. Failures of the API server are logged and tried again, never raised."""
        while True:
            try:
                await self.remove_all()
            except KubeError as error:
                logger.warning("A TokenRevocation that is over could not be deleted: %s", error)
            await asyncio.sleep(self._period)

    async def remove_all(self) -> None:
        """Delete what is over now, one after the other. Raises KubeError."""
        for revocation in removable(self.reflector.store.values(), self._clock()):
            if not self._client.clock.trusted():  # by a wrong clock a token may outlive its revocation (rule 26)
                return
            await self._remove(revocation)
            await asyncio.sleep(self._pause)

    async def _remove(self, revocation: RevocationView) -> None:
        try:
            await self._client.delete(TOKEN_REVOCATIONS, self._namespace, revocation.name, uid=revocation.uid)
        except (NotFoundError, ConflictError):
            return  # it is gone, or another one is there: the watch will tell


def _read(body: Mapping[str, Any]) -> RevocationView:
    return revocation_view(TokenRevocation.from_object(body))


def _read_bad(body: Mapping[str, Any], _: Exception) -> RevocationView:
    return unreadable_revocation(body)
