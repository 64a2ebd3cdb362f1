"""Whether the numbers of a public key (RFC 7518 section 6) make a key that can be used."""

import base64
import binascii
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from apiclients.resources.tokenissuer import KeyType, PublicKey

_RSA_BITS = range(2048, 8193)
_CURVES: Mapping[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_BASE64URL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def is_sound(key: PublicKey) -> bool:
    """Whether its numbers make a key. Raises ValueError if they do not."""
    match key.kty:
        case KeyType.RSA:
            numbers = rsa.RSAPublicNumbers(_number(key.e), _number(key.n))
            return numbers.public_key().key_size in _RSA_BITS
        case KeyType.EC:
            curve = _CURVES.get(key.crv or "")
            if curve is None:
                return False
            ec.EllipticCurvePublicNumbers(_number(key.x), _number(key.y), curve).public_key()
            return True
        case KeyType.OKP:
            if key.crv != "Ed25519":
                return False
            ed25519.Ed25519PublicKey.from_public_bytes(_bytes(key.x))
            return True


def _number(text: str | None) -> int:
    return int.from_bytes(_bytes(text))


def _bytes(text: str | None) -> bytes:
    if not text or not text.isascii() or not set(text) <= _BASE64URL:
        raise ValueError("no base64url")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("no base64url") from error
