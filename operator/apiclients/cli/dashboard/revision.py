"""Counts the changes of what the pages show, and wakes whoever waits for the next one."""

import asyncio


class Revision:
    """The number of the latest change."""

    def __init__(self) -> None:
        """Nothing has changed yet."""
        self.number = 0
        self._changed = asyncio.Event()

    def advance(self) -> None:
        """Something has changed."""
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, number: int) -> int:
        """Wait for a revision other than this one, and return it."""
        while self.number == number:
            await self._changed.wait()
        return self.number
