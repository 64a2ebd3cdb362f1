"""The strict verifier: is this byte string an access token that one of our keys signed?

Only we sign, and we write each token in one way. So nothing is interpreted before the signature is verified: the header
is looked up as a whole among the few that we write, which leaves no room for ``alg``, ``jwk``, ``crit`` or ``b64``
chosen by an attacker, and every part must be encoded as we encode it. RFC 8725 (JWT best current practices) is met by
there being no choice.

Whether the token is accepted *now* is not asked here but of ``lifecycle.access``, on every request: verified signatures
are cached, decisions never (rule 18).
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Generic, TypeVar

import orjson
from cryptography.exceptions import InvalidSignature

from apiclients.gate.tokens.signing import LoadedKey, encode
from apiclients.lifecycle.access import MAX_TOKEN_SECONDS, TokenClaims
from apiclients.lifecycle.revocations import fingerprint

#: What is issued, verified and introspected at most. Ours are about 600 bytes (ES256) or 850 (RS256), and 80 to 200
#: more for each Api that they are for.
MAX_TOKEN_BYTES = 32 * 1024
#: How many tokens of up to :data:`WEIGHT_BYTES` the cache holds; one of twice the size takes two places.
CACHE_SIZE = 10_000
WEIGHT_BYTES = 1024

#: Far beyond any date, and exactly representable everywhere (RFC 8259 section 6).
_MAX_TIME = 2**53
_STRINGS = ("sub", "client_id", "jti", "uid")


class Fault(StrEnum):
    """Why a byte string is no access token, ours or a trusted issuer's; the label ``reason`` of the gate's metrics."""

    MALFORMED = "malformed"
    UNKNOWN_HEADER = "unknown_header"
    BAD_SIGNATURE = "bad_signature"
    BAD_CLAIMS = "bad_claims"
    BAD_HEADER = "bad_header"
    UNKNOWN_KEY = "unknown_key"
    WRONG_USE = "wrong_use"


class InvalidTokenError(Exception):
    """The byte string is no access token of ours."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Foreign:
    """What is told of a token of a trusted issuer as that issuer wrote it."""

    issuer: str
    audiences: tuple[str, ...]
    #: It names an audience of the TokenIssuer, and so is for every Api.
    everywhere: bool


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a token with a good signature says."""

    claims: TokenClaims
    subject: str
    client_id: str
    scope: str
    #: None where the contract decides alone: of trusted issuers whose scopes are not looked at.
    scopes: tuple[str, ...] | None
    token_id: str
    audience: str | tuple[str, ...]
    #: Of which trusted issuer it is, where it is not ours.
    foreign: "Foreign | None" = None

    def is_for(self, audience: str) -> bool:
        """Whether ``aud`` names it (RFC 7519 section 4.1.3), or an audience that stands for all of ours."""
        found = self.audience
        if isinstance(found, str):
            return audience == found
        return audience in found or (self.foreign is not None and self.foreign.everywhere)


class Verifier:
    """Verifies tokens of one issuer against one set of keys. Another set gets another verifier, with an empty cache."""

    def __init__(self, issuer: str, keys: Mapping[str, LoadedKey], cache_size: int = CACHE_SIZE) -> None:
        self._issuer = issuer
        self._keys = {key.header: key for key in keys.values()}
        self.cache: SignatureCache[VerifiedToken] = SignatureCache(cache_size)

    def verify(self, token: bytes) -> VerifiedToken:
        """What the token says; from the cache if its signature was verified before. Raises InvalidTokenError."""
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidTokenError(Fault.MALFORMED)
        spelling = sha256(token).digest()
        known = self.cache.get(spelling)
        if known is None:
            known = self.verify_uncached(token)
            self.cache.put(spelling, known, 1 + len(token) // WEIGHT_BYTES)
        return known

    def verify_uncached(self, token: bytes) -> VerifiedToken:
        """The whole check: three parts, a header that we write, its key's signature, and then the claims."""
        parts = token.split(b".", 3)
        if len(parts) != 3:
            raise InvalidTokenError(Fault.MALFORMED)
        key = self._keys.get(parts[0])
        if key is None:
            raise InvalidTokenError(Fault.UNKNOWN_HEADER)
        payload, signature = _decode(parts[1]), _decode(parts[2])
        try:
            key.verify(signature, token[: -len(parts[2]) - 1])
        except InvalidSignature:
            raise InvalidTokenError(Fault.BAD_SIGNATURE) from None
        return read_claims(payload, self._issuer, fingerprint(token))


def _decode(part: bytes) -> bytes:
    """base64url as we write it: no padding, no foreign characters, no stray bits (RFC 7515 section 2)."""
    try:
        raw = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise InvalidTokenError(Fault.MALFORMED) from None
    if encode(raw) != part:
        raise InvalidTokenError(Fault.MALFORMED)
    return raw


def read_claims(payload: bytes, issuer: str, fingerprint: str = "") -> VerifiedToken:
    """The claims of RFC 9068 section 2.2, all there and of the right type, for our issuer.

    The payload must be what our serializer makes of it: that refuses repeated names, of which parsers keep one or the
    other, and numbers that no two parsers read alike.
    """
    try:
        claims = orjson.loads(payload)
        canonical = orjson.dumps(claims) == payload
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        raise InvalidTokenError(Fault.BAD_CLAIMS) from None
    if not canonical or not isinstance(claims, dict) or claims.get("iss") != issuer or not _well_formed(claims):
        raise InvalidTokenError(Fault.BAD_CLAIMS)
    return VerifiedToken(
        claims=TokenClaims(claims["uid"], claims["iat"], claims["exp"], fingerprint),
        subject=claims["sub"],
        client_id=claims["client_id"],
        scope=claims["scope"],
        scopes=tuple(filter(None, claims["scope"].split(" "))),
        token_id=claims["jti"],
        audience=_audience(claims.get("aud"), issuer),
    )


def _audience(claimed: Any, issuer: str) -> str | tuple[str, ...]:
    """The issuer and Apis, by which decisions are made, and public URLs of Apis, which are for others that verify."""
    audiences = tuple(claimed) if isinstance(claimed, list) else (claimed,)
    if not all(type(one) is str and _printable(one) for one in audiences):
        raise InvalidTokenError(Fault.BAD_CLAIMS)
    if not any(one == issuer or one.startswith(f"{issuer}/apis/") for one in audiences):
        raise InvalidTokenError(Fault.BAD_CLAIMS)
    return audiences if isinstance(claimed, list) else audiences[0]


def _well_formed(claims: dict[str, Any]) -> bool:
    """Types and ranges. ``type() is int`` because True is an int too; text is printable, for it ends up in headers."""
    issued, expires, scope = claims.get("iat"), claims.get("exp"), claims.get("scope")
    if type(issued) is not int or type(expires) is not int or type(scope) is not str:
        return False
    if not 0 < issued < expires <= min(issued + MAX_TOKEN_SECONDS, _MAX_TIME):
        return False
    texts = [claims.get(name) for name in _STRINGS]
    if not all(type(text) is str and text and _printable(text) for text in texts) or not _printable(scope):
        return False
    return bool(claims["sub"] == claims["client_id"])


def _printable(text: str) -> bool:
    return text.isascii() and (not text or text.isprintable())


T = TypeVar("T")


class SignatureCache(Generic[T]):
    """Fingerprints of tokens whose signature was verified, and what they say: two generations, the older one dropped.

    Bounded by weight; failures are never in it, so nobody without a trusted key can fill it.
    """

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[bytes, tuple[T, int]] = {}
        self._old: dict[bytes, tuple[T, int]] = {}
        self._weight = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, fingerprint: bytes) -> T | None:
        """The token, if its signature was verified before."""
        found = self._young.get(fingerprint)
        if found is None:
            found = self._old.pop(fingerprint, None)
            if found is None:
                self.misses += 1
                return None
            self.put(fingerprint, *found)
        self.hits += 1
        return found[0]

    def put(self, fingerprint: bytes, token: T, weight: int = 1) -> None:
        """Remember a token whose signature has been verified."""
        if self._weight and self._weight + weight > self._half:
            self._old, self._young, self._weight = self._young, {}, 0
        self._young[fingerprint] = (token, weight)
        self._weight += weight
