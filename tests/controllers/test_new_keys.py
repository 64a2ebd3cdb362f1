"""Signing keys as the operator makes them, and whom new keys concern."""

from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from apiclients.controllers.keys import KeyHolder, StoredRing, new_signing_key
from apiclients.kube.cache import Change
from apiclients.lifecycle.keys import KeyPolicy
from apiclients.resources.keys import Algorithm, KeyRing
from tests.lifecycle.world import pepper

NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_signatures_of_new_keys_have_one_spelling(algorithm: Algorithm) -> None:
    assert new_signing_key(algorithm, NOW, NOW).low_s


@pytest.mark.rule(25)
async def test_clients_are_looked_at_for_new_peppers_and_not_for_new_signing_keys() -> None:
    told: list[str] = []
    holder = KeyHolder(
        Mock(),
        "apiclients",
        "keys",
        policy=KeyPolicy(),
        rekey=False,
        clock=lambda: NOW,
        on_change=lambda: told.append("clients"),
        announce=Mock(),
    )
    first, second = (new_signing_key(Algorithm.ES256, NOW, NOW) for _ in range(2))
    for number, (signing, peppers) in enumerate((([first], [1]), ([first, second], [1]), ([second], [1, 2]))):
        ring = KeyRing(signing_keys=tuple(signing), peppers=tuple(map(pepper, peppers)))
        holder._changed(Change(("apiclients", "keys"), None, StoredRing(ring, "u", str(number)), number, "watch"))
        assert holder.ring is ring
    assert told == ["clients", "clients"], "the first ring and the second pepper"
