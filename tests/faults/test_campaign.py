"""A fixed handful of random stories; ``python -m tests.faults`` tells as many as one likes."""

import pytest

from tests.faults.arena import Arena
from tests.faults.campaign import Teller
from tests.faults.runner import replay_command
from tests.faults.stories import Fault, story

pytestmark = pytest.mark.cluster

_STEPS = 10


@pytest.mark.rule(1, 8, 9, 12, 14, 16, 17)
@pytest.mark.parametrize("seed", [1, 27, 40])
def test_random_story(arena: Arena, seed: int) -> None:
    """In each of them the API server loses what happened to a hold, an Api or a contract on which gates relied."""
    steps, teller = story(seed, _STEPS), Teller(arena)
    assert any(isinstance(step, Fault) for step in steps)
    try:
        teller.tell(steps)
        assert teller.revoked, "no client has revoked a token"
        assert teller.lost, "the API server has lost nothing that gates relied on"
    except AssertionError as error:
        raise AssertionError(f"{error}\nagain: {replay_command(seed, _STEPS, list(range(len(steps))))}") from error
