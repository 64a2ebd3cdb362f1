"""Keys: made only while nothing depends on them, active only once everybody has them, kept while their tokens live."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from apiclients.lifecycle.keys import (
    KEY_MARGIN,
    KeyPolicy,
    KeyStep,
    active_from,
    current_pepper,
    key_step,
    outlived,
    renewed_due,
    signing_key,
)
from apiclients.resources.fields import MAX_TOKEN_LIFETIME
from apiclients.resources.keys import Algorithm, KeyRing, SigningKey
from tests.lifecycle.world import DAY, HOUR, START, pepper

SECOND = timedelta(seconds=1)
POLICY = KeyPolicy()
pytestmark = pytest.mark.rule(25)


def key(kid: str, created: datetime, *, active: datetime | None = None, rsa: bool = False) -> SigningKey:
    algorithm = Algorithm.RS256 if rsa else Algorithm.ES256
    return SigningKey(
        kid=kid, algorithm=algorithm, private_key="pem", created_time=created, active_from=active or created
    )


def ring(*keys: SigningKey) -> KeyRing:
    return KeyRing(signing_keys=keys, peppers=(pepper(1), pepper(2)))


def step(keys: KeyRing | None, now: datetime = START, *, exist: bool = True, rekey: bool = False) -> KeyStep:
    return key_step(keys, credentials_exist=exist, rekey=rekey, now=now, policy=POLICY)


@pytest.mark.parametrize(
    ("exist", "rekey", "expected"),
    [
        (False, False, KeyStep.CREATE),
        (True, False, KeyStep.LOST),
        (True, True, KeyStep.CREATE),
        (False, True, KeyStep.CREATE),
    ],
)
def test_keys_are_made_only_while_nothing_depends_on_them_or_where_a_person_asked(
    exist: bool, rekey: bool, expected: KeyStep
) -> None:
    assert step(None, exist=exist, rekey=rekey) is expected


def test_a_good_ring_is_kept_also_when_somebody_asks_to_re_key() -> None:
    assert step(ring(key("a", START))) is KeyStep.KEEP
    assert step(ring(key("a", START)), rekey=True) is KeyStep.KEEP


def test_a_key_is_followed_at_its_age_and_when_another_algorithm_is_configured() -> None:
    old = ring(key("a", START))
    assert not renewed_due(old, START + 90 * DAY - SECOND, POLICY)
    assert step(old, START + 90 * DAY) is KeyStep.RENEW
    assert step(ring(key("a", START, rsa=True))) is KeyStep.RENEW
    assert step(ring(key("a", START, rsa=True), key("b", START))) is KeyStep.KEEP


def test_a_new_key_signs_only_after_every_verifier_may_have_it() -> None:
    active = active_from(START, POLICY)
    assert active > START
    pair = ring(key("old", START - 90 * DAY), key("new", START, active=active))
    assert signing_key(pair, active - SECOND).kid == "old"
    assert signing_key(pair, active).kid == "new"


def test_the_first_key_signs_at_once_although_none_is_active_yet() -> None:
    assert signing_key(ring(key("only", START, active=START + HOUR)), START).kid == "only"


def test_an_old_key_stays_until_the_last_token_that_it_signed_has_died() -> None:
    active = START + 10 * timedelta(minutes=1)
    old, new = key("old", START - 90 * DAY), key("new", START, active=active)
    pair = ring(old, new)
    assert outlived(pair, active + MAX_TOKEN_LIFETIME + KEY_MARGIN - SECOND) == ()
    assert outlived(pair, active + MAX_TOKEN_LIFETIME + KEY_MARGIN) == (old,)
    assert step(pair, active + MAX_TOKEN_LIFETIME + KEY_MARGIN) is KeyStep.RENEW
    assert outlived(ring(new), active + 999 * DAY) == ()


def test_the_last_pepper_keys_new_digests() -> None:
    assert current_pepper(ring(key("a", START))).id == "p2"
