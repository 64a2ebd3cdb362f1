"""``python -m tests.faults --stories 100 --steps 50 --seed 1``: random stories against a cluster of its own."""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.arena import Arena, open_arena
from tests.faults.runner import failure, replay_command, shortened
from tests.faults.stories import story


def main() -> int:
    """Exits with 1 if a story failed; it is made short and printed."""
    parser = argparse.ArgumentParser("python -m tests.faults", description="Random stories with faults.")
    parser.add_argument("--stories", type=int, default=1, help="how many (%(default)s)")
    parser.add_argument("--steps", type=int, default=50, help="steps of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first; the next ones count on (%(default)s)")
    parser.add_argument("--only", help="tell only these steps of one story: numbers with commas between them")
    parser.add_argument("--shrink", type=int, default=12, help="tries to make a failure short (%(default)s)")
    found = parser.parse_args()
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    failed = 0
    with tempfile.TemporaryDirectory() as folder, open_arena(Path(folder)) as arena:
        if found.only:
            return _replay(arena, found.seed, found.steps, [int(number) for number in found.only.split(",")])
        for seed in range(found.seed, found.seed + found.stories):
            failed += not _passes(arena, seed, found.steps, found.shrink)
    print(f"{found.stories - failed} of {found.stories} stories as they must be")
    return 1 if failed else 0


def _passes(arena: Arena, seed: int, steps: int, tries: int) -> bool:
    began = time.monotonic()
    problem = failure(arena, story(seed, steps))
    print(f"seed {seed}: {'failed' if problem else 'good'}, {time.monotonic() - began:.0f} s", flush=True)
    if not problem:
        return True
    print(problem)
    kept, whole = shortened(arena, seed, steps, tries), story(seed, steps)
    print(f"{len(kept)} of {len(whole)} steps are enough:")
    for number in kept:
        print(f"  {number}: {whole[number]}")
    print(f"again: {replay_command(seed, steps, kept)}", flush=True)
    return False


def _replay(arena: Arena, seed: int, steps: int, numbers: list[int]) -> int:
    whole = story(seed, steps)
    problem = failure(arena, [whole[number] for number in numbers])
    print(problem or "good")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
