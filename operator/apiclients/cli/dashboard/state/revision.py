"""Counts changes, and wakes those who wait for the next one."""

import asyncio


class Revision:
    """The number of the latest change."""

    def __init__(self) -> None:
        """Start at 0."""
        self.number = 0
        self._changed = asyncio.Event()

    def advance(self) -> None:
        """Count a change."""
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, number: int) -> int:
        """Wait for a revision other than this one, and return it."""
        while self.number == number:
            await self._changed.wait()
        return self.number
