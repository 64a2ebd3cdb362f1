"""Tells what happens, with the command and the measured time, and stops the story when it is not as told."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.002


class StoryError(RuntimeError):
    """Something was not as told."""


class Narrator:
    """Writes the story to stdout, one line per fact."""

    def __init__(self) -> None:
        self._chapter = 0

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """A step of the story, numbered, with the time that it took."""
        self._chapter += 1
        self._write(f"\n{self._chapter}. {title}")
        started = time.monotonic()
        yield
        self._write(f"   ({time.monotonic() - started:.1f} s)")

    def command(self, text: str) -> None:
        """A command that is run."""
        self._write(f"   $ {text}")

    def fact(self, text: str) -> None:
        """Something that was seen."""
        self._write(f"   ✓ {text}")

    def output(self, text: str) -> None:
        """What a command printed."""
        for line in text.rstrip().splitlines():
            self._write(f"     {line}")

    def check(self, claim: str, truth: bool, seen: object = "") -> None:
        """A claim that must be true. Raises StoryError."""
        if not truth:
            self._write(f"   ✗ {claim}: {seen}")
            raise StoryError(f"not as told: {claim} (seen: {seen})")
        self.fact(claim)

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def until(what: str, probe: Callable[[], T | None], *, seconds: float = 30.0, pause: float = _POLL_SECONDS) -> T:
    """Probe until it returns something that is not None. Raises StoryError after ``seconds``."""
    end = time.monotonic() + seconds
    while (seen := probe()) is None:
        if time.monotonic() > end:
            raise StoryError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(pause)
    return seen
