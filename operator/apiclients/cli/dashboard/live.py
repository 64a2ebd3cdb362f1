"""Tells a page that something is other than it shows, by server-sent events; the page then asks for itself again."""

import asyncio
from contextlib import suppress

from aiohttp import web

from apiclients.cli.dashboard.board import Board

#: Changes that come together are told together.
_SETTLE_SECONDS = 0.1
#: Between two tellings: pages are not made all the time where clients change all the time.
_PAUSE_SECONDS = 0.3
#: What says that the dashboard is still there, and moves ages.
_BEAT_SECONDS = 15.0
#: So many pages may be open.
_MOST_PAGES = 32


class Live:
    """The handler of ``/live``."""

    def __init__(self, board: Board) -> None:
        """``board`` tells what changes."""
        self._board = board
        self._open = 0

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Tell the revision now, and each later one, until the page goes."""
        if self._open >= _MOST_PAGES:
            return web.Response(status=503, text=f"{_MOST_PAGES} pages are open: close some.\n")
        self._open += 1
        try:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            with suppress(ConnectionResetError):
                await self._tell(response)
            return response
        finally:
            self._open -= 1

    async def _tell(self, response: web.StreamResponse) -> None:
        revision = self._board.seen().revision
        await response.write(f"retry: 1000\nevent: change\ndata: {revision}\n\n".encode())
        while True:
            try:
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self._board.after(revision)
                    await asyncio.sleep(_SETTLE_SECONDS)
                revision = self._board.seen().revision
                await response.write(f"event: change\ndata: {revision}\n\n".encode())
                await asyncio.sleep(_PAUSE_SECONDS)
            except TimeoutError:
                await response.write(b"event: beat\ndata: 0\n\n")
