"""Credentials Secrets by who owns them, and clients by the Secret that they expect."""

from collections.abc import Iterator
from typing import TypeVar

from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.observation import SecretMetadata
from apiclients.resources.refs import NamespacedName

K = TypeVar("K")
V = TypeVar("V")


class SecretIndex:
    """Metadata of Secrets. A Secret concerns the client that owns it, and every client that expects its name."""

    def __init__(self) -> None:
        #: By namespace and the owner's UID: an owner is in the namespace of what it owns, whatever UID is named there.
        self._by_owner: dict[tuple[str, str], dict[str, SecretMetadata]] = {}
        self._expected_by: dict[NamespacedName, dict[str, None]] = {}

    def copy(self) -> "SecretIndex":
        """Another index with the same Secrets, which can change on its own."""
        other = SecretIndex()
        other._by_owner = {owner: dict(secrets) for owner, secrets in self._by_owner.items()}
        other._expected_by = {key: dict(clients) for key, clients in self._expected_by.items()}
        return other

    def of_owner(self, namespace: str, uid: str) -> Iterator[SecretMetadata]:
        """The Secrets that a client owns."""
        return iter(tuple(self._by_owner.get((namespace, uid), {}).values()))

    def put(self, old: SecretMetadata | None, new: SecretMetadata | None) -> list[NamespacedName]:
        """Take in a Secret as it is now, None for one that is gone; returns the clients that it concerns."""
        if old is not None and old.owner is not None:
            _discard(self._by_owner, (old.namespace, old.owner.uid), old.name)
        if new is not None and new.owner is not None:
            self._by_owner.setdefault((new.namespace, new.owner.uid), {})[new.name] = new
        concerned: dict[NamespacedName, None] = {}
        for secret in (old, new):
            if secret is not None:
                expecting = self._expected_by.get((secret.namespace, secret.name), {})
                names = [*([secret.owner.name] if secret.owner is not None else []), *expecting]
                concerned |= {(secret.namespace, name): None for name in names}
        return list(concerned)

    def put_client(self, key: NamespacedName, old: ClientView | None, new: ClientView | None) -> None:
        """Take in which Secret a client expects."""
        before, after = old.secret_name if old is not None else "", new.secret_name if new is not None else ""
        if before == after:
            return
        if before:
            _discard(self._expected_by, (key[0], before), key[1])
        if after:
            self._expected_by.setdefault((key[0], after), {})[key[1]] = None


def _discard(groups: dict[K, dict[str, V]], group: K, name: str) -> None:
    members = groups.get(group)
    if members is None:
        return
    members.pop(name, None)
    if not members:
        del groups[group]
