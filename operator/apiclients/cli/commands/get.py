"""``get``: clients, by what people look for."""

import argparse
import sys
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "get",
        help="list clients, by what people look for",
        description="List clients with their effective status, as it is by now. Without a filter: "
        "all of the namespace.",
        parents=[options.output(options.LIST_FORMATS), options.selecting(), options.common()],
    )
    parser.add_argument("names", nargs="*", metavar=options.CLIENT, help="only these")
    parser.add_argument(
        "--not-ready", action="store_true", help="only those that are not ready, or not yet known to be"
    )
    parser.add_argument(
        "--expiring", type=options.duration, metavar="TIME", help="only those whose secret ends within, such as 14d"
    )
    parser.add_argument(
        "--unused", type=options.duration, metavar="TIME", help="only those that were not used for so long, such as 90d"
    )
    parser.add_argument("--held", action="store_true", help="only those that a hold stops")
    parser.add_argument("--owner", metavar="OWNER", help="only those of this owner; * stands for anything")
    parser.add_argument(
        "--status",
        metavar=options.STATUS,
        help="only those with this effective status, such as Available, Held or Expired",
    )
    parser.add_argument(
        "--sort-by",
        choices=("name", "age", "expires", "status", "owner", "contracts", "last-used"),
        help="age: the youngest first; expires: the next to expire first; contracts: the most first; last-used: those "
        "never used first, then the latest; default: by namespace and name",
    )
    parser.add_argument("-w", "--watch", action="store_true", help="stay, and show the list again when it changes")
    parser.set_defaults(func=run)


def known_status(status: str | None) -> str | None:
    """A status to look for. Raises CliError for one that there is not: it would read as "none of them"."""
    from apiclients.cli.errors import CliError
    from apiclients.lifecycle.effective import Effective

    if status is not None and status.lower() not in {known.lower() for known in Effective}:
        raise CliError(f"--status {status} is no status: choose one of {', '.join(Effective)}")
    return status


async def run(args: argparse.Namespace) -> int:
    """List them; with ``-w`` until interrupted. Exit status 1 when a named client is not there."""
    from apiclients.cli.actions.listing import list_clients, wanted
    from apiclients.cli.cluster.connection import connect, place
    from apiclients.cli.screens.printing import listing_text, nothing_found, print_listing, warn
    from apiclients.cli.screens.screen import watch
    from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS

    filter_ = wanted(args, known_status(args.status))
    async with connect(args) as session:
        namespace = place(session, args)
        where = f"in {namespace or 'any namespace'}"
        found = await list_clients(session, namespace, filter_, args)
        warn(found.warnings)
        warn([f"there is no ApiClient {name} {where}" for name in found.absent], "error")

        async def draw() -> str:
            now = await list_clients(session, namespace, filter_, args)
            return listing_text(API_CLIENTS, now.objects, now.rows, args.output) or nothing_found(where)

        if args.watch and not found.absent:
            await watch(session, namespace, (API_CLIENTS, API_CLIENT_HOLDS), draw, args.output)
    print_listing(API_CLIENTS, found.objects, found.rows, args, where, sys.stdout)
    return 1 if found.absent else 0
