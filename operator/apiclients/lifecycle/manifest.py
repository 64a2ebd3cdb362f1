"""The credentials Secret as it should be (DESIGN section 2, "The Secret")."""

import base64
import hashlib
from typing import Any

import orjson

from apiclients.lifecycle.digests import Stamp, stamp_mac
from apiclients.lifecycle.observation import Issuer, SecretMetadata, client_annotation
from apiclients.resources.apiclient import SecretTemplate
from apiclients.resources.keys import Pepper
from apiclients.resources.names import (
    API_VERSION,
    CLIENT_ANNOTATION,
    CLIENT_ID_KEY,
    CLIENT_SECRET_KEY,
    CREDENTIAL_ANNOTATION,
    CREDENTIALS_SECRET_TYPE,
    GROUP,
    ISSUER_KEY,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    TOKEN_ENDPOINT_KEY,
)
from apiclients.resources.objects import ApiClient

#: Hash of everything in the Secret but the secret, so that a change of the template or the issuer shows in metadata.
APPLIED_ANNOTATION = f"{GROUP}/applied"

_LABELS = {MANAGED_BY_LABEL: MANAGED_BY}


def public_data(client: ApiClient, issuer: Issuer) -> dict[str, str]:
    """The keys of the Secret that are no secret."""
    return {CLIENT_ID_KEY: client.client_id, ISSUER_KEY: issuer.url, TOKEN_ENDPOINT_KEY: issuer.token_endpoint}


def labels(template: SecretTemplate) -> dict[str, str]:
    """Labels of the Secret: the template's, and ours, which win."""
    return {**template.labels, **_LABELS}


def metadata_right(client: ApiClient, issuer: Issuer, template: SecretTemplate, secret: SecretMetadata) -> bool:
    """Whether owner, labels and annotations are as last applied. Others may add their own; ours must be there."""
    wanted = annotations(client, issuer, template)
    return (
        secret.owner is not None
        and wanted.items() <= dict(secret.annotations).items()
        and labels(template).items() <= dict(secret.labels).items()
    )


def annotations(client: ApiClient, issuer: Issuer, template: SecretTemplate) -> dict[str, str]:
    """Annotations of the Secret but for the credential's: the template's, and ours, which win."""
    ours = {
        APPLIED_ANNOTATION: applied_hash(client, issuer, template),
        CLIENT_ANNOTATION: client_annotation(client.metadata),
    }
    return {key: value for key, value in template.annotations.items() if key != CREDENTIAL_ANNOTATION} | ours


def applied_hash(client: ApiClient, issuer: Issuer, template: SecretTemplate) -> str:
    """Changes whenever the Secret must be applied again although the secret in it stays."""
    content = [template.labels, template.annotations, public_data(client, issuer)]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def new_secret_object(
    client: ApiClient, issuer: Issuer, name: str, stamp: Stamp, secret: bytes, pepper: Pepper
) -> dict[str, Any]:
    """The Secret as it is created, for POST: without the template, which only server-side apply writes.

    So apply is the template's only owner, and what is taken out of the template goes from the Secret too.
    """
    return secret_object(client, issuer, SecretTemplate(), name, stamp, secret, pepper)


def secret_object(
    client: ApiClient,
    issuer: Issuer,
    template: SecretTemplate,
    name: str,
    stamp: Stamp,
    secret: bytes,
    pepper: Pepper,
) -> dict[str, Any]:
    """The whole Secret, for server-side apply: the only object that ever holds a secret."""
    data = {key: value.encode() for key, value in public_data(client, issuer).items()} | {CLIENT_SECRET_KEY: secret}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": CREDENTIALS_SECRET_TYPE,
        "metadata": {
            "name": name,
            "namespace": client.metadata.namespace,
            "labels": labels(template),
            "annotations": {
                **annotations(client, issuer, template),
                CREDENTIAL_ANNOTATION: stamp.to_json(stamp_mac(pepper, stamp, client.metadata.uid, secret)),
            },
            "ownerReferences": [_owner_reference(client)],
        },
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def _owner_reference(client: ApiClient) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ApiClient",
        "name": client.metadata.name,
        "uid": client.metadata.uid,
        "controller": True,
    }
