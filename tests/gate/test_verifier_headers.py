"""Headers and signatures that the strict verifier refuses: there is one algorithm for each key, and one spelling."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from apiclients.gate.tokens.signing import encode, load_ring, token_header
from apiclients.gate.tokens.verifier import Fault
from tests.gate.signed import DEFAULT_CLAIMS, ES, LOADED, RS, accepts, fault, header, sign
from tests.gate.support import key_ring, signing_key

pytestmark = pytest.mark.rule(1)


def _public_pem(kid: str) -> bytes:
    key = load_pem_private_key({"es": ES, "rs": RS}[kid].private_key.encode(), None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _hs256(head: dict[str, Any], key: bytes) -> bytes:
    data = encode(orjson.dumps(head)) + b"." + encode(DEFAULT_CLAIMS)
    return data + b"." + encode(hmac.new(key, data, hashlib.sha256).digest())


def _raw_header(text: str) -> bytes:
    return sign(DEFAULT_CLAIMS, head=encode(text.encode()))


FOREIGN = load_ring(key_ring(signing_key("foreign"))).keys["foreign"]
HOSTILE_HEADERS: list[dict[str, Any]] = [
    {"alg": "none", "kid": "es", "typ": "at+jwt"},
    {"alg": "None", "kid": "es", "typ": "at+jwt"},
    {"alg": "RS256", "kid": "es", "typ": "at+jwt"},
    {"alg": "ES384", "kid": "es", "typ": "at+jwt"},
    {"alg": "ES256K", "kid": "es", "typ": "at+jwt"},
    {"alg": "ES256", "kid": "es", "typ": "JWT"},
    {"alg": "ES256", "kid": "es", "typ": "application/at+jwt"},
    {"alg": "ES256", "kid": "es", "typ": "AT+JWT"},
    {"alg": "ES256", "kid": "es"},
    {"alg": "ES256", "typ": "at+jwt"},
    {"alg": "ES256", "kid": "", "typ": "at+jwt"},
    {"alg": "ES256", "kid": ["es"], "typ": "at+jwt"},
    {"alg": "ES256", "kid": "../../es", "typ": "at+jwt"},
    {"alg": "ES256", "kid": "unknown", "typ": "at+jwt"},
    {"alg": "ES256", "kid": "es", "typ": "at+jwt", "jwk": dict(FOREIGN.jwk)},
    {"alg": "ES256", "kid": "es", "typ": "at+jwt", "jku": "https://evil.example.com/jwks"},
    {"alg": "ES256", "kid": "es", "typ": "at+jwt", "x5c": ["MIIB"]},
    {"alg": "ES256", "kid": "es", "typ": "at+jwt", "crit": ["b64"], "b64": False},
    {"alg": "ES256", "kid": "es", "typ": "at+jwt", "crit": []},
    {"alg": "ES256", "kid": "es", "typ": "at+jwt", "b64": False},
    {"alg": "ES256", "kid": "es", "typ": "at+jwt", "zip": "DEF"},
    {"typ": "at+jwt", "kid": "es", "alg": "ES256"},
]


@pytest.mark.parametrize("head", HOSTILE_HEADERS, ids=lambda head: json.dumps(head)[:60])
def test_no_other_header_is_looked_at(head: dict[str, Any]) -> None:
    encoded = encode(orjson.dumps(head))
    for kid in ("es", "rs"):
        assert fault(sign(DEFAULT_CLAIMS, kid, encoded)) is Fault.UNKNOWN_HEADER
    data = encoded + b"." + encode(DEFAULT_CLAIMS) + b"."
    assert fault(data) is Fault.UNKNOWN_HEADER
    assert fault(data + encode(FOREIGN.sign(data[:-1]))) is Fault.UNKNOWN_HEADER


@pytest.mark.parametrize(
    "text",
    [
        '{"alg":"ES256", "kid":"es","typ":"at+jwt"}',
        '{"alg":"ES256","kid":"es","typ":"at+jwt"} ',
        '{"alg":"ES256","kid":"es","typ":"at+jwt","typ":"at+jwt"}',
        '{"alg":"none","alg":"ES256","kid":"es","typ":"at+jwt"}',
        '{"alg":"ES256","kid":"e\\u0073","typ":"at+jwt"}',
        "[]",
        "null",
        "",
        "\ufeff" + '{"alg":"ES256","kid":"es","typ":"at+jwt"}',
    ],
)
def test_no_other_spelling_of_our_header(text: str) -> None:
    assert fault(_raw_header(text)) is Fault.UNKNOWN_HEADER


@pytest.mark.parametrize("kid", ["es", "rs"])
@pytest.mark.parametrize("secret", ["pem", "pem-stripped", "empty", "jwk"])
def test_hs256_with_a_public_key(kid: str, secret: str) -> None:
    pem = _public_pem(kid)
    key = {"pem": pem, "pem-stripped": pem.strip(), "empty": b"", "jwk": orjson.dumps(dict(LOADED.keys[kid].jwk))}
    for head in ({"alg": "HS256", "kid": kid, "typ": "at+jwt"}, {"alg": "HS256", "typ": "at+jwt"}):
        assert fault(_hs256(head, key[secret])) is Fault.UNKNOWN_HEADER
    data = header(kid) + b"." + encode(DEFAULT_CLAIMS)
    mac = hmac.new(key[secret], data, hashlib.sha256).digest()
    for signature in (mac, mac + mac):
        assert fault(data + b"." + encode(signature)) is Fault.BAD_SIGNATURE


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\0" * 64,
        b"\xff" * 64,
        b"\0" * 63 + b"\1",
        b"\1" * 63,
        b"\1" * 65,
        bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") * 2,
    ],
)
def test_no_signature_like_numbers(signature: bytes) -> None:
    """CVE-2022-21449 and its kin: zero, the order of the curve, DER, wrong lengths."""
    data = header("es") + b"." + encode(DEFAULT_CLAIMS)
    assert not accepts(data + b"." + encode(signature))


def test_a_der_signature_is_none() -> None:
    key = load_pem_private_key(ES.private_key.encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    data = header("es") + b"." + encode(DEFAULT_CLAIMS)
    assert fault(data + b"." + encode(key.sign(data, ECDSA(SHA256())))) is Fault.BAD_SIGNATURE


def test_keys_do_not_stand_in_for_each_other() -> None:
    for signer in ("rs", "later"):
        assert fault(sign(DEFAULT_CLAIMS, signer, header("es"))) is Fault.BAD_SIGNATURE
    data = token_header(ES) + b"." + encode(DEFAULT_CLAIMS)
    assert fault(data + b"." + encode(FOREIGN.sign(data))) is Fault.BAD_SIGNATURE
