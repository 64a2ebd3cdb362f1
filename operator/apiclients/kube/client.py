"""`KubeClient`: the verbs of the Kubernetes API on plain dicts.

The API server is the limit, not this process: all writes of the process share one small number in flight, 429 is
obeyed, and nothing is decoded into models.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, nullcontext
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode

import aiohttp
import orjson

from apiclients.kube.clock import ClockWatch
from apiclients.kube.config import load_login
from apiclients.kube.decoding import JSON, Decoding
from apiclients.kube.errors import MissingColumnsError, ResponseTooLargeError
from apiclients.kube.objects import (
    EVENTS,
    LEASES,
    NAMESPACES,
    SECRETS,
    TOKEN_REVIEWS,
    JsonObject,
    Page,
    ResourceType,
    WatchEvent,
    custom_resource,
)
from apiclients.kube.stream import decode_object, lines
from apiclients.kube.table import ACCEPT_TABLE, WITHOUT_OBJECTS, table_page
from apiclients.kube.transport import Observer, Request, Transport
from apiclients.resources.refs import NamespacedName

__all__ = [
    "EVENTS",
    "LEASES",
    "NAMESPACES",
    "SECRETS",
    "JsonObject",
    "KubeClient",
    "NamespacedName",
    "Observer",
    "Page",
    "ResourceType",
    "WatchEvent",
    "custom_resource",
]

WRITE_SECONDS = 15.0
READ_SECONDS = 15.0
LIST_SECONDS = 60.0
OBJECT_BYTES = 8 * 1024 * 1024
PAGE_BYTES = 64 * 1024 * 1024
#: How many objects a page has at most: whole ones, or identities of some 300 bytes each. Where nothing has changed for
#: ten minutes, all but the first page come from etcd, at more than ten times the cost.
PAGE_OBJECTS = 500
PAGE_IDENTITIES = 20_000
#: The resourceVersion of reads that may be as old as the API server's watch cache.
CACHED = "0"

_JSON = "application/json"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_READS_IN_FLIGHT = 24


class KubeClient:
    """Talks to one API server. Methods raise ApiError (see its kinds), UnreachableError and ResponseTooLargeError.

    Writes are never repeated blindly: after an UnreachableError or a 5xx it is open whether they happened, and the
    caller's level-based loop decides again. Reads are tried up to three times.
    """

    def __init__(self, transport: Transport, clock: ClockWatch, max_writes_in_flight: int = 24) -> None:
        """Use `connect` instead, unless the transport is a special one."""
        self._transport = transport
        self._writes = asyncio.Semaphore(max_writes_in_flight)
        self._reads = asyncio.Semaphore(_READS_IN_FLIGHT)
        self.clock = clock

    @classmethod
    async def connect(
        cls,
        *,
        kubeconfig: Path | None = None,
        context: str | None = None,
        max_writes_in_flight: int = 24,
        user_agent: str,
        observe: Observer | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> KubeClient:
        """Load the configuration (see `config.load_login`) and open a session; nothing is sent yet.

        `user_agent` is "program/version": its first part is the default field manager. `observe` is called after each
        request with verb, resource, status and seconds. `wall_clock` exists for tests. Raises ConfigurationError.
        """
        login = await load_login(kubeconfig, context)
        clock = ClockWatch(wall_clock)
        return cls(Transport(login, clock, user_agent, observe), clock, max_writes_in_flight)

    async def close(self) -> None:
        """Close all connections; running watches end with UnreachableError."""
        await self._transport.close()

    async def __aenter__(self) -> KubeClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._transport.server

    def new_session(
        self, limit: int = 20, middlewares: Sequence[aiohttp.ClientMiddlewareType] = ()
    ) -> aiohttp.ClientSession:
        """Open an aiohttp session with this client's TLS and ever fresh credentials, for kopf. The caller closes it."""
        return self._transport.new_session(limit, middlewares)

    async def get(
        self,
        resource: ResourceType,
        namespace: str | None,
        name: str,
        *,
        metadata_only: bool = False,
        resource_version: str = "",
        urgent: bool = False,
    ) -> JsonObject:
        """Read one object. Raises NotFoundError. For `urgent` see `replace`.

        Without a `resource_version` etcd answers, and so consistently; with `CACHED` the API server's watch cache does.
        """
        request = Request(
            verb="get",
            resource=resource.plural,
            method="GET",
            path=resource.path(namespace, name) + ("?resourceVersion=" + resource_version if resource_version else ""),
            subject=_subject(namespace, name),
            accept=_METADATA if metadata_only else _JSON,
            seconds=READ_SECONDS,
            max_bytes=OBJECT_BYTES,
            idempotent=True,
            urgent=urgent,
        )
        async with nullcontext() if urgent else self._reads:
            return decode_object(await self._transport.call(request))

    async def get_document(self, path: str) -> bytes:
        """Read what the API server publishes at a path that is no resource's. Raises KubeError."""
        request = Request(
            verb="get",
            resource="",
            method="GET",
            path=path,
            subject=path,
            accept="*/*",  # each has a media type of its own
            seconds=READ_SECONDS,
            max_bytes=OBJECT_BYTES,
            idempotent=True,
        )
        async with self._reads:
            return await self._transport.call(request)

    async def pages(
        self,
        resource: ResourceType,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
        identity_only: bool = False,
        at_version: str | None = None,
        page_size: int | None = None,
        decoding: Decoding = JSON,
    ) -> AsyncGenerator[Page]:
        """List consistently, page by page; without a namespace all of them.

        That is the state `at_version`, or else the present one, as the API server's watch cache has it once that has
        reached etcd's version. A page too large for its bound is asked for again in smaller parts. Raises GoneError
        when the list lasted so long that its continue token expired: start again.

        `identity_only` is for our own kinds: their objects then have namespace, name, uid, generation and
        resourceVersion in their metadata and nothing else, at a cost that does not depend on what else there is. As
        long as the CustomResourceDefinition is of a version before that, all of the metadata comes.
        """
        query = _selectors(label_selector, field_selector)
        first = {"resourceVersion": at_version, "resourceVersionMatch": "Exact"} if at_version else {}
        accept = ACCEPT_TABLE if identity_only else _METADATA_LIST if metadata_only else _JSON
        size = page_size or (PAGE_IDENTITIES if identity_only else PAGE_OBJECTS)
        token = ""
        while True:
            try:
                page, token = await self._page(
                    resource, namespace, query | ({"continue": token} if token else first), size, accept, decoding
                )
            except MissingColumnsError:
                accept, size = _METADATA_LIST, min(size, PAGE_OBJECTS)
                continue
            except ResponseTooLargeError:
                if size == 1:
                    raise
                size = max(1, size // 8)
                continue
            yield page
            if not token:
                return

    async def _page(
        self,
        resource: ResourceType,
        namespace: str | None,
        which: dict[str, str],
        page_size: int,
        accept: str,
        decoding: Decoding,
    ) -> tuple[Page, str]:
        query = {**which, "limit": str(page_size), **(WITHOUT_OBJECTS if accept == ACCEPT_TABLE else {})}
        request = Request(
            verb="list",
            resource=resource.plural,
            method="GET",
            path=f"{resource.path(namespace)}?{urlencode(query)}",
            subject=namespace or "",
            accept=accept,
            seconds=LIST_SECONDS,
            max_bytes=PAGE_BYTES,
            idempotent=True,
        )
        async with self._reads:
            body = await self._transport.call(request)
        return table_page(body) if accept == ACCEPT_TABLE else decoding.page(body)

    async def watch(
        self,
        resource: ResourceType,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
        timeout_seconds: float | None = None,
        inactivity_timeout: float = 75.0,
        decoding: Decoding = JSON,
    ) -> AsyncGenerator[WatchEvent]:
        """Follow all changes after `resource_version`, bookmarks included, until the server ends the stream.

        `timeout_seconds` is how long the server keeps it open (default: a random time from 60 to 120 s);
        `inactivity_timeout` is the longest silence in seconds before UnreachableError; bookmarks come about every
        minute. Raises GoneError when the resourceVersion is too old, ApiError for other errors in the stream.
        """
        seconds = timeout_seconds if timeout_seconds is not None else random.uniform(60, 120)  # noqa: S311
        query = {
            **_selectors(label_selector, field_selector),
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        request = Request(
            verb="watch",
            resource=resource.plural,
            method="GET",
            path=f"{resource.path(namespace)}?{urlencode(query)}",
            subject=namespace or "",
            accept=_METADATA if metadata_only else _JSON,
        )
        async with self._transport.stream(request, inactivity_timeout) as stream, aclosing(lines(stream)) as received:
            async for line in received:
                yield decoding.event(line, request.title)

    async def create(
        self,
        resource: ResourceType,
        namespace: str | None,
        body: JsonObject,
        *,
        field_manager: str | None = None,
        urgent: bool = False,
    ) -> JsonObject:
        """Create an object and return it as stored. Raises AlreadyExistsError. For `urgent` see `replace`."""
        path = resource.path(namespace) + _query(field_manager)
        name = body["metadata"].get("name") or body["metadata"].get("generateName", "")
        return await self._write(resource, "create", "POST", path, _subject(namespace, name), body, urgent=urgent)

    async def apply(
        self,
        resource: ResourceType,
        namespace: str | None,
        name: str,
        body: JsonObject,
        *,
        field_manager: str,
        force: bool = True,
    ) -> JsonObject:
        """Apply server-side and return the object as stored; creates it if it is not there.

        `metadata.uid` and `metadata.resourceVersion` in the body make it conditional: ConflictError if they are not the
        stored ones, also if the object has gone. A resourceVersion alone raises ValueError, for the API server would
        create the object anew if it has gone. `body` needs apiVersion and kind.
        """
        if "resourceVersion" in body["metadata"] and not body["metadata"].get("uid"):
            raise ValueError("apply with a resourceVersion needs the uid too: without it a deleted object is made anew")
        path = resource.path(namespace, name) + _query(field_manager, force="true" if force else "false")
        kind = "application/apply-patch+yaml"
        return await self._write(resource, "apply", "PATCH", path, _subject(namespace, name), body, content_type=kind)

    async def merge_patch(
        self,
        resource: ResourceType,
        namespace: str | None,
        name: str,
        body: JsonObject,
        *,
        subresource: str | None = None,
        field_manager: str | None = None,
        urgent: bool = False,
    ) -> JsonObject:
        """Send an RFC 7386 merge patch, return the object as stored; a resourceVersion in it makes it conditional."""
        path = resource.path(namespace, name, subresource) + _query(field_manager)
        kind = "application/merge-patch+json"
        subject = _subject(namespace, name, subresource)
        return await self._write(resource, "patch", "PATCH", path, subject, body, content_type=kind, urgent=urgent)

    async def replace(
        self,
        resource: ResourceType,
        namespace: str | None,
        name: str,
        body: JsonObject,
        *,
        field_manager: str | None = None,
        urgent: bool = False,
    ) -> JsonObject:
        """PUT a whole object, return it as stored. Raises ConflictError if its resourceVersion is not the stored one.

        `urgent` is for the leader's lease, and for what has a bound of its own: it does not queue behind other requests
        and is not tried again.
        """
        path = resource.path(namespace, name) + _query(field_manager)
        return await self._write(resource, "update", "PUT", path, _subject(namespace, name), body, urgent=urgent)

    async def replace_status(
        self,
        resource: ResourceType,
        namespace: str | None,
        name: str,
        body: JsonObject,
        *,
        field_manager: str | None = None,
    ) -> JsonObject:
        """PUT the status with the resourceVersion in `body`; returns the object as stored. Raises ConflictError."""
        path = resource.path(namespace, name, "status") + _query(field_manager)
        return await self._write(resource, "update", "PUT", path, _subject(namespace, name, "status"), body)

    async def delete(
        self,
        resource: ResourceType,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> JsonObject:
        """Delete one object, only if it still has the given UID and resourceVersion (ConflictError otherwise).

        Returns what the server answers: a Status or the object. Raises NotFoundError.
        """
        body: JsonObject = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        wanted = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {field: value for field, value in wanted.items() if value is not None}
        if preconditions:
            body["preconditions"] = preconditions
        path = resource.path(namespace, name)
        return await self._write(resource, "delete", "DELETE", path, _subject(namespace, name), body)

    async def _write(
        self,
        resource: ResourceType,
        verb: str,
        method: str,
        path: str,
        subject: str,
        body: JsonObject,
        *,
        content_type: str = _JSON,
        urgent: bool = False,
    ) -> JsonObject:
        request = Request(
            verb=verb,
            resource=resource.plural,
            method=method,
            path=path,
            subject=subject,
            body=orjson.dumps(body),
            content_type=content_type,
            seconds=WRITE_SECONDS,
            max_bytes=OBJECT_BYTES,
            hide_message=resource in (SECRETS, TOKEN_REVIEWS),
            urgent=urgent,
        )
        async with nullcontext() if urgent else self._writes:
            return decode_object(await self._transport.call(request))


def _subject(namespace: str | None, name: str, subresource: str | None = None) -> str:
    return "/".join(part for part in (namespace, name, subresource) if part)


def _selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    wanted = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {name: value for name, value in wanted.items() if value}


def _query(field_manager: str | None, **more: str) -> str:
    query = {"fieldManager": field_manager, **more} if field_manager else more
    return "?" + urlencode(query) if query else ""
