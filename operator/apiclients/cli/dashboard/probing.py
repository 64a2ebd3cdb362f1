"""Asks the API server for as little as possible."""

from contextlib import aclosing

from apiclients.cli.cluster.connection import Session
from apiclients.kube.objects import ResourceType


async def probe(session: Session, resource: ResourceType, namespace: str | None) -> None:
    """List one object: whether that is allowed, and answered. Raises KubeError."""
    async with aclosing(session.kube.pages(resource, namespace, metadata_only=True, page_size=1)) as pages:
        await anext(pages)
