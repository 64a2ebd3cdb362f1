"""The key ring made ready for use: signing access tokens and publishing the keys that verify them.

Tokens are JWTs in compact form (RFC 7515, RFC 7519) of type ``at+jwt`` (RFC 9068). Each key writes exactly one header,
so the header's bytes name the key, the algorithm and the type at once, and a verifier has nothing to interpret.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from apiclients.lifecycle.digests import digest
from apiclients.lifecycle.keys import signing_key
from apiclients.resources.keys import Algorithm, KeyRing, SigningKey

#: Access tokens and nothing else (RFC 9068 section 2.1).
TOKEN_TYPE = "at+jwt"

_PEPPER = re.compile(r"[A-Za-z0-9_-]{43}=?")
_COORDINATE_BYTES = 32
#: The order of the curve P-256 (SEC 2, section 2.4.2). With (r, s) also (r, order - s) is a signature of the same data.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_HIGHEST_S = _P256_ORDER // 2
_MIN_RSA_BITS = 2048


class DamagedKeysError(ValueError):
    """The key ring cannot be used. The message holds nothing of a key."""


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """One signing key, parsed. ``verify`` takes signature and data and raises InvalidSignature."""

    kid: str
    header: bytes
    jwk: Mapping[str, str]
    sign: Callable[[bytes], bytes]
    verify: Callable[[bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class LoadedRing:
    """A key ring, parsed."""

    ring: KeyRing
    keys: Mapping[str, LoadedKey]
    #: The JWKS document (RFC 7517 section 5). Keys that are not active yet are in it: everyone has them by then.
    jwks: bytes

    def sign(self, claims: Mapping[str, Any], now: float) -> str:
        """An access token with these claims, signed by the key whose turn it is."""
        key = self.keys[signing_key(self.ring, datetime.fromtimestamp(now, UTC)).kid]
        data = key.header + b"." + encode(orjson.dumps(claims))
        return (data + b"." + encode(key.sign(data))).decode()

    def digests(self, secret: bytes) -> dict[str, str]:
        """The digests of a presented secret under every pepper, by pepper id (rule 19)."""
        return {pepper.id: digest(pepper, secret) for pepper in self.ring.peppers}


def encode(raw: bytes) -> bytes:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def load_ring(ring: KeyRing) -> LoadedRing:
    """Parse every key of a ring. Raises :class:`DamagedKeysError`: a ring is used whole or not at all."""
    if not ring.signing_keys or not ring.peppers:
        raise DamagedKeysError("the key ring has no signing key or no pepper")
    keys = {key.kid: _load_key(key) for key in ring.signing_keys}
    if len(keys) != len(ring.signing_keys) or len({p.id for p in ring.peppers}) != len(ring.peppers):
        raise DamagedKeysError("the key ring names two keys alike")
    if not all(_PEPPER.fullmatch(pepper.key) for pepper in ring.peppers):
        raise DamagedKeysError("a pepper of the key ring is not 256 bits in base64url")
    return LoadedRing(ring, keys, orjson.dumps({"keys": [dict(key.jwk) for key in keys.values()]}))


def token_header(key: SigningKey) -> bytes:
    """The one header, encoded, that tokens of this key carry."""
    return encode(orjson.dumps({"alg": key.algorithm.value, "kid": key.kid, "typ": TOKEN_TYPE}))


def _load_key(key: SigningKey) -> LoadedKey:
    try:
        private = load_pem_private_key(key.private_key.encode(), None)
    except Exception:  # whatever is wrong with it; the cause may quote the key
        raise DamagedKeysError(f"signing key {key.kid} is not an unencrypted PKCS #8 private key") from None
    if key.algorithm is Algorithm.ES256 and isinstance(private, EllipticCurvePrivateKey):
        return _load_es256(key, private)
    if key.algorithm is Algorithm.RS256 and isinstance(private, RSAPrivateKey) and private.key_size >= _MIN_RSA_BITS:
        return _load_rs256(key, private)
    raise DamagedKeysError(f"signing key {key.kid} is no key for {key.algorithm}")


def _load_es256(key: SigningKey, private: EllipticCurvePrivateKey) -> LoadedKey:
    """ECDSA with P-256 and SHA-256; a signature is the two numbers, 32 bytes each (RFC 7518 section 3.4).

    Of the two that go with each r only the one with the lower s is written, and nothing else is accepted of a key that
    is for it: a token then has one spelling. With older keys gates wrote both.
    """
    if not isinstance(private.curve, SECP256R1):
        raise DamagedKeysError(f"signing key {key.kid} is not on the curve P-256")
    public, algorithm = private.public_key(), ECDSA(SHA256())
    numbers = public.public_numbers()

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(data, algorithm))
        return _coordinate(r) + _coordinate(min(s, _P256_ORDER - s))

    def verify(signature: bytes, data: bytes) -> None:
        if len(signature) != 2 * _COORDINATE_BYTES:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:_COORDINATE_BYTES]), int.from_bytes(signature[_COORDINATE_BYTES:])
        if key.low_s and s > _HIGHEST_S:
            raise InvalidSignature
        public.verify(encode_dss_signature(r, s), data, algorithm)

    jwk = {"kty": "EC", "crv": "P-256", "x": _text(_coordinate(numbers.x)), "y": _text(_coordinate(numbers.y))}
    return LoadedKey(key.kid, token_header(key), jwk | _common(key), sign, verify)


def _load_rs256(key: SigningKey, private: RSAPrivateKey) -> LoadedKey:
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3), which RFC 9068 obliges resource servers to know."""
    public, padding, algorithm = private.public_key(), PKCS1v15(), SHA256()
    numbers = public.public_numbers()

    def sign(data: bytes) -> bytes:
        return private.sign(data, padding, algorithm)

    def verify(signature: bytes, data: bytes) -> None:
        public.verify(signature, data, padding, algorithm)

    jwk = {"kty": "RSA", "n": _text(_integer(numbers.n)), "e": _text(_integer(numbers.e))}
    return LoadedKey(key.kid, token_header(key), jwk | _common(key), sign, verify)


def _common(key: SigningKey) -> dict[str, str]:
    return {"kid": key.kid, "alg": key.algorithm.value, "use": "sig"}


def _coordinate(number: int) -> bytes:
    return number.to_bytes(_COORDINATE_BYTES)


def _integer(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _text(raw: bytes) -> str:
    return encode(raw).decode()
