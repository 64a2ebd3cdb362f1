"""Tokens with any header and payload, signed by keys of ours, and three verifiers that look at them."""

from __future__ import annotations

from typing import Any

import jwt as pyjwt
import orjson
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from apiclients.gate.tokens.signing import encode, load_ring
from apiclients.gate.tokens.verifier import Fault, InvalidTokenError, Verifier
from apiclients.resources.keys import Algorithm
from tests.gate.support import ISSUER, START, UID, key_ring, signing_key

ES, RS = signing_key("es"), signing_key("rs", Algorithm.RS256)
LATER = signing_key("later", active=START + 3600)
LOADED = load_ring(key_ring(ES, RS, LATER))
VERIFIER = Verifier(ISSUER, LOADED.keys)
JWKS = orjson.loads(LOADED.jwks)
KEYS = {key["kid"]: pyjwt.PyJWK(key) for key in JWKS["keys"]}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "team-a.billing.0a1b2c3d",
    "aud": ISSUER,
    "exp": int(START) + 3600,
    "iat": int(START),
    "jti": "jti-1",
    "client_id": "team-a.billing.0a1b2c3d",
    "uid": UID,
    "scope": "",
}
DEFAULT_CLAIMS = orjson.dumps(CLAIMS)


def header(kid: str) -> bytes:
    """The encoded header that a key of ours writes."""
    return LOADED.keys[kid].header


def sign(payload: bytes, kid: str = "es", head: bytes | None = None) -> bytes:
    """A token with any payload and any header, signed by a key of ours."""
    data = (header(kid) if head is None else head) + b"." + encode(payload)
    return data + b"." + encode(LOADED.keys[kid].sign(data))


def accepts(token: bytes) -> bool:
    """Ours, each time without the cache."""
    try:
        VERIFIER.verify_uncached(token)
    except InvalidTokenError:
        return False
    return True


def fault(token: bytes) -> Fault:
    """Why ours refuses a token. Fails if it does not."""
    with pytest.raises(InvalidTokenError) as caught:
        VERIFIER.verify(token)
    return caught.value.fault


def joserfc_accepts(token: bytes) -> bool:
    """joserfc, which looks at the signature."""
    try:
        joserfc_jwt.decode(token, KeySet.import_key_set(JWKS), algorithms=["ES256", "RS256"])
    except (JoseError, ValueError):
        return False
    return True


def pyjwt_accepts(token: bytes) -> bool:
    """PyJWT, which looks at issuer and audience too; the clock is not its own."""
    try:
        kid = pyjwt.get_unverified_header(token)["kid"]
        pyjwt.decode(
            token,
            KEYS[kid],
            algorithms=["ES256", "RS256"],
            audience=ISSUER,
            issuer=ISSUER,
            options={"verify_exp": False, "verify_iat": False},
        )
    except (pyjwt.PyJWTError, ValueError, KeyError, TypeError):
        return False
    return True


def others_accept(token: bytes) -> bool:
    """Both libraries."""
    return joserfc_accepts(token) and pyjwt_accepts(token)
