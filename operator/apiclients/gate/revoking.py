"""Writes TokenRevocations, which are in force at all gates within a watch hop and here at once."""

import asyncio
from datetime import UTC, datetime

from apiclients.kube.cache import Reflector
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import AlreadyExistsError, UnreachableError
from apiclients.kube.kinds import TOKEN_REVOCATIONS
from apiclients.kube.objects import JsonObject
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.revocations import RevocationView
from apiclients.resources.fields import format_time

#: The caller waits. One whose answer does not come may have been stored: to ask again is safe.
_SECONDS = 5.0


class RevocationWriter:
    """Creates them in one namespace, under the gate's own account."""

    def __init__(self, client: KubeClient, reflector: Reflector[RevocationView], namespace: str) -> None:
        self._client = client
        self._reflector = reflector
        self._namespace = namespace

    async def add(self, fingerprint: str, client: ClientView, ends: int) -> None:
        """Have a token of a client revoked, which ends by itself at ``ends``: stored and known here when this returns.

        Raises KubeError.
        """
        body: JsonObject = {
            "apiVersion": TOKEN_REVOCATIONS.api_version,
            "kind": TOKEN_REVOCATIONS.kind,
            "metadata": {"name": fingerprint, "namespace": self._namespace},
            "spec": {
                "clientUid": client.uid,
                "clientNamespace": client.namespace,
                "expiresTime": format_time(datetime.fromtimestamp(ends, UTC)),
            },
        }
        try:
            async with asyncio.timeout(_SECONDS):
                await self._create(fingerprint, body)
        except TimeoutError:
            raise UnreachableError(f"no answer within {_SECONDS:g} s") from None

    async def _create(self, fingerprint: str, body: JsonObject) -> None:
        try:
            made = await self._client.create(TOKEN_REVOCATIONS, self._namespace, body)
        except AlreadyExistsError:
            await self._reflector.refresh(self._namespace, fingerprint)  # another gate was faster than its watch event
        else:
            self._reflector.put(made)
