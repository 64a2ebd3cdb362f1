"""``status NAME [-w]``: one screen about one client."""

import argparse
import sys
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "status",
        help="show one client: contracts, credentials, holds, history, events",
        description="Show one client on one screen: its effective status and why, its contracts, their plans "
        "and approvals, its credentials with their ages, what happens next, who changed it, and its "
        "events. Secrets are never read.",
        parents=[options.output(options.SCREEN_FORMATS), options.common()],
    )
    parser.add_argument("name", metavar=options.CLIENT, help="the client")
    parser.add_argument("-w", "--watch", action="store_true", help="stay, and show the screen again when it changes")
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Show the screen; with ``-w`` until interrupted."""
    from apiclients.cli.connection import connect
    from apiclients.cli.gather import gather
    from apiclients.cli.screen import show, watch

    async with connect(args) as session:
        if args.watch:
            await watch(session, args)
            return 0
        show(await gather(session, args.name), args, sys.stdout)
        return 0
