"""Random histories: the real decisions and a plain model of the rules agree after every step."""

from __future__ import annotations

import pytest

from tests.model.histories import generate
from tests.model.replay import fails, shrink


@pytest.mark.parametrize("seed", range(40))
def test_decisions_and_model_agree(seed: int) -> None:
    history = generate(seed, 40)
    error = fails(history, seed)
    if error is not None:
        steps = "\n".join(map(str, shrink(history, seed)))
        raise AssertionError(f"{error}\nafter\n{steps}") from error
