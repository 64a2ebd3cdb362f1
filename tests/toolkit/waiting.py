"""Waiting for conditions instead of for time.

A wait costs what the condition takes, so its limit is generous: machines are slow at times, and a limit is only met by
a failure. Whoever waits in vain is told what was awaited, for how long, and what was seen last.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, overload

T = TypeVar("T")

#: How long anything may take that is promised to happen, but not when. Seconds, as all of these.
PATIENCE = 90.0
_PAUSE = 0.02
_QUIET = 1.5


def eventually(what: str, probe: Callable[[], T | None], *, seconds: float = PATIENCE, pause: float = _PAUSE) -> T:
    """Probe until the answer is true, and return it. AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    while not (seen := probe()):
        assert time.monotonic() < end, _in_vain(what, seconds, seen)
        time.sleep(pause)
    return seen


@overload
async def async_eventually(
    what: str, probe: Callable[[], Awaitable[T | None]], *, seconds: float = ..., pause: float = ...
) -> T: ...


@overload
async def async_eventually(
    what: str, probe: Callable[[], T | None], *, seconds: float = ..., pause: float = ...
) -> T: ...


async def async_eventually(
    what: str, probe: Callable[[], Any], *, seconds: float = PATIENCE, pause: float = 0.005
) -> Any:
    """The same in an event loop; the probe may be a coroutine function. AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        answer = probe()
        seen = await answer if inspect.isawaitable(answer) else answer
        if seen:
            return seen
        assert time.monotonic() < end, _in_vain(what, seconds, seen)
        await asyncio.sleep(pause)


def agreed(what: str, differences: Callable[[], Sequence[str]], *, seconds: float = PATIENCE) -> None:
    """Wait until nothing differs any more from what is expected. AssertionError, with all differences."""
    end = time.monotonic() + seconds
    while found := differences():
        assert time.monotonic() < end, f"not as expected within {seconds:g} s: {what}: " + "; ".join(found)
        time.sleep(0.05)


def settled(what: str, probe: Callable[[], T], *, quiet: float = _QUIET, seconds: float = PATIENCE) -> T:
    """Probe until the answer has been the same for ``quiet`` seconds, and return it. AssertionError after ``seconds``.

    For what has no condition of its own: that nothing happens any more.
    """
    end = time.monotonic() + seconds
    seen, since = probe(), time.monotonic()
    while time.monotonic() - since < quiet:
        assert time.monotonic() < end, f"does not settle within {seconds:g} s: {what}; seen last: {seen!r}"
        time.sleep(0.1)
        if (now := probe()) != seen:
            seen, since = now, time.monotonic()
    return seen


def _in_vain(what: str, seconds: float, seen: object) -> str:
    return f"not within {seconds:g} s: {what}; seen last: {seen!r}"
