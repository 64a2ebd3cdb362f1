"""Credentials Secrets, imagined: what is known of each without reading one. There are no bytes anywhere here."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace

from apiclients.lifecycle.credentials import current
from apiclients.lifecycle.digests import Stamp
from apiclients.lifecycle.manifest import annotations, labels
from apiclients.lifecycle.observation import (
    Issuer,
    Owner,
    SecretAbsent,
    SecretMetadata,
    SecretRead,
    SecretSeen,
    SecretUnseen,
    client_as_owner,
)
from apiclients.lifecycle.steps import CreateSecret, DeleteSecret, ReadSecret, RepairSecret, ReplaceSecret, SecretStep
from apiclients.lifecycle.template import DEFAULT_TEMPLATE_KEYS, permitted
from apiclients.resources.conditions import ConditionType, Reason
from apiclients.resources.names import CREDENTIALS_SECRET_TYPE
from apiclients.resources.objects import ApiClient
from apiclients.resources.refs import NamespacedName

#: No decision that plan reports depends on the issuer's URL.
ISSUER = Issuer("https://issuer.invalid")
_PEPPER = "assumed"
_NO_LABELS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Stored:
    metadata: SecretMetadata
    stamp: Stamp | None


@dataclass(slots=True)
class SecretShelf:
    """The Secrets of all clients, by namespace and name."""

    _stored: dict[NamespacedName, _Stored] = field(default_factory=dict)
    _version: int = 0

    def copy(self) -> "SecretShelf":
        """Another shelf with the same Secrets."""
        other = copy(self)
        other._stored = dict(self._stored)
        return other

    def assume(self, client: ApiClient) -> None:
        """Put down the Secret that a live client's status speaks of; it is taken to be as the operator left it."""
        known = current(client.status.credentials)
        name = client.status.secret.name if client.status.secret is not None else client.secret_name
        conflict = _has_conflict(client)
        if conflict:  # somebody else's Secret is in the way
            self._stored[_key(client, client.secret_name)] = _Stored(self._metadata(client, None), None)
        if known is None or (conflict and name == client.secret_name):
            return
        version = client.status.secret.resource_version if client.status.secret is not None else "1"
        stamp = Stamp(
            known.id,
            known.issued_time,
            known.expires_time,
            known.revision,
            known.cause,
            client.status.last_handled_rotate_request,
        )
        metadata = replace(
            self._metadata(client, client_as_owner(client.metadata)), name=name, resource_version=version
        )
        self._stored[_key(client, name)] = _Stored(metadata, stamp)

    def seen(self, client: ApiClient) -> SecretSeen:
        """What the operator's cache would show under the name of the client's Secret."""
        found = self._stored.get(_key(client, client.secret_name))
        return found.metadata if found is not None else SecretUnseen()

    def others(self, client: ApiClient) -> tuple[SecretMetadata, ...]:
        """Secrets of this client under other names."""
        status = client.status.secret
        if status is None or status.name == client.secret_name:
            return ()
        found = self._stored.get(_key(client, status.name))
        return (found.metadata,) if found is not None and _owns(client, found) else ()

    def collect(self, client: ApiClient) -> None:
        """Garbage collection: with a client its Secrets go."""
        for key, stored in list(self._stored.items()):
            if key[0] == client.metadata.namespace and _owns(client, stored):
                del self._stored[key]

    def do(self, step: SecretStep, client: ApiClient) -> SecretSeen:
        """Do a step of the operator and say what the Secret is now."""
        key = _key(client, step.name)
        match step:
            case ReadSecret():
                pass
            case CreateSecret(stamp=stamp):
                if key not in self._stored:
                    self._write(client, step.name, stamp)
            case ReplaceSecret(stamp=stamp) | RepairSecret(stamp=stamp):
                self._write(client, step.name, stamp)
            case DeleteSecret():
                self._stored.pop(key, None)
        return self._read(client, key)

    def _read(self, client: ApiClient, key: NamespacedName) -> SecretSeen:
        found = self._stored.get(key)
        if found is None:
            return SecretAbsent()
        known = current(client.status.credentials)
        same = found.stamp is not None and known is not None and known.id == found.stamp.id
        return SecretRead(
            metadata=found.metadata,
            type=CREDENTIALS_SECRET_TYPE,
            immutable=False,
            digests={pepper(client): known.digest if same and known else ""},
            stamp=found.stamp,
            public_data_right=True,
            genuine=True,
        )

    def _write(self, client: ApiClient, name: str, stamp: Stamp) -> None:
        metadata = replace(self._metadata(client, client_as_owner(client.metadata)), name=name)
        self._stored[_key(client, name)] = _Stored(metadata, stamp)

    def _metadata(self, client: ApiClient, owner: Owner | None) -> SecretMetadata:
        self._version += 1
        template = permitted(client.spec.secret.template, DEFAULT_TEMPLATE_KEYS)
        return SecretMetadata(
            namespace=client.metadata.namespace,
            name=client.secret_name,
            uid=f"secret-of-{client.metadata.uid}",
            resource_version=f"plan-{self._version}",
            owner=owner,
            labels=labels(template) if owner else _NO_LABELS,
            annotations=annotations(client, ISSUER, template),
        )


def pepper(client: ApiClient) -> str:
    """The id of the pepper that keyed the client's digest."""
    known = current(client.status.credentials)
    return known.pepper if known is not None else _PEPPER


def _owns(client: ApiClient, stored: _Stored) -> bool:
    return stored.metadata.owner is not None and stored.metadata.owner.uid == client.metadata.uid


def _key(client: ApiClient, name: str) -> NamespacedName:
    return client.metadata.namespace, name


def _has_conflict(client: ApiClient) -> bool:
    ready = next((c for c in client.status.conditions if c.type == ConditionType.SECRET_READY), None)
    return ready is not None and ready.reason == Reason.SECRET_CONFLICT
