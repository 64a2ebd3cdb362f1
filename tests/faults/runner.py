"""Runs stories by their seeds, and makes one that fails short."""

import traceback

from tests.faults.arena import Arena
from tests.faults.campaign import Teller
from tests.faults.stories import Story, story


def failure(arena: Arena, steps: Story) -> str | None:
    """What is wrong with a story, or None."""
    arena.ensure()
    try:
        Teller(arena).tell(steps)
    except AssertionError as error:
        return str(error)
    except Exception:
        return traceback.format_exc()
    return None


def shortened(arena: Arena, seed: int, steps: int, tries: int) -> list[int]:
    """The numbers of those steps of a story that are enough for it to fail, after so many tries at most."""
    whole = story(seed, steps)
    kept, size = list(range(len(whole))), len(whole) // 2
    while size and tries:
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            if not tries:
                break
            tries -= 1
            if rest and failure(arena, [whole[number] for number in rest]):
                kept = rest
                break
        else:
            size //= 2
    return kept


def replay_command(seed: int, steps: int, kept: list[int]) -> str:
    """How to tell a short story again."""
    numbers = ",".join(map(str, kept))
    return f"python -m tests.faults --seed {seed} --steps {steps} --only {numbers}"
