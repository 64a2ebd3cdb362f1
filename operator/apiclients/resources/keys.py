"""The key ring: what the keys Secret holds. The operator makes it, the gate reads it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from apiclients.resources.fields import Model, Time

#: The one key of the keys Secret's data; its value is a :class:`KeyRing` as JSON.
KEY_RING_KEY = "keyring.json"


#: A ring never holds more keys of a kind.
MAX_KEYS = 16


class Algorithm(StrEnum):
    """Signature algorithms of access tokens (RFC 7518). RFC 9068 asks for RS256; ES256 is smaller and the default."""

    ES256 = "ES256"
    RS256 = "RS256"


class SigningKey(Model):
    kid: Annotated[str, Field(min_length=1, max_length=63)]
    algorithm: Algorithm
    #: PKCS #8, PEM, not encrypted.
    private_key: Annotated[str, Field(max_length=8192, repr=False)]
    created_time: Time
    #: Signs from then on; published before, so that every verifier has it by then (DESIGN rule 25).
    active_from: Time
    #: Of its two ES256 signatures of the same data only the one with the lower s is accepted. Keys from before gates
    #: wrote no other do not have it.
    low_s: bool = False


class Pepper(Model):
    id: Annotated[str, Field(min_length=1, max_length=63)]
    #: 256 bits in base64url.
    key: Annotated[str, Field(min_length=43, max_length=64, repr=False)]
    created_time: Time


class KeyRing(Model):
    """Signing keys oldest first; the last pepper keys new digests."""

    signing_keys: Annotated[tuple[SigningKey, ...], Field(min_length=1, max_length=MAX_KEYS)]
    peppers: Annotated[tuple[Pepper, ...], Field(min_length=1, max_length=MAX_KEYS)]
