"""What issuers publish: usable keys are taken, hostile and broken documents are not, and nothing is quoted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey

from apiclients.gate.tokens.signing import encode
from apiclients.lifecycle.jwks import DocumentError, algorithms_of, read_jwks, read_metadata
from apiclients.resources.tokenissuer import MAX_ISSUER_KEYS, JwsAlgorithm
from tests.toolkit.issuer import ForeignIssuer

pytestmark = pytest.mark.rule(31)

ISSUER = ForeignIssuer(es="ES256", rs="RS256", p384="ES384", p521="ES512", ed="Ed25519")
GOOD = ISSUER.jwk("es")
#: An RSA key of 1024 bits.
SHORT = {"kty": "RSA", "e": "AQAB", "n": encode(((1 << 1023) | 1).to_bytes(128)).decode()}


def read(*keys: Any) -> list[str]:
    return [key.kid for key in read_jwks(json.dumps({"keys": keys}).encode())]


def test_all_types_of_keys_with_the_algorithms_that_fit() -> None:
    found = {key.kid: algorithms_of(key) for key in read_jwks(json.dumps(ISSUER.jwks()).encode())}
    assert found == {
        "es": {JwsAlgorithm.ES256},
        "p384": {JwsAlgorithm.ES384},
        "p521": {JwsAlgorithm.ES512},
        "ed": {JwsAlgorithm.ED25519},
        "rs": {one for one in JwsAlgorithm if one[:2] in ("RS", "PS")},
    }
    (bound,) = read_jwks(json.dumps({"keys": [ISSUER.jwk("rs", alg="PS384")]}).encode())
    assert algorithms_of(bound) == {JwsAlgorithm.PS384}


@pytest.mark.parametrize(
    "other",
    [
        ISSUER.jwk("rs", use="enc"),
        ISSUER.jwk("rs", key_ops=["encrypt"]),
        ISSUER.jwk("rs", key_ops="verify"),
        ISSUER.jwk("rs", alg="RSA-OAEP"),
        ISSUER.jwk("rs", alg="HS256"),
        ISSUER.jwk("rs", alg="ES256"),
        ISSUER.jwk("p384", alg="ES256"),
        ISSUER.jwk("rs", n="AQAB"),
        ISSUER.jwk("rs", n="!!"),
        ISSUER.jwk("rs", e="AA"),
        ISSUER.jwk("es", x="AA"),
        ISSUER.jwk("p384", crv="P-256"),
        ISSUER.jwk("p384", crv="secp256k1"),
        ISSUER.jwk("ed", x="AA"),
        ISSUER.jwk("ed", crv="X25519"),
        {**ISSUER.jwk("rs"), "kid": 7},
        {**ISSUER.jwk("rs"), "kid": ""},
        {**ISSUER.jwk("rs"), "kid": "a b"},
        {**ISSUER.jwk("rs"), "kty": "XYZ"},
        {name: value for name, value in ISSUER.jwk("rs").items() if name != "kid"},
        SHORT | {"kid": "short"},
        ECKey.generate_key("secp256k1").as_dict(private=False) | {"kid": "k1"},
        OKPKey.generate_key("Ed448").as_dict(private=False) | {"kid": "448"},
        OctKey.generate_key(256).as_dict(private=True) | {"kid": "secret"},
    ],
)
def test_keys_that_cannot_be_used_are_left_out(other: dict[str, Any]) -> None:
    assert read(GOOD, other) == ["es"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "is not JSON"),
        (b"<html>", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is no JSON object"),
        (b"{}", "no list of keys"),
        (b'{"keys": {}}', "no list of keys"),
        (b'{"keys": []}', "no key that can be used"),
        (b'{"keys": [7]}', "no object"),
        (b"[" * 100_000, "is not JSON"),
        (json.dumps({"keys": [GOOD, ISSUER.jwk("rs") | {"kid": "es"}]}).encode(), "same id"),
        (json.dumps({"keys": [GOOD | {"kid": f"k{n}"} for n in range(MAX_ISSUER_KEYS + 1)]}).encode(), "more than"),
        (json.dumps({"keys": [GOOD, ISSUER.keys["rs"].as_dict(private=True) | {"kid": "p"}]}).encode(), "private key"),
        (json.dumps({"keys": [GOOD, ISSUER.keys["ed"].as_dict(private=True) | {"kid": "p"}]}).encode(), "private key"),
    ],
)
def test_documents_that_are_refused_as_a_whole(body: bytes, why: str) -> None:
    with pytest.raises(DocumentError, match=why):
        read_jwks(body)


def test_two_usable_keys_with_one_id_are_refused_though_one_key_twice_might_be_meant() -> None:
    with pytest.raises(DocumentError, match="same id"):
        read(GOOD, GOOD)


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.text(max_size=5) | st.integers(), st.lists).map(json.dumps)
)
def test_whatever_is_found_it_is_read_or_refused_and_never_quoted(found: bytes | str) -> None:
    body = found.encode() if isinstance(found, str) else found
    marked = body + b"marker-of-the-body"
    for reader in (read_jwks, read_metadata):
        with pytest.raises(DocumentError) as refused:
            reader(marked)
        assert "marker" not in str(refused.value)


def test_metadata_name_the_issuer_and_the_place_of_its_keys() -> None:
    body = {"issuer": "https://kc.example.com", "jwks_uri": "https://keys.example.com/v1?p=a"}
    assert read_metadata(json.dumps(body).encode()) == ("https://kc.example.com", "https://keys.example.com/v1?p=a")


@pytest.mark.parametrize(
    "place",
    [None, 7, "http://keys.example.com", "file:///etc/passwd", "https://a b", "https://a\n", "https://" + "x" * 1024],
)
def test_metadata_with_another_place_are_refused(place: object) -> None:
    with pytest.raises(DocumentError):
        read_metadata(json.dumps({"issuer": "https://kc.example.com", "jwks_uri": place}).encode())
