"""Protected resource metadata (RFC 9728): where the tokens for an Api come from.

It is answered for every name that an Api can have, so it tells of none whether it is there (rule 15), but for those
that have a public URL: that is what they have it for.
"""

import re

import orjson

from apiclients.gate.http.paths import RESOURCE_METADATA, well_known_places
from apiclients.gate.http.replies import JSON, NOT_FOUND, Reply, not_allowed
from apiclients.gate.state.access import AccessTable
from apiclients.lifecycle.apis import audience
from apiclients.resources.fields import NAME_PATTERN

_MAX_AGE = 300

_NAMESPACE = re.compile(rb"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(NAME_PATTERN.strip("^$").encode())
_MAX_NAME = 63


def api_names(text: bytes) -> tuple[str, str] | None:
    """Namespace and name of an Api, from ``<namespace>/<name>`` as it stands in a path; None if there can be none."""
    namespace, slash, name = text.partition(b"/")
    if not slash or len(name) > _MAX_NAME or not _NAMESPACE.fullmatch(namespace) or not _NAME.fullmatch(name):
        return None
    return namespace.decode(), name.decode()


def metadata_url(issuer: str, namespace: str, name: str) -> str:
    """Where the metadata of an Api are; below the issuer, so that whatever leads to the issuer leads there."""
    return f"{issuer}{RESOURCE_METADATA}/apis/{namespace}/{name}"


class ProtectedResources:
    """The documents of all Apis."""

    def __init__(self, issuer: str, access: AccessTable) -> None:
        self._issuer = issuer
        self._access = access
        self.prefixes = tuple(sorted(place + b"/apis/" for place in well_known_places(issuer, RESOURCE_METADATA)))

    def answer(self, method: str, path: bytes) -> Reply:
        """The document at a path with one of the prefixes."""
        prefix = max((one for one in self.prefixes if path.startswith(one)), key=len)
        names = api_names(path[len(prefix) :])
        if names is None:
            return NOT_FOUND
        if method not in {"GET", "HEAD"}:
            return not_allowed(b"GET", b"HEAD")
        document = {
            "resource": self._resource(*names),
            "authorization_servers": [self._issuer],
            "bearer_methods_supported": ["header"],
        }
        body = orjson.dumps(document)
        age = (b"cache-control", b"public, max-age=%d" % _MAX_AGE)
        return Reply(200, [JSON, age, (b"content-length", b"%d" % len(body))], body)

    def _resource(self, namespace: str, name: str) -> str:
        api = self._access.find(f"{namespace}/{name}".encode())
        return (api.public_url if api is not None else None) or audience(self._issuer, namespace, name)
