"""Work that goes on while something is used, and does not fail silently."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def background(work: Iterable[Coroutine[Any, Any, Any]]) -> AsyncIterator[None]:
    """Run coroutines until the body ends. If one raises, the body is cancelled and that exception is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as errors:
        # Callers expect the body's own errors; those of tasks come first.
        raise errors.exceptions[0] from None
