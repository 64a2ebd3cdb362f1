"""Checks whether a kind may be read, and converts objects that this version may not understand."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from apiclients.cli.cluster.connection import Session
from apiclients.kube.objects import JsonObject, ResourceType
from apiclients.resources.objects import InvalidObjectError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that fits no model of this version (rule 32)."""

    text: str


def reader(resource: ResourceType, from_object: Callable[[JsonObject], T]) -> Callable[[JsonObject], T | Unreadable]:
    """``from_object``, with an ``Unreadable`` for what it refuses."""

    def read(obj: JsonObject) -> T | Unreadable:
        try:
            return from_object(obj)
        except InvalidObjectError:
            meta: dict[str, Any] = obj["metadata"]
            place = f"{meta.get('namespace', '')}/{meta['name']}"
            return Unreadable(f"{resource.kind} {place} cannot be read by this version of the plugin")

    return read


async def one_object(session: Session, resource: ResourceType, namespace: str | None) -> None:
    """Read one object, to check that this is allowed. Raises KubeError."""
    async with aclosing(session.kube.pages(resource, namespace, metadata_only=True, page_size=1)) as pages:
        await anext(pages)
