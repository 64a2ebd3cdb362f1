"""Shows the screen of ``status``, once or again whenever something about the client changes."""

import argparse
import asyncio
import sys
from contextlib import aclosing, suppress
from typing import TextIO

from apiclients.cli.connection import Session
from apiclients.cli.gather import Around, gather
from apiclients.cli.output import print_data, to_json
from apiclients.cli.render.status import render_status
from apiclients.cli.text import style_for, write
from apiclients.cli.views.status import status_view
from apiclients.kube.errors import ForbiddenError, KubeError
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, CONTRACTS
from apiclients.kube.objects import EVENTS, ResourceType

#: Several changes that come together are shown together.
_SETTLE_SECONDS = 0.15
#: Ages move also when nothing happens; on a terminal alone.
_TICK_SECONDS = 10.0
_RETRY_SECONDS = 2.0
_HOME_AND_CLEAR = "\x1b[H\x1b[2J"
_SEPARATOR = "---"


def show(around: Around, args: argparse.Namespace, stream: TextIO) -> None:
    """Show the screen once."""
    view = status_view(around)
    if args.output != "text":
        print_data(to_json(view), args.output)
        return
    write(stream, render_status(view, style_for(stream, args.color)))


async def watch(session: Session, args: argparse.Namespace) -> None:
    """Show the screen again whenever it changes, until interrupted. Raises CliError when the client goes, KubeError."""
    changed = asyncio.Event()
    resources = (API_CLIENTS, CONTRACTS, API_CLIENT_HOLDS, EVENTS)
    first = await gather(session, args.name)  # a wrong name shows before anything is watched
    watchers = [asyncio.create_task(_follow(session, resource, changed)) for resource in resources]
    try:
        shown = _redraw(first, args, None)
        while True:
            await _next_change(changed)
            shown = _redraw(await gather(session, args.name), args, shown)
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


def _redraw(around: Around, args: argparse.Namespace, shown: str | None) -> str:
    """Show what is new: in place on a terminal, else below; returns what was shown."""
    stream = sys.stdout
    if args.output != "text":
        show(around, args, stream)
        return ""
    text = render_status(status_view(around), style_for(stream, args.color))
    if text == shown:
        return text
    if stream.isatty():
        stream.write(_HOME_AND_CLEAR)
    elif shown is not None:
        write(stream, _SEPARATOR)
    write(stream, text)
    return text


async def _follow(session: Session, resource: ResourceType, changed: asyncio.Event) -> None:
    """Tell of changes of a kind in the namespace, for as long as it may be watched."""
    while True:
        try:
            version = await _version(session, resource)
            changed.set()  # what came between reading and watching is not lost
            async for event in session.kube.watch(resource, session.namespace, resource_version=version):
                if event.type != "BOOKMARK":
                    changed.set()
        except ForbiddenError:
            return
        except KubeError:
            await asyncio.sleep(_RETRY_SECONDS)


async def _version(session: Session, resource: ResourceType) -> str:
    async with aclosing(session.kube.pages(resource, session.namespace, metadata_only=True, page_size=1)) as pages:
        return (await anext(pages)).resource_version
