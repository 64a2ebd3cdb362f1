"""Credentials Secrets: a cache of their metadata, and reading and writing the bytes. Secrets stay in this module."""

import asyncio
import base64
import binascii
import contextlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apiclients.controllers.store import Key
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import SECRETS, KubeClient
from apiclients.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from apiclients.lifecycle.digests import Stamp, digest, same_digest, stamp_mac
from apiclients.lifecycle.keys import current_pepper
from apiclients.lifecycle.manifest import new_secret_object, public_data, secret_object
from apiclients.lifecycle.observation import (
    Issuer,
    Owner,
    SecretAbsent,
    SecretMetadata,
    SecretRead,
    SecretSeen,
    SecretUnseen,
)
from apiclients.lifecycle.steps import CreateSecret, DeleteSecret, ReadSecret, RepairSecret, ReplaceSecret, SecretStep
from apiclients.resources.keys import KeyRing
from apiclients.resources.names import (
    CLIENT_SECRET_KEY,
    CREDENTIAL_ANNOTATION,
    FIELD_MANAGER,
    MANAGED_SELECTOR,
)
from apiclients.resources.objects import ApiClient

#: 256 bits from the operating system, in base64url.
_SECRET_BYTES = 32


def secret_metadata(body: Mapping[str, Any]) -> SecretMetadata:
    """The metadata of a Secret, from the whole object or from PartialObjectMetadata."""
    meta = body["metadata"]
    controller = next((ref for ref in meta.get("ownerReferences") or [] if ref.get("controller")), None)
    return SecretMetadata(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        owner=Owner(controller["kind"], controller["name"], controller["uid"]) if controller else None,
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
    )


class SecretStore:
    """Metadata of all Secrets that carry the operator's label, by name and by the UID of their owner."""

    def __init__(self, client: KubeClient, namespaces: Sequence[str], on_change: Callable[[Key], None]) -> None:
        """``namespaces`` are those where the operator may have Secrets; none means all."""
        self._on_owner_changed = on_change
        self._by_owner: dict[str, dict[str, SecretMetadata]] = defaultdict(dict)
        self._reflectors = {namespace: self._reflector(client, namespace) for namespace in namespaces or (None,)}

    def _reflector(self, client: KubeClient, namespace: str | None) -> Reflector[SecretMetadata]:
        return Reflector(
            client,
            SECRETS,
            secret_metadata,
            namespace=namespace,
            label_selector=MANAGED_SELECTOR,
            metadata_only=True,
            relist_interval=600,
            on_change=self._changed,
        )

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reflector in self._reflectors.values():
                tasks.create_task(reflector.run())

    async def synced(self) -> None:
        """Wait for the first complete lists."""
        for reflector in self._reflectors.values():
            await reflector.synced.wait()

    def _announce(self, change: Change[SecretMetadata]) -> None:
        for secret in (change.old, change.new):
            if secret is not None and secret.owner is not None:
                self._on_owner_changed((secret.namespace, secret.owner.name))

    def _of(self, namespace: str) -> Reflector[SecretMetadata] | None:
        return self._reflectors.get(namespace) or self._reflectors.get(None)

    def put(self, body: dict[str, Any]) -> None:
        """Take in the answer to an own write."""
        reflector = self._of(body["metadata"]["namespace"])
        if reflector is not None:
            reflector.put(body)

    def seen(self, client: ApiClient) -> SecretSeen:
        """What the cache shows under the name of the client's Secret."""
        reflector = self._of(client.metadata.namespace)
        known = reflector.store.get((client.metadata.namespace, client.secret_name)) if reflector else None
        return known or SecretUnseen()

    def others(self, client: ApiClient) -> tuple[SecretMetadata, ...]:
        """Secrets of this client under other names."""
        owned = self._by_owner.get(client.metadata.uid, {})
        return tuple(secret for name, secret in owned.items() if name != client.secret_name)

    def _changed(self, change: Change[SecretMetadata]) -> None:
        if change.source != "put":  # who wrote it knows it already
            self._announce(change)
        if change.old is not None and change.old.owner is not None:
            owned = self._by_owner[change.old.owner.uid]
            owned.pop(change.old.name, None)
            if not owned:
                del self._by_owner[change.old.owner.uid]
        if change.new is not None and change.new.owner is not None:
            self._by_owner[change.new.owner.uid][change.new.name] = change.new


@dataclass(slots=True)
class SecretWork:
    """Does the steps of one reconcile of one client, and keeps the bytes that it has read for as long as that lasts."""

    kube: KubeClient
    store: SecretStore
    client: ApiClient
    ring: KeyRing
    issuer: Issuer
    _bytes: bytes = field(default=b"", repr=False)

    async def do(self, step: SecretStep) -> SecretSeen:
        """Do one step and return what the Secret is now. A lost race is no error: the winner's Secret is returned.

        Raises KubeError.
        """
        match step:
            case ReadSecret():
                return await self._read(step.name)
            case CreateSecret():
                return await self._create(step)
            case ReplaceSecret():
                return await self._apply(step, _new_secret())
            case RepairSecret():
                return await self._apply(step, self._bytes)
            case DeleteSecret():
                return await self._delete(step)

    async def _read(self, name: str) -> SecretSeen:
        try:
            return self._take(await self.kube.get(SECRETS, self.client.metadata.namespace, name))
        except NotFoundError:
            return SecretAbsent()

    async def _create(self, step: CreateSecret) -> SecretSeen:
        pepper = current_pepper(self.ring)
        body = new_secret_object(self.client, self.issuer, step.name, step.stamp, _new_secret(), pepper)
        namespace = self.client.metadata.namespace
        try:
            created = await self.kube.create(SECRETS, namespace, body, field_manager=f"{FIELD_MANAGER}-create")
        except AlreadyExistsError:
            return await self._read(step.name)
        return self._taken(created)

    async def _apply(self, step: ReplaceSecret | RepairSecret, secret: bytes) -> SecretSeen:
        body = secret_object(self.client, self.issuer, step.name, step.stamp, secret, current_pepper(self.ring))
        # Without the UID the API server would make a Secret anew that was deleted meanwhile.
        body["metadata"] |= {"resourceVersion": step.resource_version, "uid": step.uid}
        namespace = self.client.metadata.namespace
        try:
            applied = await self.kube.apply(SECRETS, namespace, step.name, body, field_manager=FIELD_MANAGER)
        except ConflictError:
            return await self._read(step.name)
        return self._taken(applied)

    async def _delete(self, step: DeleteSecret) -> SecretSeen:
        namespace = self.client.metadata.namespace
        with contextlib.suppress(NotFoundError, ConflictError):  # gone, or another one by now: reading tells
            await self.kube.delete(SECRETS, namespace, step.name, uid=step.uid, resource_version=step.resource_version)
        return await self._read(step.name)

    def _taken(self, body: dict[str, Any]) -> SecretSeen:
        self.store.put(body)
        return self._take(body)

    def _take(self, body: Mapping[str, Any]) -> SecretRead:
        self._bytes = _decoded(body, CLIENT_SECRET_KEY)
        return read_secret(body, self._bytes, self.client, self.ring, self.issuer)


def read_secret(body: Mapping[str, Any], secret: bytes, client: ApiClient, ring: KeyRing, issuer: Issuer) -> SecretRead:
    """What a Secret proves, without its bytes."""
    metadata = secret_metadata(body)
    wanted = public_data(client, issuer)
    return SecretRead(
        metadata=metadata,
        type=body.get("type", ""),
        immutable=bool(body.get("immutable")),
        digests={pepper.id: digest(pepper, secret) for pepper in ring.peppers} if secret else {},
        stamp=_verified_stamp(metadata, secret, client.metadata.uid, ring) if secret else None,
        public_data_right=all(_decoded(body, key) == value.encode() for key, value in wanted.items()),
    )


def _verified_stamp(metadata: SecretMetadata, secret: bytes, uid: str, ring: KeyRing) -> Stamp | None:
    try:
        stamp, mac = Stamp.from_json(metadata.annotations.get(CREDENTIAL_ANNOTATION, ""))
    except ValueError:
        return None
    genuine = any(same_digest(stamp_mac(pepper, stamp, uid, secret), mac) for pepper in ring.peppers)
    return stamp if genuine else None


def _decoded(body: Mapping[str, Any], key: str) -> bytes:
    try:
        return base64.b64decode((body.get("data") or {}).get(key) or "", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _new_secret() -> bytes:
    return secrets.token_urlsafe(_SECRET_BYTES).encode("ascii")
