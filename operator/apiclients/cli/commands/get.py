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
    parser.add_argument("--held", action="store_true", help="only those that a hold stops")
    parser.add_argument("--owner", metavar="OWNER", help="only those of this owner; * stands for anything")
    parser.add_argument(
        "--status", metavar="STATUS", help="only those with this effective status, such as Available, Held or Expired"
    )
    parser.set_defaults(func=run)


def known_status(status: str | None) -> str | None:
    """A status to look for. Raises CliError for one that there is not: it would read as "none of them"."""
    from apiclients.cli.errors import CliError
    from apiclients.lifecycle.effective import Effective

    if status is not None and status.lower() not in {known.lower() for known in Effective}:
        raise CliError(f"--status {status} is no status: choose one of {', '.join(Effective)}")
    return status


async def run(args: argparse.Namespace) -> int:
    """List them. Exit status 1 when a named client is not there."""
    from apiclients.cli.connection import connect, place
    from apiclients.cli.gather import optional, readable
    from apiclients.cli.listing import print_listing, warn
    from apiclients.cli.views.listing import Filter, client_lines, client_table
    from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
    from apiclients.resources.objects import ApiClientHold

    missing: list[str] = []
    status = known_status(args.status)
    async with connect(args) as session:
        namespace = place(session, args)
        raw = await session.objects(API_CLIENTS, namespace, labels=args.selector)
        reading = session.objects(API_CLIENT_HOLDS, namespace)
        holds = readable(
            await optional(reading, [], "holds: held clients may be shown as not held", missing), ApiClientHold, missing
        )
        now = session.now()
    wanted = Filter(tuple(args.names), args.not_ready, args.held, args.expiring, args.owner, status)
    pairs = [
        (obj, line) for obj, line in zip(raw, client_lines(raw, holds, now), strict=True) if wanted.lets(line, now)
    ]
    warn(missing)
    rows = client_table([line for _, line in pairs], now, wide=args.output == "wide", namespaces=args.all_namespaces)
    print_listing(API_CLIENTS, [obj for obj, _ in pairs], rows, args, f"in {namespace or 'any namespace'}", sys.stdout)
    there = {obj["metadata"]["name"] for obj in raw}
    absent = [name for name in args.names if name not in there]
    warn([f"there is no ApiClient {name} in {namespace or 'any namespace'}" for name in absent], "error")
    return 1 if absent else 0
