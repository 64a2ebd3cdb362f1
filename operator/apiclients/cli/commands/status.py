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
        "events. Secrets are never read. Who may read the gates' Leases sees of each gate whether it obeys.",
        parents=[options.output(options.SCREEN_FORMATS), options.system(), options.common()],
    )
    parser.add_argument("name", metavar=options.CLIENT, help="the client")
    parser.add_argument("-w", "--watch", action="store_true", help="stay, and show the screen again when it changes")
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Show the screen; with ``-w`` until interrupted."""
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.cluster.gather import gather
    from apiclients.cli.screens.screen import status_text, watch
    from apiclients.cli.screens.text import write
    from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, CONTRACTS
    from apiclients.kube.objects import EVENTS

    async with connect(args) as session:

        async def draw() -> str:
            around = await gather(session, args.name, gates_in=args.system_namespace)
            return status_text(around, args, sys.stdout)

        if args.watch:
            resources = (API_CLIENTS, CONTRACTS, API_CLIENT_HOLDS, EVENTS)
            await watch(session, session.namespace, resources, draw, args.output)
        write(sys.stdout, await draw())
        return 0
