"""TokenIssuers, and who claims which subjects of them: a look-up each, however many there are."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.identities import IdentityKey, IdentityView, ObservedIdentities
from apiclients.lifecycle.issuers import IssuerView
from apiclients.resources.refs import NamespacedName

K = TypeVar("K")
V = TypeVar("V")


class IdentityIndex:
    """Claims of all clients by what they claim, and TokenIssuers by name."""

    def __init__(self) -> None:
        self._issuers: dict[str, IssuerView] = {}
        self._claims: dict[IdentityKey, dict[NamespacedName, IdentityView]] = {}
        #: By the name of a TokenIssuer, also of one that is not there: whose clients name it.
        self._naming: dict[str, dict[NamespacedName, None]] = {}

    def copy(self) -> "IdentityIndex":
        """Another index with the same claims, which can change on its own."""
        other = IdentityIndex()
        other._issuers = dict(self._issuers)
        other._claims = {key: dict(claims) for key, claims in self._claims.items()}
        other._naming = {name: dict(clients) for name, clients in self._naming.items()}
        return other

    def issuer(self, name: str) -> IssuerView | None:
        """One TokenIssuer."""
        return self._issuers.get(name)

    def issuers(self) -> Iterable[IssuerView]:
        """All TokenIssuers."""
        return self._issuers.values()

    def naming(self, issuer: str) -> list[NamespacedName]:
        """The clients with identities of a TokenIssuer."""
        return list(self._naming.get(issuer, ()))

    def not_in_force(self) -> list[NamespacedName]:
        """The clients with claims that are not in force."""
        views = (item for claims in self._claims.values() for item in claims.items())
        return list(dict.fromkeys(key for key, view in views if view.since is None))

    def claims(self, key: IdentityKey) -> Iterable[IdentityView]:
        """Who claims a subject of an issuer, in force or not."""
        return self._claims.get(key, {}).values()

    def observed(
        self, client: NamespacedName, claims: Iterable[IdentityView], unreadable: frozenset[str]
    ) -> ObservedIdentities:
        """What a decision about these claims looks at; in ``unreadable`` namespaces are clients that cannot be read."""
        claims = tuple(claims)
        named = {claim.issuer: self._issuers.get(claim.issuer) for claim in claims}
        issuers = {name: view for name, view in named.items() if view is not None and not view.deleting}
        return ObservedIdentities(issuers, tuple(self._rivals(client, claims)), unreadable)

    def _rivals(self, client: NamespacedName, claims: Iterable[IdentityView]) -> Iterator[IdentityView]:
        for claim in claims:
            yield from (view for key, view in self._claims.get(claim.key, {}).items() if key != client)

    def put_client(
        self, key: NamespacedName, old: ClientView | None, new: ClientView | None
    ) -> dict[NamespacedName, None]:
        """Take in what a client claims; returns other clients whose claims may count otherwise now."""
        before, after = old.identities if old is not None else (), new.identities if new is not None else ()
        if before == after:
            return {}
        for claim in before:
            _discard(self._claims, claim.key, key)
            _discard(self._naming, claim.issuer, key)
        for claim in after:
            self._claims.setdefault(claim.key, {})[key] = claim
            self._naming.setdefault(claim.issuer, {})[key] = None
        changed = {claim.key: None for claim in (*before, *after) if claim not in before or claim not in after}
        return {other: None for one in changed for other in self._claims.get(one, {}) if other != key}

    def put_issuer(self, name: str, new: IssuerView | None) -> tuple[list[NamespacedName], list[str]]:
        """Take in a TokenIssuer; returns the clients that name it, and other TokenIssuers for the same issuer."""
        old = self._issuers.pop(name, None)
        if new is not None:
            self._issuers[name] = new
        clients = list(self._naming.get(name, ())) if _grants(old) != _grants(new) else []
        claimed = {view.claimed for view in (old, new) if view is not None} if _stands(old) != _stands(new) else set()
        return clients, [one.name for one in self._issuers.values() if one.claimed in claimed and one.name != name]


def _grants(view: IssuerView | None) -> object:
    """What of a TokenIssuer decides about claims."""
    return None if view is None or view.deleting else (view.cluster, view.grants)


def _stands(view: IssuerView | None) -> object:
    """What of it decides about others for the same issuer."""
    return None if view is None or view.deleting else (view.claimed, view.created)


def _discard(groups: dict[K, dict[NamespacedName, V]], group: K, member: NamespacedName) -> None:
    members = groups.get(group)
    if members is None:
        return
    members.pop(member, None)
    if not members:
        del groups[group]
