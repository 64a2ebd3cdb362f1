"""Answers lines on standard input, one after another, with the function that the first word names."""

import sys
from collections.abc import Callable

Answer = Callable[..., object]


def answer_lines(**functions: Answer) -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        name, *words = line.split()
        print(functions[name](*words), flush=True)


def refused(error: Exception) -> str:
    """What a verifier answers to a token that it refuses; the reason goes into the log."""
    print(repr(error), file=sys.stderr)
    return "refused"
