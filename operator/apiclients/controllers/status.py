"""Writing a status: once per change, on the version that was decided on, and telling of it by Events."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apiclients.controllers.store import ObjectStore
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import ConflictError, NotFoundError
from apiclients.kube.events import EventRecorder, ObjectReference
from apiclients.lifecycle.history import Announcement
from apiclients.resources.fields import Model
from apiclients.resources.objects import Metadata

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class StatusWriter:
    """Puts statuses of any kind."""

    kube: KubeClient
    recorder: EventRecorder

    async def write(
        self, store: ObjectStore[Any], metadata: Metadata, before: Model, after: Model, told: Iterable[Announcement]
    ) -> bool:
        """PUT the status if it differs and announce it; False when the version that was decided on is outdated.

        A write that changes nothing costs nearly as much as one that does, so it is not made. Raises KubeError.
        """
        if after == before:
            return True
        key = (metadata.namespace, metadata.name)
        try:
            stored = await self.kube.replace_status(store.resource, *key, _body(store, metadata, after))
        except ConflictError:
            await store.refresh(self.kube, key)
            return False
        except NotFoundError:
            await store.refresh(self.kube, key)
            return True
        store.put(stored, own=True)
        self._announce(store, metadata, told)
        return True

    def _announce(self, store: ObjectStore[Any], metadata: Metadata, told: Iterable[Announcement]) -> None:
        resource = store.resource
        regarding = ObjectReference(
            resource.api_version, resource.kind, metadata.namespace, metadata.name, metadata.uid
        )
        for event in told:
            logger.info("%s: %s", event.reason, event.note, extra=fields(resource.kind, metadata))
            self.recorder.record(
                regarding,
                type="Warning" if event.warning else "Normal",
                reason=event.reason,
                note=event.note,
                action=event.action,
            )


def fields(kind: str, metadata: Metadata) -> dict[str, object]:
    """What a log record about an object carries."""
    return {
        "kind": kind,
        "namespace": metadata.namespace,
        "object": metadata.name,
        "generation": metadata.generation,
    }


def _body(store: ObjectStore[Any], metadata: Metadata, status: Model) -> dict[str, Any]:
    return {
        "apiVersion": store.resource.api_version,
        "kind": store.resource.kind,
        "metadata": {
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
        "status": status.to_object(),
    }
