"""Waiting for conditions instead of for time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any


async def until(condition: Callable[[], object], what: str = "", seconds: float = 20.0) -> None:
    """Wait until `condition()` is true; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {seconds} s: {what or condition}"
        await asyncio.sleep(0.005)


async def eventually(condition: Callable[[], Coroutine[Any, Any, bool]], seconds: float = 15.0) -> None:
    """Wait until the coroutine `condition()` returns True; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
