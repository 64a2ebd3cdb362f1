"""A key ring never outgrows its model and never loses a key while a token of it lives, whatever the settings."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apiclients.lifecycle.keys import (
    MAX_PUBLICATION,
    MIN_PUBLICATION,
    MIN_SIGNING_KEY_LIFETIME,
    KeyPolicy,
    KeyStep,
    key_step,
    renew,
    renewal_blocked,
    renewed_due,
    signing_key,
)
from apiclients.resources.fields import MAX_TOKEN_LIFETIME
from apiclients.resources.keys import MAX_KEYS, Algorithm, KeyRing, SigningKey
from tests.lifecycle.world import DAY, HOUR, START, pepper

pytestmark = pytest.mark.rule(25)
SECOND = timedelta(seconds=1)

# Wider than the settings allow: the ring has to hold whatever they say.
POLICIES = st.builds(
    KeyPolicy,
    algorithm=st.sampled_from(Algorithm),
    lifetime=st.one_of(st.just(timedelta(0)), st.timedeltas(timedelta(0), 200 * DAY)),
    publication=st.one_of(st.just(timedelta(0)), st.timedeltas(timedelta(0), 30 * DAY)),
)
PAUSES = st.one_of(st.just(timedelta(seconds=5)), st.timedeltas(SECOND, 5 * DAY))


class Keeper:
    """Keeps a ring as the operator does, and remembers when the last token of each key was signed."""

    def __init__(self) -> None:
        self.now = START
        self.policy = KeyPolicy()
        self.signed: dict[str, datetime] = {}
        self.made = 0
        self.ring = KeyRing(signing_keys=(self._make(START, START),), peppers=(pepper(1),))

    def look(self, policy: KeyPolicy) -> None:
        """Do what is due now, as often as the operator would at once."""
        self.policy = policy
        step = key_step(self.ring, credentials_exist=True, rekey=False, now=self.now, policy=policy)
        if step is KeyStep.RENEW:
            self.ring = renew(self.ring, self.now, policy, self._make)
        KeyRing.model_validate_json(self.ring.model_dump_json(by_alias=True))  # a gate reads it
        self._check_live()

    def pass_time(self, pause: timedelta) -> None:
        """Sign tokens all the time: at each moment that matters, with the key of that moment."""
        end = self.now + pause
        moments = {self.now, end}
        for key in self.ring.signing_keys:
            moments |= {key.active_from, key.active_from - SECOND}
        for moment in sorted(moment for moment in moments if self.now <= moment <= end):
            self.signed[signing_key(self.ring, moment).kid] = moment
        self.now = end

    def _check_live(self) -> None:
        held = {key.kid for key in self.ring.signing_keys}
        for kid, moment in self.signed.items():
            assert kid in held or moment + MAX_TOKEN_LIFETIME < self.now, f"{kid} is gone while its token lives"

    def _make(self, created: datetime, active: datetime) -> SigningKey:
        self.made += 1
        return SigningKey(
            kid=f"k{self.made}",
            algorithm=self.policy.algorithm,
            private_key="pem",
            created_time=created,
            active_from=active,
        )


ENDLESS = KeyPolicy(lifetime=timedelta(0), publication=365 * DAY)


@given(st.lists(st.tuples(POLICIES, PAUSES), max_size=60))
@example([(KeyPolicy(lifetime=timedelta(0)), timedelta(seconds=5))] * 60)
@example([(ENDLESS, timedelta(seconds=5))] * 60)
def test_a_ring_never_outgrows_its_model_and_keeps_the_keys_of_live_tokens(
    history: list[tuple[KeyPolicy, timedelta]],
) -> None:
    keeper = Keeper()
    for policy, pause in history:
        keeper.look(policy)
        assert len(keeper.ring.signing_keys) <= MAX_KEYS
        keeper.pass_time(pause)


def test_a_full_ring_is_renewed_again_once_there_is_room() -> None:
    keeper = Keeper()
    for _ in range(40):
        keeper.look(KeyPolicy(lifetime=timedelta(0), publication=timedelta(minutes=10)))
        keeper.pass_time(timedelta(seconds=5))
    assert len(keeper.ring.signing_keys) == MAX_KEYS
    assert not renewed_due(keeper.ring, keeper.now, keeper.policy)
    assert renewal_blocked(keeper.ring, keeper.now, keeper.policy), "which is told"
    assert not renewal_blocked(keeper.ring, keeper.now, KeyPolicy()), "nothing is due"
    keeper.pass_time(MAX_TOKEN_LIFETIME + 2 * HOUR)
    assert renewed_due(keeper.ring, keeper.now, keeper.policy)
    assert not renewal_blocked(keeper.ring, keeper.now, keeper.policy)
    keeper.look(keeper.policy)
    assert len(keeper.ring.signing_keys) == 2


@pytest.mark.parametrize("publication", [MIN_PUBLICATION, MAX_PUBLICATION])
def test_within_the_bounds_of_the_settings_a_ring_is_never_full(publication: timedelta) -> None:
    keeper, most = Keeper(), 0
    for _ in range(30 * 24):
        keeper.look(KeyPolicy(lifetime=MIN_SIGNING_KEY_LIFETIME, publication=publication))
        most = max(most, len(keeper.ring.signing_keys))
        keeper.pass_time(HOUR)
    assert most <= 6
