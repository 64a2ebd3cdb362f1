"""Long work in the event loop, in slices: whoever else has something to do gets a turn in between."""

import asyncio
import time
from collections.abc import Iterator

from apiclients.kube.objects import Page

#: Far less than anybody notices, even if each of several watches takes one slice.
SLICE_SECONDS = 0.002
#: Reading so many objects takes about a millisecond.
_PART = 10


class Pace:
    """Counts from the last turn of the others."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def pause(self) -> None:
        """Give the others a turn, if this slice has been long enough."""
        if time.monotonic() - self._since >= SLICE_SECONDS:
            await asyncio.sleep(0)
            self._since = time.monotonic()


def parts(page: Page) -> Iterator[Page]:
    """A page in parts, for between them others have a turn. One without objects has a version, too."""
    for start in range(0, max(1, len(page.items)), _PART):
        yield Page(page.items[start : start + _PART], page.resource_version)
