"""A session with the API server: reads by ``KubeClient``, writes with the plugin's field manager and dry run."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

import orjson

from apiclients import __version__
from apiclients.cli.cluster.names import FIELD_MANAGER
from apiclients.kube.client import KubeClient
from apiclients.kube.clock import ClockWatch
from apiclients.kube.config import load_login
from apiclients.kube.errors import GoneError
from apiclients.kube.impersonation import Impersonation
from apiclients.kube.objects import JsonObject, ResourceType
from apiclients.kube.stream import decode_object
from apiclients.kube.transport import Request, Transport

USER_AGENT = f"{FIELD_MANAGER}/{__version__}"

_MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Session:
    """One connection, and the namespace that holds unless another is named."""

    kube: KubeClient
    transport: Transport
    namespace: str

    def now(self) -> datetime:
        """The present, by the API server's clock where this machine's is wrong."""
        return self.kube.clock.now()

    async def objects(
        self,
        resource: ResourceType,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        metadata_only: bool = False,
    ) -> list[JsonObject]:
        """All objects, read consistently; without a namespace of all. Raises KubeError."""
        try:
            return await self._list(resource, namespace, labels, fields, metadata_only)
        except GoneError:  # the list lasted too long
            return await self._list(resource, namespace, labels, fields, metadata_only)

    async def _list(
        self, resource: ResourceType, namespace: str | None, labels: str | None, fields: str | None, metadata_only: bool
    ) -> list[JsonObject]:
        pages = self.kube.pages(
            resource, namespace, label_selector=labels, field_selector=fields, metadata_only=metadata_only
        )
        return [item async for page in pages for item in page.items]

    async def create(
        self, resource: ResourceType, namespace: str | None, body: JsonObject, *, dry_run: bool = False
    ) -> JsonObject:
        """Create an object and return it as stored. Raises KubeError."""
        subject = body.get("metadata", {}).get("name") or body.get("metadata", {}).get("generateName", "")
        return await self._write("create", "POST", resource, namespace, None, subject, body, dry_run)

    async def patch(
        self, resource: ResourceType, namespace: str, name: str, body: JsonObject, *, dry_run: bool = False
    ) -> JsonObject:
        """Send a merge patch and return the object as stored. Raises KubeError."""
        return await self._write("patch", "PATCH", resource, namespace, name, name, body, dry_run)

    async def delete(
        self, resource: ResourceType, namespace: str, name: str, *, uid: str, dry_run: bool = False
    ) -> JsonObject:
        """Delete exactly this object. Raises KubeError."""
        body: JsonObject = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        if dry_run:
            body["dryRun"] = ["All"]  # beside a body, the API server does not look at the query
        return await self._write("delete", "DELETE", resource, namespace, name, name, body, dry_run)

    async def _write(
        self,
        verb: str,
        method: str,
        resource: ResourceType,
        namespace: str | None,
        name: str | None,
        subject: str,
        body: JsonObject,
        dry_run: bool,
    ) -> JsonObject:
        query = {"fieldManager": FIELD_MANAGER} if method != "DELETE" else {}
        query |= {"dryRun": "All"} if dry_run else {}
        request = Request(
            verb=verb,
            resource=resource.plural,
            method=method,
            path=resource.path(namespace, name) + ("?" + urlencode(query) if query else ""),
            subject="/".join(part for part in (namespace, subject) if part),
            body=orjson.dumps(body),
            content_type=_MERGE if method == "PATCH" else "application/json",
        )
        return decode_object(await self.transport.call(request))


@asynccontextmanager
async def connect(args: argparse.Namespace) -> AsyncIterator[Session]:
    """Open a session as the options of ``options.common`` say. Raises ConfigurationError."""
    act_as = Impersonation(user=args.act_as, uid=args.act_as_uid, groups=tuple(args.act_as_groups))
    login = await load_login(args.kubeconfig, args.context, service_account_first=False, act_as=act_as)
    clock = ClockWatch()
    transport = Transport(login, clock, USER_AGENT)
    async with KubeClient(transport, clock) as kube:
        yield Session(kube, transport, args.namespace or login.namespace)


def place(session: Session, args: argparse.Namespace) -> str | None:
    """The namespace to list in; None for all."""
    return None if args.all_namespaces else session.namespace
