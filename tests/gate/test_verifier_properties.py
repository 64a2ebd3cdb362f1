"""What the strict verifier accepts joserfc and PyJWT accept, whatever is made up; noise is refused."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiclients.gate.tokens.signing import encode
from tests.gate.signed import CLAIMS, DEFAULT_CLAIMS, accepts, header, others_accept, sign

pytestmark = pytest.mark.rule(1)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    changed=st.dictionaries(st.sampled_from(sorted(CLAIMS)), _json, max_size=2),
    added=st.dictionaries(st.text(max_size=5), _json, max_size=2),
    canonical=st.booleans(),
    kid=st.sampled_from(["es", "rs"]),
)
@settings(max_examples=600, deadline=None)
def test_what_ours_accepts_both_libraries_accept(
    changed: dict[str, Any], added: dict[str, Any], canonical: bool, kid: str
) -> None:
    claims = CLAIMS | added | changed
    payload = json.dumps(claims).encode()
    if canonical:
        try:
            payload = orjson.dumps(claims)
        except (orjson.JSONEncodeError, UnicodeEncodeError):
            return
    token = sign(payload, kid)
    if accepts(token):
        assert others_accept(token)


@given(token=st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=1000, deadline=None)
def test_noise_is_refused(token: bytes) -> None:
    assert not accepts(token)


@given(
    head=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64", "jku", "x5u", "cty"]),
        st.sampled_from(["ES256", "RS256", "none", "HS256", "es", "rs", "at+jwt", "JWT", False, ["b64"], None]),
    ),
    kid=st.sampled_from(["es", "rs"]),
)
@settings(max_examples=400, deadline=None)
def test_any_header_but_ours(head: dict[str, Any], kid: str) -> None:
    encoded = encode(orjson.dumps(head))
    token = sign(DEFAULT_CLAIMS, kid, encoded)
    assert accepts(token) == (encoded == header(kid))
