"""The strict verifier against joserfc and PyJWT: what it accepts both accept, and everything hostile it refuses."""

from __future__ import annotations

import base64
import random
from typing import Any

import orjson
import pytest

from apiclients.gate.tokens.signing import encode, load_ring
from apiclients.gate.tokens.verifier import MAX_TOKEN_BYTES, Fault, InvalidTokenError, Verifier
from apiclients.resources.keys import KeyRing
from tests.gate.signed import (
    CLAIMS,
    DEFAULT_CLAIMS,
    ES,
    LOADED,
    RS,
    VERIFIER,
    accepts,
    fault,
    joserfc_accepts,
    others_accept,
    sign,
)
from tests.gate.support import ISSUER, START, World, key_ring, signing_key

pytestmark = pytest.mark.rule(1)


@pytest.mark.parametrize("kid", ["es", "rs", "later"])
def test_good_tokens(kid: str) -> None:
    token = sign(DEFAULT_CLAIMS, kid)
    assert accepts(token)
    assert others_accept(token)


def test_what_the_gate_issues_is_accepted_everywhere() -> None:
    world = World(ring=key_ring(ES))
    for _ in range(200):
        token = world.gate.issue(world.client).token.encode()
        assert accepts(token)
        assert others_accept(token)


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _second_spelling(token: bytes) -> bytes:
    """(r, n - s) is a good signature as well."""
    data, _, part = token.rpartition(b".")
    raw = base64.urlsafe_b64decode(part + b"==")
    return data + b"." + encode(raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32))


def test_a_signature_has_one_spelling() -> None:
    """Others accept both; it would be another token to a list of hashes."""
    for number in range(20):
        token = sign(orjson.dumps(CLAIMS | {"jti": f"jti-{number}"}))
        second = _second_spelling(token)
        assert accepts(token)
        assert joserfc_accepts(second)
        assert fault(second) is Fault.BAD_SIGNATURE


def test_keys_from_before_have_two_as_gates_from_before_write_them() -> None:
    """A rolling upgrade refuses no token."""
    old = key_ring(signing_key("es", low_s=False))
    text = old.model_dump_json(by_alias=True).replace(',"lowS":false', "")
    assert "lowS" not in text
    verifier = Verifier(ISSUER, load_ring(KeyRing.model_validate_json(text)).keys)
    for number in range(20):
        token = sign(orjson.dumps(CLAIMS | {"jti": f"jti-{number}"}))
        assert verifier.verify(token) == verifier.verify(_second_spelling(token))


def test_several_audiences() -> None:
    token = sign(orjson.dumps(CLAIMS | {"aud": [f"{ISSUER}/apis/team-b/orders", ISSUER]}))
    assert VERIFIER.verify(token).audience == (f"{ISSUER}/apis/team-b/orders", ISSUER)
    assert others_accept(token)


def test_public_urls_beside_what_is_asked_for() -> None:
    audiences = [f"{ISSUER}/apis/team-b/orders", "https://api.example.com/orders"]
    token = sign(orjson.dumps(CLAIMS | {"aud": audiences}))
    assert VERIFIER.verify(token).audience == tuple(audiences)
    assert fault(sign(orjson.dumps(CLAIMS | {"aud": audiences[1]}))) is Fault.BAD_CLAIMS, "none that decisions go by"


SIGNED_HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b"{}",
    b"{",
    b"\xff\xfe",
    DEFAULT_CLAIMS[:-1] + b',"uid":"another"}',
    DEFAULT_CLAIMS.replace(b'"uid":', b'"uid":"another","uid":'),
    DEFAULT_CLAIMS.replace(b'"scope"', b'"sc\\u006fpe"'),
    DEFAULT_CLAIMS.replace(b":", b": ", 1),
    DEFAULT_CLAIMS + b" ",
    b"\xef\xbb\xbf" + DEFAULT_CLAIMS,
    DEFAULT_CLAIMS.replace(b'"jti-1"', b'"jti\xff"'),
    DEFAULT_CLAIMS.replace(b'"jti-1"', b'"\\ud800"'),
    b'{"a":' * 300 + b"1" + b"}" * 300,
    DEFAULT_CLAIMS[:-1] + b',"x":' + b"[" * 300 + b"]" * 300 + b"}",
    *(
        DEFAULT_CLAIMS.replace(b'"exp":1800003600', b'"exp":' + number)
        for number in (
            b"1800003600.0",
            b"1.8e9",
            b"1e400",
            b"-1e400",
            b"NaN",
            b"Infinity",
            b"9" * 400,
            b"18446744073709551616",
            b"-1800003600",
            b"true",
            b"null",
            b'"1800003600"',
            b"[1800003600]",
            b"0",
            b"9007199254740993",
        )
    ),
]


@pytest.mark.parametrize("payload", SIGNED_HOSTILE, ids=lambda payload: repr(payload[-40:]))
def test_payloads_that_we_would_never_write(payload: bytes) -> None:
    """Even with our own signature: a second line of defence, should something else ever sign with our keys."""
    assert fault(sign(payload)) is Fault.BAD_CLAIMS


ODD: tuple[Any, ...] = (None, 7, True, [], {}, 1.5, "\u00e4", "line\nbreak")
WRONG: list[tuple[str, Any]] = [
    *((name, value) for name in CLAIMS for value in ODD),
    ("iss", ISSUER + "/"),
    ("iss", [ISSUER]),
    ("aud", "https://other.example.com"),
    ("aud", ["https://other.example.com"]),
    ("aud", [ISSUER, 7]),
    ("aud", {ISSUER: 1}),
    ("sub", ""),
    ("sub", "another"),
    ("client_id", ""),
    ("uid", ""),
    ("jti", ""),
    ("iat", True),
    ("iat", 0),
    ("iat", -1),
    ("iat", int(START) + 3600),
    ("exp", int(START) + 72 * 3600 + 1),
    ("exp", 2**63),
    ("scope", None),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=repr)
def test_claims_are_required_and_typed(name: str, value: Any) -> None:
    assert fault(sign(orjson.dumps(CLAIMS | {name: value}))) is Fault.BAD_CLAIMS


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_no_claim_may_be_missing(name: str) -> None:
    assert fault(sign(orjson.dumps({key: value for key, value in CLAIMS.items() if key != name}))) is Fault.BAD_CLAIMS


def test_more_claims_do_no_harm() -> None:
    assert accepts(sign(orjson.dumps(CLAIMS | {"cnf": {"x5t#S256": "abc"}})))


def _stray_bits(part: bytes) -> bytes:
    """Another spelling of the same bytes: the unused bits of the last character set."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) | 1 :][:1]


def test_one_spelling_of_each_part() -> None:
    token = sign(DEFAULT_CLAIMS)
    head, payload, signature = token.split(b".")
    assert len(base64.urlsafe_b64decode(signature + b"==")) == 64
    respelled = _stray_bits(signature)
    assert base64.urlsafe_b64decode(respelled + b"==") == base64.urlsafe_b64decode(signature + b"==")
    for other in (
        b".".join((head, payload, respelled)),
        token + b"=",
        token + b"==",
        token + b"\n",
        b" " + token,
        token + b" ",
        token + b".",
        b"." + token,
        token.replace(b".", b"..", 1),
        b".".join((head, payload[:5] + b"\n" + payload[5:], signature)),
        b".".join((head, payload[:5] + b"\0" + payload[5:], signature)),
        b".".join((head, payload, signature.replace(b"_", b"/").replace(b"-", b"+") + b"!")),
        b".".join((head + b"=", payload, signature)),
        b".".join((head, payload)),
        b".".join((head, b"", signature)),
        b".".join((head, payload, b"")),
        b"",
        b".",
        b"..",
        b"...",
        b"." * MAX_TOKEN_BYTES,
    ):
        assert not accepts(other), other


def test_standard_base64_is_another_spelling() -> None:
    """Tried with tokens whose signature has a character in which the two alphabets differ."""
    for n in range(200):
        head, payload, signature = sign(orjson.dumps(CLAIMS | {"jti": f"j{n}"})).split(b".")
        other = signature.replace(b"_", b"/").replace(b"-", b"+")
        if other != signature:
            assert not accepts(b".".join((head, payload, other)))
            return
    pytest.fail("no such signature in 200")


def test_a_token_that_is_too_long_is_not_parsed() -> None:
    long = sign(orjson.dumps(CLAIMS | {"pad": "x" * MAX_TOKEN_BYTES}))
    assert fault(long) is Fault.MALFORMED
    assert fault(b"\xff" * (MAX_TOKEN_BYTES + 1)) is Fault.MALFORMED


def test_thousands_of_damaged_tokens() -> None:
    """One byte changed, removed, added, or two pieces swapped: refused by ours, unless it is the very same token."""
    dice = random.Random(1)
    tokens = [sign(orjson.dumps(CLAIMS | {"jti": f"j{n}"}), kid) for n in range(5) for kid in ("es", "rs")]
    for _ in range(4000):
        token = bytearray(dice.choice(tokens))
        where = dice.randrange(len(token))
        kind = dice.randrange(4)
        if kind == 0:
            token[where] = dice.randrange(256)
        elif kind == 1:
            del token[where : where + dice.randrange(1, 40)]
        elif kind == 2:
            token[where:where] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 4)))
        else:
            other = dice.choice(tokens)
            token[where:] = other[where:]
        damaged = bytes(token)
        if damaged not in tokens:
            assert not accepts(damaged), damaged


@pytest.mark.rule(18)
def test_the_cache_holds_verified_signatures_only() -> None:
    verifier = Verifier(ISSUER, LOADED.keys, cache_size=10)
    token = sign(DEFAULT_CLAIMS)
    first = verifier.verify(token)
    assert verifier.verify(token) is first
    assert (verifier.cache.hits, verifier.cache.misses) == (1, 1)
    for n in range(50):
        with pytest.raises(InvalidTokenError):
            verifier.verify(token + b"%d" % n)
    assert len(verifier.cache) == 1


@pytest.mark.rule(18)
def test_the_cache_is_bounded_and_keeps_what_is_used() -> None:
    verifier = Verifier(ISSUER, LOADED.keys, cache_size=20)
    kept = sign(DEFAULT_CLAIMS, "rs")
    verifier.verify(kept)
    for n in range(100):
        verifier.verify(sign(orjson.dumps(CLAIMS | {"jti": f"j{n}"}), "es"))
        verifier.verify(kept)
        assert len(verifier.cache) <= 20
    assert verifier.cache.hits == 100


@pytest.mark.rule(25)
def test_a_removed_key_takes_its_tokens_with_it() -> None:
    world = World(ring=key_ring(ES))
    token = world.token().encode()
    assert world.keys.verifier is not None
    world.keys.verifier.verify(token)
    world.keys.use(load_ring(key_ring(RS)))
    assert world.keys.verifier is not None
    assert len(world.keys.verifier.cache) == 0
    with pytest.raises(InvalidTokenError):
        world.keys.verifier.verify(token)
