"""What an issuer publishes of itself: public keys (RFC 7517), and where they are (OpenID Connect Discovery 1.0).

Whatever is wrong is said without quoting it (DESIGN rule 31). What cannot be used is left out, what must not be there
refuses the whole.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from apiclients.resources.tokenissuer import MAX_ISSUER_KEYS, JwsAlgorithm, KeyType, PublicKey

#: Members of private and symmetric keys (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
#: Which algorithms a key is for, by type and curve.
_BY_CURVE = {"P-256": JwsAlgorithm.ES256, "P-384": JwsAlgorithm.ES384, "P-521": JwsAlgorithm.ES512}
_RSA = frozenset(one for one in JwsAlgorithm if one[:2] in ("RS", "PS"))
_LONGEST_URL = 1024


class DocumentError(ValueError):
    """What was found is not what it should be. The message is a predicate, such as "is not JSON"."""


def read_jwks(body: bytes) -> tuple[PublicKey, ...]:
    """The keys by which signatures can be checked, in the order of their ids. Raises DocumentError."""
    found = _object(body).get("keys")
    if not isinstance(found, list):
        raise DocumentError("is no JWKS: it has no list of keys")
    keys = sorted(_usable(found), key=lambda key: key.kid)
    if not keys:
        raise DocumentError("has no key that can be used: a public one, for signatures, with an id (kid)")
    if len({key.kid for key in keys}) != len(keys):
        raise DocumentError("has two keys with the same id (kid)")
    if len(keys) > MAX_ISSUER_KEYS:
        raise DocumentError(f"has more than {MAX_ISSUER_KEYS} keys")
    return tuple(keys)


def read_metadata(body: bytes) -> tuple[str, str]:
    """The issuer, and where its keys are. Raises DocumentError."""
    found = _object(body)
    issuer, place = found.get("issuer"), found.get("jwks_uri")
    if not isinstance(issuer, str) or not isinstance(place, str):
        raise DocumentError("are no metadata of an issuer: issuer or jwks_uri is missing")
    if not place.startswith("https://") or len(place) > _LONGEST_URL or not place.isprintable() or " " in place:
        raise DocumentError("name a place of the keys (jwks_uri) that is no https:// URL")
    return issuer, place


def algorithms_of(key: PublicKey) -> frozenset[JwsAlgorithm]:
    """The algorithms that fit a key: by its type and curve, and by what it says itself."""
    match key.kty:
        case KeyType.RSA:
            fitting = _RSA
        case KeyType.EC:
            fitting = frozenset({_BY_CURVE[key.crv or ""]})
        case KeyType.OKP:
            fitting = frozenset({JwsAlgorithm.ED25519})
    return fitting if key.alg is None else fitting & {key.alg}


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise DocumentError("is not JSON") from None
    if not isinstance(found, dict):
        raise DocumentError("is no JSON object")
    return found


def _usable(found: list[Any]) -> Iterator[PublicKey]:
    for raw in found:
        if not isinstance(raw, dict):
            raise DocumentError("is no JWKS: one of its keys is no object")
        if raw.get("kty") != "oct" and _PRIVATE & raw.keys():
            raise DocumentError("has a private key in it, with which whoever can read it can sign")
        key = _key(raw) if _checks_signatures(raw) else None
        if key is not None and algorithms_of(key):
            yield key


def _checks_signatures(raw: Mapping[str, Any]) -> bool:
    operations = raw.get("key_ops", ["verify"])
    return raw.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _key(raw: Mapping[str, Any]) -> PublicKey | None:
    """A key, None for one of a type, size, curve or algorithm that is not in use here."""
    from apiclients.lifecycle.key_numbers import is_sound  # imports cryptography: only where there are keys

    try:
        key = PublicKey.model_validate({name: raw[name] for name in PublicKey.model_fields if name in raw})
        return key if is_sound(key) else None
    except (ValidationError, ValueError):
        return None
