"""How late the event loop is: what any request may have had to wait for work that does not yield."""

import asyncio
import time
from collections.abc import Callable

_INTERVAL = 0.05


async def measure_loop_lag(observe: Callable[[float], None]) -> None:
    """Tell, many times a second and until cancelled, by how many seconds the loop was late."""
    while True:
        due = time.monotonic() + _INTERVAL
        await asyncio.sleep(_INTERVAL)
        observe(max(0.0, time.monotonic() - due))
