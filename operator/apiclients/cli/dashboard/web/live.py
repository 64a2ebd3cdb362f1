"""Server-sent events that tell a page to fetch itself again."""

import asyncio
from contextlib import suppress

from aiohttp import web

from apiclients.cli.dashboard.state.board import Board

#: Changes within this time are sent as one event.
_SETTLE_SECONDS = 0.1
#: The least time between two events, so that constant changes do not render pages constantly.
_PAUSE_SECONDS = 0.3
#: The heartbeat, which also refreshes ages and what is not watched.
_BEAT_SECONDS = 15.0
#: The limit of open pages.
_MOST_PAGES = 32


class Live:
    """The handler of ``/live``."""

    def __init__(self, board: Board) -> None:
        """``board`` counts the changes."""
        self._board = board
        self._open = 0

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send the present revision and each later one, until the page is closed."""
        if self._open >= _MOST_PAGES:
            return web.Response(status=503, text=f"Too many open pages ({_MOST_PAGES}): close some.\n")
        self._open += 1
        try:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            with suppress(ConnectionResetError):
                await self._publish(response)
            return response
        finally:
            self._open -= 1

    async def _publish(self, response: web.StreamResponse) -> None:
        revision = self._board.revision
        await response.write(f"retry: 1000\nevent: change\ndata: {revision}\n\n".encode())
        while True:
            try:
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self._board.after(revision)
                    await asyncio.sleep(_SETTLE_SECONDS)
                revision = self._board.revision
                await response.write(f"event: change\ndata: {revision}\n\n".encode())
                await asyncio.sleep(_PAUSE_SECONDS)
            except TimeoutError:
                await response.write(b"event: beat\ndata: 0\n\n")
