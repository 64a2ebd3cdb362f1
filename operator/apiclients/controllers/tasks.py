"""Running tasks together: what runs in the background is never forgotten, and its failure is everybody's."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

logger = logging.getLogger(__name__)

Tasks = frozenset[asyncio.Task[None]]


@asynccontextmanager
async def background(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[Tasks]:
    """Run tasks as long as the body. It waits with :func:`foreground`, which sees them fail."""
    tasks = frozenset(asyncio.create_task(coroutine) for coroutine in coroutines)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def foreground(work: Coroutine[Any, Any, object], services: Tasks) -> None:
    """Wait for the work. A background task that ends meanwhile ends the work with its error."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, *services}, return_when=asyncio.FIRST_COMPLETED)
        _raise_ended(services)
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _raise_ended(tasks: Tasks) -> None:
    for task in tasks:
        if task.done():
            task.result()
            raise RuntimeError("a background task ended without an error")


async def until_signal(work: Callable[[], Awaitable[None]]) -> None:
    """Do the work until it ends or SIGTERM or SIGINT comes."""
    task = asyncio.ensure_future(work())
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
        logger.info("Stopped by a signal")
