"""What somebody presented who was refused: a client id, or a token, whose claims are read and shown without the token.

The signature is not checked: only the gate has the keys. So what is read here is what the token says of itself.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any

from apiclients.lifecycle.access import TokenClaims
from apiclients.lifecycle.revocations import fingerprint

#: What is read of a token at most; the gate takes no longer one.
MAX_TOKEN_BYTES = 32 * 1024
_CLIENT_ID = re.compile(r"(?P<namespace>[a-z0-9-]{1,63})\.(?P<name>[a-z0-9.-]{1,63})\.(?P<uid>[0-9a-z-]{8})")
_API = re.compile(r"(?P<issuer>.+)/apis/(?P<namespace>[a-z0-9-]{1,63})/(?P<name>[a-z0-9.-]{1,63})")


class NotReadableError(ValueError):
    """It is neither; the message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Presented:
    """Whose it is."""

    client_id: str
    namespace: str
    name: str
    #: The first characters of the client's UID.
    uid: str
    token: TokenClaims | None = None
    issuer: str = ""
    audiences: tuple[str, ...] = field(default=())
    scopes: tuple[str, ...] = field(default=())

    @property
    def apis(self) -> tuple[tuple[str, str], ...]:
        """Namespace and name of the Apis that a token is for."""
        found = (_API.fullmatch(audience) for audience in self.audiences)
        return tuple((m["namespace"], m["name"]) for m in found if m is not None and m["issuer"] == self.issuer)


def looks_like_token(text: str) -> bool:
    """Whether a word of a command line is a token, which has no place there."""
    return text.count(".") == 2 and text.startswith("eyJ")


def client_id(text: str) -> Presented:
    """A client id in its parts. Raises NotReadableError."""
    found = _CLIENT_ID.fullmatch(text)
    if found is None:
        raise NotReadableError(
            "that is no client id, which is NAMESPACE.NAME.UID with the first 8 characters of the UID"
        )
    return Presented(text, found["namespace"], found["name"], found["uid"])


def token(text: str) -> Presented:
    """A token as it says of itself. Raises NotReadableError, which quotes nothing of it."""
    words = text.split()
    bare = words[-1] if words and words[:-1] in ([], ["Bearer"], ["Authorization:", "Bearer"]) else ""
    parts = bare.split(".")
    if len(bare) > MAX_TOKEN_BYTES or len(parts) != 3:
        raise NotReadableError("that is no JWT: a token has three parts with dots between them")
    claims = _claims(parts[1])
    texts = [claims.get(name) for name in ("client_id", "uid", "iss", "scope")]
    times = [claims.get(name) for name in ("iat", "exp")]
    if not all(type(one) is str for one in texts) or not all(type(one) is int for one in times):
        raise NotReadableError("that is no access token of a gate: client_id, uid, iss, scope, iat or exp is missing")
    owner = client_id(claims["client_id"])
    aud = claims.get("aud")
    audiences = tuple(one for one in (aud if isinstance(aud, list) else [aud]) if isinstance(one, str))
    read = TokenClaims(claims["uid"], claims["iat"], claims["exp"], fingerprint(bare.encode()))
    scopes = tuple(claims["scope"].split())
    return Presented(owner.client_id, owner.namespace, owner.name, owner.uid, read, claims["iss"], audiences, scopes)


def _claims(part: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotReadableError("that is no JWT: its second part holds no claims")
    return found
