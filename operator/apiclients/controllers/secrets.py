"""Credentials Secrets: a cache of their metadata, and reading and writing the bytes. Secrets stay in this module."""

import asyncio
import base64
import binascii
import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apiclients.engine.secret_index import SecretIndex
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import SECRETS, KubeClient
from apiclients.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from apiclients.lifecycle.digests import Stamp, digest, same_digest, stamp_mac
from apiclients.lifecycle.keys import current_pepper
from apiclients.lifecycle.manifest import new_secret_object, public_data, secret_object
from apiclients.lifecycle.observation import (
    Issuer,
    SecretAbsent,
    SecretMetadata,
    SecretRead,
    SecretSeen,
    SecretUnseen,
    annotated_client,
    owner_from,
)
from apiclients.lifecycle.steps import CreateSecret, DeleteSecret, ReadSecret, RepairSecret, ReplaceSecret, SecretStep
from apiclients.lifecycle.template import TemplateKeys, permitted
from apiclients.resources.keys import KeyRing
from apiclients.resources.names import (
    CLIENT_ANNOTATION,
    CLIENT_SECRET_KEY,
    CREDENTIAL_ANNOTATION,
    CREDENTIALS_SECRET_TYPE,
    FIELD_MANAGER,
    MANAGED_SELECTOR,
)
from apiclients.resources.objects import ApiClient

#: 256 bits from the operating system, in base64url.
_SECRET_BYTES = 32
#: Creating has a field manager of its own, so that what is applied later is owned by the other one alone.
_CREATING = f"{FIELD_MANAGER}-create"
_MANAGERS = frozenset({FIELD_MANAGER, _CREATING})


def secret_metadata(body: Mapping[str, Any]) -> SecretMetadata:
    """The metadata of a Secret, from the whole object or from PartialObjectMetadata."""
    meta = body["metadata"]
    owners, annotations = meta.get("ownerReferences") or [], meta.get("annotations") or {}
    controller = next((ref for ref in owners if ref.get("controller")), None)
    return SecretMetadata(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        owner=owner_from(controller) if controller else None,
        labels=meta.get("labels") or {},
        annotations=annotations,
        deleting=bool(meta.get("deletionTimestamp")),
        finalizers=tuple(meta.get("finalizers") or ()),
        issued_for=annotated_client(annotations.get(CLIENT_ANNOTATION, "")) if not owners else None,
    )


class SecretStore:
    """Metadata of all Secrets that carry the operator's label."""

    def __init__(
        self,
        client: KubeClient,
        namespaces: Sequence[str],
        index: SecretIndex,
        on_change: Callable[[Change[SecretMetadata]], None],
    ) -> None:
        """``namespaces``: where the operator may have Secrets; none means everywhere. ``on_change`` feeds ``index``."""
        self._index = index
        self._on_change = on_change
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
            on_change=self._on_change,
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
        owned = self._index.of_owner(client.metadata.namespace, client.metadata.uid)
        return tuple(secret for secret in owned if secret.name != client.secret_name)


@dataclass(slots=True)
class SecretWork:
    """Does the steps of one reconcile of one client, and keeps the bytes that it has read for as long as that lasts."""

    kube: KubeClient
    store: SecretStore
    client: ApiClient
    ring: KeyRing
    issuer: Issuer
    template_keys: TemplateKeys
    #: Hears the cause of each secret that was issued.
    on_issued: Callable[[str], None]
    #: By name and resourceVersion.
    _bytes: dict[tuple[str, str], bytes] = field(default_factory=dict, repr=False)

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
                return await self._apply(step, self._bytes[step.name, step.resource_version])
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
            created = await self.kube.create(SECRETS, namespace, body, field_manager=_CREATING)
        except AlreadyExistsError:
            return await self._read(step.name)
        self.on_issued(step.stamp.cause)
        return self._taken(created)

    async def _apply(self, step: ReplaceSecret | RepairSecret, secret: bytes) -> SecretSeen:
        template, pepper = permitted(self.client.spec.secret.template, self.template_keys), current_pepper(self.ring)
        body = secret_object(self.client, self.issuer, template, step.name, step.stamp, secret, pepper)
        # Without the UID the API server would make a Secret anew that was deleted meanwhile.
        body["metadata"] |= {"resourceVersion": step.resource_version, "uid": step.uid}
        namespace = self.client.metadata.namespace
        try:
            applied = await self.kube.apply(SECRETS, namespace, step.name, body, field_manager=FIELD_MANAGER)
        except ConflictError:
            return await self._read(step.name)
        if isinstance(step, ReplaceSecret):
            self.on_issued(step.stamp.cause)
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
        secret = _decoded(body, CLIENT_SECRET_KEY)
        read = read_secret(body, secret, self.client, self.ring, self.issuer)
        self._bytes[read.metadata.name, read.metadata.resource_version] = secret
        return read


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
        genuine=_genuine(body, metadata, secret, ring),
    )


def _genuine(body: Mapping[str, Any], metadata: SecretMetadata, secret: bytes, ring: KeyRing) -> bool:
    """Whether an operator with these keys made a Secret, for the client that it names.

    A copy under another name has all that the Secret has, but not the operator among those that wrote its fields. Nor
    has one that was put back from a backup, which by its lack of owners is told from a copy that names them.
    """
    whose = metadata.owner or metadata.issued_for
    if whose is None or body.get("type") != CREDENTIALS_SECRET_TYPE:
        return False
    managers = {entry.get("manager") for entry in body["metadata"].get("managedFields") or ()}
    written = metadata.owner is None or not managers.isdisjoint(_MANAGERS)
    return written and _verified_stamp(metadata, secret, whose.uid, ring) is not None


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
