"""Writing a status: once per change, on the version that was decided on, and telling of it by Events."""

import logging
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from apiclients.controllers.store import ObjectStore
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import ConflictError, NotFoundError
from apiclients.kube.events import EventRecorder, ObjectReference
from apiclients.lifecycle.history import Announcement
from apiclients.lifecycle.newer import with_newer_fields
from apiclients.lifecycle.unreadable import unreadable_conditions
from apiclients.resources.conditions import Reason
from apiclients.resources.fields import Model, format_time
from apiclients.resources.objects import Metadata
from apiclients.resources.refs import NamespacedName

logger = logging.getLogger(__name__)


class Written(Enum):
    """What became of a write."""

    STORED = auto()
    OUTDATED = auto()
    GONE = auto()


@dataclass(slots=True)
class StatusWriter:
    """Puts statuses of any kind."""

    kube: KubeClient
    recorder: EventRecorder

    async def write(
        self, store: ObjectStore[Any], metadata: Metadata, before: Model, after: Model, events: Iterable[Announcement]
    ) -> bool:
        """PUT the status if it differs and announce it; False when the version that was decided on is outdated.

        A write that changes nothing costs nearly as much as one that does, so it is not made. Raises KubeError.
        """
        if after == before:
            return True
        key = (metadata.namespace, metadata.name)
        writing = self.kube.replace_status(store.resource, *key, _body(store, metadata, after))
        written = await self._take_in(store, key, writing)
        if written is Written.STORED:
            self._announce(store, metadata, events)
        return written is not Written.OUTDATED

    async def report_unreadable(
        self, store: ObjectStore[Any], key: NamespacedName, problem: str, now: datetime
    ) -> bool:
        """Say on an object that it cannot be read, once; nothing else of it is written (rule 32).

        Returns False when the version that was looked at is outdated. Raises KubeError.
        """
        raw = store.raw(key)
        conditions = unreadable_conditions(raw, problem, now) if raw is not None else None
        if raw is None or conditions is None:
            return True
        metadata = Metadata.from_object(raw)
        body = {"metadata": {"resourceVersion": metadata.resource_version}, "status": {"conditions": conditions}}
        logger.warning(
            "%s cannot be read: %s", store.resource.kind, problem, extra=fields(store.resource.kind, metadata)
        )
        writing = self.kube.merge_patch(store.resource, *key, body, subresource="status")
        written = await self._take_in(store, key, writing)
        if written is Written.STORED:
            self._announce(
                store, metadata, [Announcement(True, Reason.UNREADABLE, "Stall", f"It cannot be read: {problem}")]
            )
        return written is not Written.OUTDATED

    async def repeat(self, store: ObjectStore[Any], key: NamespacedName, now: datetime) -> None:
        """Write a status only so that every watcher hears of the object again, as it is. Raises KubeError.

        If somebody else has written meanwhile, they have heard.
        """
        raw = store.raw(key)
        if raw is None:
            return
        body = {
            "metadata": {"resourceVersion": raw["metadata"]["resourceVersion"]},
            "status": {"repeatedTime": format_time(now)},
        }
        await self._take_in(store, key, self.kube.merge_patch(store.resource, *key, body, subresource="status"))

    async def _take_in(
        self, store: ObjectStore[Any], key: NamespacedName, writing: Awaitable[dict[str, Any]]
    ) -> Written:
        try:
            stored = await writing
        except ConflictError:
            await store.refresh(self.kube, key)
            return Written.OUTDATED
        except NotFoundError:
            await store.refresh(self.kube, key)
            return Written.GONE
        store.put(stored, own=True)
        return Written.STORED

    def _announce(self, store: ObjectStore[Any], metadata: Metadata, events: Iterable[Announcement]) -> None:
        resource = store.resource
        regarding = ObjectReference(
            resource.api_version, resource.kind, metadata.namespace, metadata.name, metadata.uid
        )
        for event in events:
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
        "status": with_newer_fields(status, (store.raw((metadata.namespace, metadata.name)) or {}).get("status")),
    }
