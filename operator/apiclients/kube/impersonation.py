"""Acting as somebody else: what a kubeconfig or a person says, as the headers that the API server takes.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from apiclients.kube.errors import ConfigurationError

#: What may stand in the name of a header (RFC 9110 section 5.6.2), beside letters, digits and what is safe in a URL.
_TOKEN = "!#$&'*+-.^_`|~"


@dataclass(frozen=True, slots=True)
class Impersonation:
    """Whom to act as; nobody by default."""

    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, user: Mapping[str, Any]) -> Self:
        """From a user of a kubeconfig. Raises ConfigurationError."""
        groups, extra = user.get("as-groups") or [], user.get("as-user-extra") or {}
        if not isinstance(groups, list) or not isinstance(extra, dict):
            raise ConfigurationError("the kubeconfig's as-groups is no list, or its as-user-extra no mapping to lists")
        return cls(
            user=str(user.get("as") or ""),
            uid=str(user.get("as-uid") or ""),
            groups=tuple(str(group) for group in groups),
            extra={str(key): tuple(str(value) for value in values or []) for key, values in extra.items()},
        )

    def over(self, other: Impersonation) -> Impersonation:
        """This one, with the other's parts where it says nothing: as kubectl's options go over the kubeconfig."""
        return Impersonation(
            user=self.user or other.user,
            uid=self.uid or other.uid,
            groups=self.groups or other.groups,
            extra=self.extra or other.extra,
        )

    def headers(self) -> list[tuple[str, str]]:
        """What is sent with each request. Raises ConfigurationError."""
        found = list(self._headers())
        if found and not self.user:
            raise ConfigurationError("a UID, groups or extra fields are given to act with, and no user (as, --as)")
        if any(not value.isprintable() for _, value in found):
            raise ConfigurationError("the user, UID, group or extra field to act as holds a control character")
        return found

    def _headers(self) -> Iterator[tuple[str, str]]:
        if self.user:
            yield "Impersonate-User", self.user
        if self.uid:
            yield "Impersonate-Uid", self.uid
        for group in self.groups:
            yield "Impersonate-Group", group
        for key, values in self.extra.items():
            for value in values:
                yield f"Impersonate-Extra-{quote(key, safe=_TOKEN)}", value
