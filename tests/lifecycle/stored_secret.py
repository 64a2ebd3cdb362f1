"""Secrets as an API server stores them, and what the operator makes of one when it reads it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from apiclients.lifecycle.digests import Stamp, digest, same_digest, stamp_mac
from apiclients.lifecycle.manifest import public_data
from apiclients.lifecycle.observation import Issuer, SecretMetadata, SecretRead, annotated_client, owner_from
from apiclients.resources.keys import Pepper
from apiclients.resources.names import (
    CLIENT_ANNOTATION,
    CLIENT_SECRET_KEY,
    CREDENTIAL_ANNOTATION,
    CREDENTIALS_SECRET_TYPE,
    MANAGED_BY,
    MANAGED_BY_LABEL,
)
from apiclients.resources.objects import ApiClient

ISSUER = Issuer("https://tokens.example.com")


def labelled(secret: dict[str, Any]) -> bool:
    """Whether the operator's cache, which selects by label, shows it."""
    return bool(secret["metadata"]["labels"].get(MANAGED_BY_LABEL) == MANAGED_BY)


def bytes_of(secret: dict[str, Any], key: str) -> bytes:
    return base64.b64decode(secret["data"].get(key, ""))


def metadata_of(secret: dict[str, Any]) -> SecretMetadata:
    meta = secret["metadata"]
    owners = meta.get("ownerReferences", [])
    owner = next((ref for ref in owners if ref.get("controller")), None)
    return SecretMetadata(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        owner=owner_from(owner) if owner else None,
        labels=meta["labels"],
        annotations=meta["annotations"],
        deleting="deletionTimestamp" in meta,
        finalizers=tuple(meta.get("finalizers", ())),
        issued_for=None if owners else annotated_client(meta["annotations"].get(CLIENT_ANNOTATION, "")),
    )


def read_secret(secret: dict[str, Any], client: ApiClient, peppers: Sequence[Pepper]) -> SecretRead:
    """What a GET proves."""
    value = bytes_of(secret, CLIENT_SECRET_KEY)
    public = public_data(client, ISSUER).items()
    return SecretRead(
        metadata=metadata_of(secret),
        type=secret.get("type", ""),
        immutable=bool(secret.get("immutable")),
        digests={p.id: digest(p, value) for p in peppers} if value else {},
        stamp=_stamp(secret, value, client.metadata.uid, peppers) if value else None,
        public_data_right=all(bytes_of(secret, key) == text.encode() for key, text in public),
        genuine=_genuine(secret, value, peppers),
    )


def _genuine(secret: dict[str, Any], value: bytes, peppers: Sequence[Pepper]) -> bool:
    """Here only a copy knows who wrote it."""
    metadata = metadata_of(secret)
    whose = metadata.owner or metadata.issued_for
    made = secret.get("type") == CREDENTIALS_SECRET_TYPE and "managedFields" not in secret["metadata"]
    return made and whose is not None and _stamp(secret, value, whose.uid, peppers) is not None


def _stamp(secret: dict[str, Any], value: bytes, uid: str, peppers: Sequence[Pepper]) -> Stamp | None:
    try:
        stamp, mac = Stamp.from_json(secret["metadata"]["annotations"].get(CREDENTIAL_ANNOTATION, ""))
    except ValueError:
        return None
    genuine = any(same_digest(stamp_mac(p, stamp, uid, value), mac) for p in peppers)
    return stamp if genuine else None
