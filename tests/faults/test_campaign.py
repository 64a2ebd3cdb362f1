"""A fixed handful of random stories; ``python -m tests.faults`` tells as many as one likes."""

import pytest

from tests.faults.arena import Arena
from tests.faults.campaign import Fault, Teller, story
from tests.faults.runner import replay_command

pytestmark = pytest.mark.cluster

_STEPS = 10


@pytest.mark.rule(1, 8, 9, 12, 14, 16, 17)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_story(arena: Arena, seed: int) -> None:
    steps = story(seed, _STEPS)
    assert any(isinstance(step, Fault) for step in steps)
    try:
        Teller(arena).tell(steps)
    except AssertionError as error:
        raise AssertionError(f"{error}\nagain: {replay_command(seed, _STEPS, list(range(len(steps))))}") from error
