"""Shows a screen again whenever something that it shows changes, and the text of that of ``status``."""

import argparse
import asyncio
import sys
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from itertools import accumulate
from shutil import get_terminal_size
from typing import NoReturn, TextIO

from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.gather import Around
from apiclients.cli.screens.output import render_data, to_json
from apiclients.cli.screens.printing import warn
from apiclients.cli.screens.status import status_view
from apiclients.cli.screens.status_text import render_status
from apiclients.cli.screens.text import style_for, visible, write
from apiclients.kube.errors import ForbiddenError, KubeError
from apiclients.kube.objects import ResourceType

#: Several changes that come together are shown together.
_SETTLE_SECONDS = 0.15
#: Ages move also when nothing happens; on a terminal alone.
_TICK_SECONDS = 10.0
_RETRY_SECONDS = 2.0
#: Between looks at what may not be watched.
_POLL_SECONDS = 5.0
_HOME_AND_CLEAR = "\x1b[H\x1b[2J"
_SEPARATOR = "---"
#: A terminal that says less does not know.
_FEWEST_ROWS = 5


def status_text(around: Around, args: argparse.Namespace, stream: TextIO) -> str:
    """The screen of ``status``, or its data, in the format that was asked for."""
    view = status_view(around)
    if args.output != "text":
        return render_data(to_json(view), args.output).rstrip("\n")
    return render_status(view, style_for(stream, args.color))


async def watch(
    session: Session,
    namespace: str | None,
    resources: Iterable[ResourceType],
    draw: Callable[[], Awaitable[str]],
    output: str,
) -> NoReturn:
    """Show what ``draw`` returns again whenever it changes, until interrupted. Raises what ``draw`` raises.

    ``resources`` are followed in the namespace, None for all. ``output`` is the format that was asked for.
    """
    changed = asyncio.Event()
    shown = _redraw(await draw(), None, output)  # a wrong name shows before anything is watched
    watchers = [asyncio.create_task(_follow(session, resource, namespace, changed)) for resource in resources]
    try:
        while True:
            await _next_change(changed)
            shown = _redraw(await draw(), shown, output)
    finally:
        for task in watchers:
            task.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


async def _next_change(changed: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_TICK_SECONDS if sys.stdout.isatty() else None):
            await changed.wait()
            await asyncio.sleep(_SETTLE_SECONDS)
    changed.clear()


def _redraw(text: str, shown: str | None, output: str) -> str:
    """Show what is new: in place on a terminal, data and all else below what was shown; returns it."""
    stream = sys.stdout
    in_place = stream.isatty() and output not in ("json", "yaml")
    if in_place:
        size = get_terminal_size()
        text = fitted(text, size.lines, size.columns)
    if text == shown:
        return text
    if in_place:
        stream.write(_HOME_AND_CLEAR)
    elif shown is not None and output != "json":
        write(stream, _SEPARATOR)
    write(stream, text)
    return text


def fitted(text: str, rows: int, columns: int) -> str:
    """A screen that a terminal can hold, beginning with the headline; the last row is the cursor's."""
    lines = text.splitlines()
    ends = list(accumulate(max(1, -(-visible(line) // columns)) for line in lines))
    if not ends or ends[-1] < rows or rows < _FEWEST_ROWS:
        return text
    kept = lines[: bisect_right(ends, rows - 2)]
    return "\n".join([*kept, f"… {len(lines) - len(kept)} more lines: enlarge the window, or look without -w"])


async def _follow(session: Session, resource: ResourceType, namespace: str | None, changed: asyncio.Event) -> None:
    """Tell of changes of a kind. What may be listed and not watched is looked at again and again instead."""
    while True:
        try:
            version = await _version(session, resource, namespace)
        except ForbiddenError:
            return  # nothing of it is on the screen, which says so
        except KubeError:
            await asyncio.sleep(_RETRY_SECONDS)
            continue
        changed.set()  # what came between reading and watching is not lost
        try:
            async for event in session.kube.watch(resource, namespace, resource_version=version):
                if event.type != "BOOKMARK":
                    changed.set()
        except ForbiddenError:
            warn([f"you may not watch {resource.plural}: they are read every {_POLL_SECONDS:g} s instead"])
            await _poll(changed)
        except KubeError:
            await asyncio.sleep(_RETRY_SECONDS)


async def _poll(changed: asyncio.Event) -> NoReturn:
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        changed.set()


async def _version(session: Session, resource: ResourceType, namespace: str | None) -> str:
    async with aclosing(session.kube.pages(resource, namespace, metadata_only=True, page_size=1)) as pages:
        return (await anext(pages)).resource_version
