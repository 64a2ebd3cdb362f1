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
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature

from apiclients.gate.signing import LoadedKey, encode
from apiclients.lifecycle.access import MAX_TOKEN_SECONDS, TokenClaims

#: Ours are about 600 bytes (ES256) or 850 (RS256), and 80 to 200 more for each Api that they are for.
MAX_TOKEN_BYTES = 32 * 1024
#: How many tokens of up to :data:`_WEIGHT_BYTES` the cache holds; one of twice the size takes two places.
CACHE_SIZE = 10_000
_WEIGHT_BYTES = 1024

#: Far beyond any date, and exactly representable everywhere (RFC 8259 section 6).
_MAX_TIME = 2**53
_STRINGS = ("sub", "client_id", "jti", "uid")


class Fault(StrEnum):
    """Why a byte string is no access token of ours; the label ``reason`` of the gate's metrics."""

    MALFORMED = "malformed"
    UNKNOWN_HEADER = "unknown_header"
    BAD_SIGNATURE = "bad_signature"
    BAD_CLAIMS = "bad_claims"


class InvalidTokenError(Exception):
    """The byte string is no access token of ours."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a token with a good signature says."""

    claims: TokenClaims
    subject: str
    client_id: str
    scope: str
    scopes: tuple[str, ...]
    token_id: str
    audience: str | tuple[str, ...]

    def is_for(self, audience: str) -> bool:
        """Whether ``aud`` names it (RFC 7519 section 4.1.3)."""
        found = self.audience
        return audience == found if isinstance(found, str) else audience in found


class Verifier:
    """Verifies tokens of one issuer against one set of keys. Another set gets another verifier, with an empty cache."""

    def __init__(self, issuer: str, keys: Mapping[str, LoadedKey], cache_size: int = CACHE_SIZE) -> None:
        self._issuer = issuer
        self._keys = {key.header: key for key in keys.values()}
        self.cache = SignatureCache(cache_size)

    def verify(self, token: bytes) -> VerifiedToken:
        """What the token says; from the cache if its signature was verified before. Raises InvalidTokenError."""
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidTokenError(Fault.MALFORMED)
        fingerprint = sha256(token).digest()
        known = self.cache.get(fingerprint)
        if known is None:
            known = self.verify_uncached(token)
            self.cache.put(fingerprint, known, 1 + len(token) // _WEIGHT_BYTES)
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
        return read_claims(payload, self._issuer)


def _decode(part: bytes) -> bytes:
    """base64url as we write it: no padding, no foreign characters, no stray bits (RFC 7515 section 2)."""
    try:
        raw = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise InvalidTokenError(Fault.MALFORMED) from None
    if encode(raw) != part:
        raise InvalidTokenError(Fault.MALFORMED)
    return raw


def read_claims(payload: bytes, issuer: str) -> VerifiedToken:
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
        claims=TokenClaims(uid=claims["uid"], issued_at=claims["iat"], expires=claims["exp"]),
        subject=claims["sub"],
        client_id=claims["client_id"],
        scope=claims["scope"],
        scopes=tuple(filter(None, claims["scope"].split(" "))),
        token_id=claims["jti"],
        audience=_audience(claims.get("aud"), issuer),
    )


def _audience(claimed: Any, issuer: str) -> str | tuple[str, ...]:
    """The issuer and Apis, one or several; whether the right one is among them depends on who asks."""
    audiences = tuple(claimed) if isinstance(claimed, list) else (claimed,)
    apis = f"{issuer}/apis/"
    for one in audiences:
        if type(one) is not str or not (one == issuer or one.startswith(apis)) or not _printable(one):
            raise InvalidTokenError(Fault.BAD_CLAIMS)
    if not audiences:
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


class SignatureCache:
    """Fingerprints of tokens whose signature was verified, and what they say: two generations, the older one dropped.

    Bounded by weight; failures are never in it, so nobody without a key of ours can fill it.
    """

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[bytes, tuple[VerifiedToken, int]] = {}
        self._old: dict[bytes, tuple[VerifiedToken, int]] = {}
        self._weight = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, fingerprint: bytes) -> VerifiedToken | None:
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

    def put(self, fingerprint: bytes, token: VerifiedToken, weight: int = 1) -> None:
        """Remember a token whose signature has been verified."""
        if self._weight and self._weight + weight > self._half:
            self._old, self._young, self._weight = self._young, {}, 0
        self._young[fingerprint] = (token, weight)
        self._weight += weight
