"""Keyed digests of secrets, so that nobody but the Secret holds a secret (DESIGN rules 7, 19, 23).

A generated secret has 256 bits of entropy, so one HMAC is enough; a slow hash would only make the token endpoint easy
to exhaust.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

import orjson

from apiclients.resources.fields import format_time, parse_time
from apiclients.resources.keys import Pepper


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the annotation of a credentials Secret says of the credential in it.

    It carries all that status needs, so that a credential whose status was never written can be taken over exactly as
    it was issued.
    """

    id: int
    issued_time: datetime
    expires_time: datetime
    revision: int
    cause: str
    rotate_request: str | None = None

    def to_json(self, mac: str) -> str:
        """The annotation's value."""
        return orjson.dumps(self._fields() | {"mac": mac}).decode()

    @classmethod
    def from_json(cls, text: str) -> tuple["Stamp", str]:
        """A stamp and its MAC from an annotation. Raises ValueError for anything that no operator wrote."""
        try:
            fields = orjson.loads(text)
            stamp = cls(
                id=int(fields["id"]),
                issued_time=parse_time(fields["issued"]),
                expires_time=parse_time(fields["expires"]),
                revision=int(fields["revision"]),
                cause=str(fields["cause"]),
                rotate_request=fields.get("rotateRequest"),
            )
            mac = str(fields["mac"])
            canonical = stamp.to_json(mac) == text
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a credential annotation") from error
        if not canonical:
            raise ValueError("not written by an operator")
        return stamp, mac

    def _fields(self) -> dict[str, object]:
        return {
            "id": self.id,
            "issued": format_time(self.issued_time),
            "expires": format_time(self.expires_time),
            "revision": self.revision,
            "cause": self.cause,
            "rotateRequest": self.rotate_request,
        }

    def signed_bytes(self, uid: str, secret: bytes) -> bytes:
        """What the MAC covers: the UID, every field of the stamp, and the secret."""
        return orjson.dumps([uid, self._fields(), secret.hex()])


def digest(pepper: Pepper, secret: bytes) -> str:
    """HMAC-SHA-256 of a secret, in hex: what status holds and the gate compares."""
    return _hmac(pepper, b"secret\0", secret)


def stamp_mac(pepper: Pepper, stamp: Stamp, uid: str, secret: bytes) -> str:
    """MAC of a stamp, in hex: proves that an operator with this pepper issued this secret for this UID."""
    return _hmac(pepper, b"stamp\0", stamp.signed_bytes(uid, secret))


def same_digest(left: str, right: str) -> bool:
    """Compare without telling by time where they differ."""
    return hmac.compare_digest(left.encode(), right.encode())


def _hmac(pepper: Pepper, domain: bytes, message: bytes) -> str:
    # The domain keeps a digest from ever serving as a MAC and the other way round.
    key = base64.urlsafe_b64decode(pepper.key + "=" * (-len(pepper.key) % 4))
    return hmac.new(key, domain + message, hashlib.sha256).hexdigest()
