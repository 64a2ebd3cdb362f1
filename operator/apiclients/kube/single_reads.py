"""Comparing single objects with etcd, which no cache of the API server's stands before.

A read of one object without resourceVersion is answered by etcd, one with `CACHED` by the watch cache from which all
lists and watches come. Together they say whether something was lost, and where.
"""

from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from apiclients.kube.client import CACHED, KubeClient
from apiclients.kube.errors import NotFoundError
from apiclients.kube.object_state import ObjectState
from apiclients.kube.objects import ResourceType, version_of
from apiclients.resources.refs import NamespacedName


class Where(StrEnum):
    """Where an event was lost; the label ``where`` of the metrics."""

    WATCH = "watch"
    API_SERVER = "api_server"


@dataclass(frozen=True, slots=True)
class SingleReads:
    """Reads single objects of one resource for the state of a cache. All raise KubeError."""

    client: KubeClient
    resource: ResourceType
    state: ObjectState[Any]
    metadata_only: bool = False

    async def differing(self, key: NamespacedName) -> int | None:
        """The version of an object in etcd, 0 if it is not there; None if it is known so, or changes just now."""
        before = self.state.version_of(key)
        stored = await self.stored_version(key)
        is_older = 0 < stored < before  # etcd was set back, which lists find out
        return None if stored == before or is_older or self.state.version_of(key) != before else stored

    async def lost_by_cache(self, key: NamespacedName, version: int) -> bool:
        """Whether the API server's watch cache does not have an object at this version, which etcd has.

        One that is late has lost nothing: a consistent list waits for it.
        """
        await latest_version(self.client, self.resource)
        return await self.stored_version(key, CACHED) != version and await self.stored_version(key) == version

    def overdue(self, key: NamespacedName) -> bool:
        """Whether the watch has not delivered to this day what `read` has changed; tells so once."""
        return self.state.reads.take_owed(key)

    async def read(self, key: NamespacedName) -> bool:
        """Read one object from etcd and let it outweigh lists and watch; whether that changed anything."""
        namespace, name = key
        before, moment = self.state.version_of(key), self.state.moment()
        try:
            body = await self.client.get(self.resource, namespace or None, name, metadata_only=self.metadata_only)
        except NotFoundError:
            return self.state.absent_read(key, before)
        return self.state.put_read(body, moment)

    async def stored_version(self, key: NamespacedName, resource_version: str = "") -> int:
        """The version of an object as the API server answers it, 0 if it is not there."""
        namespace, name = key
        try:
            body = await self.client.get(
                self.resource, namespace or None, name, metadata_only=True, resource_version=resource_version
            )
        except NotFoundError:
            return 0
        return version_of(body)


async def latest_version(client: KubeClient, resource: ResourceType) -> str:
    """The version that a consistent list would show now.

    A list at exactly this version comes from etcd once the API server has found its own watch cache wrong, and at rest;
    others come from that cache all the same. Raises KubeError.
    """
    pages = client.pages(resource, identity_only=True, page_size=1)
    async with aclosing(pages):
        return (await anext(pages)).resource_version
