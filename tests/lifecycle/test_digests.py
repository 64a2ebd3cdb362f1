"""Keyed digests and the stamp of a Secret: nothing in them can be changed, moved or made up."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apiclients.lifecycle.digests import Stamp, digest, same_digest, stamp_mac
from tests.lifecycle.world import START, pepper

STAMP = Stamp(3, START, START + timedelta(days=90), revision=2, cause="Age", rotate_request="r")
KEY, SECRET, UID = pepper(1), b"a-secret", "u-1"
MAC = stamp_mac(KEY, STAMP, UID, SECRET)

TAMPERED: dict[str, tuple[Stamp, str, bytes]] = {
    "id": (replace(STAMP, id=4), UID, SECRET),
    "issued time": (replace(STAMP, issued_time=START + timedelta(seconds=1)), UID, SECRET),
    "expiry": (replace(STAMP, expires_time=START + timedelta(days=900)), UID, SECRET),
    "revision": (replace(STAMP, revision=3), UID, SECRET),
    "cause": (replace(STAMP, cause="Edited"), UID, SECRET),
    "request": (replace(STAMP, rotate_request=None), UID, SECRET),
    "client": (STAMP, "u-2", SECRET),
    "secret": (STAMP, UID, b"another"),
}


@pytest.mark.rule(7)
@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_of_a_stamp_is_changed_breaks_its_mac(what: str) -> None:
    stamp, uid, secret = TAMPERED[what]
    assert not same_digest(stamp_mac(KEY, stamp, uid, secret), MAC)


@pytest.mark.rule(7)
def test_only_the_same_pepper_makes_the_same_mac() -> None:
    assert stamp_mac(pepper(2), STAMP, UID, SECRET) != MAC
    assert stamp_mac(KEY, STAMP, UID, SECRET) == MAC


@pytest.mark.rule(19)
def test_a_digest_is_keyed_and_never_the_plain_hash() -> None:
    assert digest(KEY, SECRET) != digest(pepper(2), SECRET)
    assert digest(KEY, SECRET) != hashlib.sha256(SECRET).hexdigest()
    assert len(digest(KEY, SECRET)) == 64


@pytest.mark.rule(19)
def test_a_digest_can_never_serve_as_a_mac() -> None:
    signed = STAMP.signed_bytes(UID, SECRET)
    assert digest(KEY, signed) != MAC
    assert hmac.new(bytes([1]) * 32, signed, hashlib.sha256).hexdigest() != MAC


@pytest.mark.rule(7)
def test_a_stamp_survives_its_annotation() -> None:
    assert Stamp.from_json(STAMP.to_json(MAC)) == (STAMP, MAC)
    without = replace(STAMP, rotate_request=None)
    assert Stamp.from_json(without.to_json(MAC)) == (without, MAC)


def compact(value: Any) -> str:
    """JSON as the operator writes it, but also for what the operator could not write."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


GOOD = json.loads(STAMP.to_json(MAC))
GARBAGE: list[Any] = [
    "",
    "null",
    "[]",
    "{}",
    "3",
    '"text"',
    "not json",
    "{" * 1000,
    {**GOOD, "id": "x"},
    {**GOOD, "id": "3"},
    {**GOOD, "id": None},
    {**GOOD, "more": 1},
    {**GOOD, "id": [1]},
    {**GOOD, "id": 10**40},
    {**GOOD, "id": str(10**40)},
    {**GOOD, "revision": {}},
    {**GOOD, "issued": "yesterday"},
    {**GOOD, "issued": 5},
    {**GOOD, "issued": "2026-03-01T10:00:00"},
    {**GOOD, "expires": "0001-01-01T00:00:00+14:00"},
    {key: value for key, value in GOOD.items() if key != "mac"},
]


@pytest.mark.rule(7)
@pytest.mark.parametrize("garbage", GARBAGE)
def test_an_annotation_that_no_operator_wrote_is_a_value_error(garbage: Any) -> None:
    text = garbage if isinstance(garbage, str) else compact(garbage)
    with pytest.raises(ValueError):  # noqa: PT011 - the message is for nobody
        Stamp.from_json(text)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(GOOD)), inner, max_size=7),
    max_leaves=8,
)


@pytest.mark.rule(7)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(field=st.sampled_from(list(GOOD)), value=ANYTHING)
@example(field="id", value=10**40)
def test_a_forged_field_is_refused_or_can_be_checked_against_its_mac(field: str, value: Any) -> None:
    """Whoever may edit the Secret must not be able to make a reconcile fail for good."""
    try:
        stamp, mac = Stamp.from_json(compact({**GOOD, field: value}))
    except ValueError:
        return
    assert same_digest(stamp_mac(KEY, stamp, UID, SECRET), mac) is (stamp == STAMP and mac == MAC)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.integers(1, 2**31),
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - made aware below
    st.text(max_size=253),
)
def test_every_stamp_survives_its_annotation_to_the_second(number: int, time: datetime, request: str) -> None:
    issued = time.replace(microsecond=0, tzinfo=UTC)
    stamp = Stamp(number, issued, issued + timedelta(hours=1), number, "First", request)
    assert Stamp.from_json(stamp.to_json("m")) == (stamp, "m")
