"""``hold NAME|-l SELECTOR --reason TEXT``: the emergency stop."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "hold",
        help="stop clients at once; Git does not undo it",
        description="Stop clients at once: every token and secret is refused until the hold is released or ends. "
        "Applying Git again does not undo it. The right to create ApiClientHolds is all that it takes to stop a client "
        "by its name. -l makes one hold, by name, for each client that it selects now.",
        parents=[
            options.waiting("every replica of the gate has applied the hold"),
            options.system(),
            options.dry_run(),
            options.common(),
        ],
    )
    parser.add_argument("names", nargs="*", metavar=options.CLIENT, help="the clients to stop")
    parser.add_argument("-l", "--selector", metavar="SELECTOR", help="the clients to stop, by their labels")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for whoever finds it")
    parser.add_argument(
        "--for",
        dest="lasting",
        type=options.duration,
        metavar="TIME",
        help="the hold ends by itself after this time, such as 2h; default: it stays until it is released",
    )
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Stop them, as many as can be; exit status 1 when one could not be stopped, or not all gates confirmed."""
    from apiclients.cli.absent import why_absent
    from apiclients.cli.connection import connect
    from apiclients.cli.errors import CliError
    from apiclients.cli.holding import hold_object, place_holds
    from apiclients.cli.targets import require_one_way, selected

    require_one_way(args, "hold")
    if not args.reason.strip():
        raise CliError("give a reason, for whoever finds the hold: --reason 'key leaked, ticket 4711'")
    async with connect(args) as session:
        if args.selector is not None:
            names = [obj["metadata"]["name"] for obj in await selected(session, args.selector, session.namespace)]
            unknown: Sequence[str] = ()
        else:
            names, unknown = await known_names(session, args.names)
        for name in unknown:
            print(f"error: nothing was stopped: {await why_absent(session, name)}", file=sys.stderr)
        holds = [hold_object(name, args.reason, args.lasting, session.now()) for name in names]
        failed = await place_holds(session, holds, args)
    return 1 if unknown or failed else 0


async def known_names(session: Any, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of clients that are there, and of those that are not; all count as there where they may not be read."""
    from apiclients.cli.listing import warn
    from apiclients.cli.targets import named
    from apiclients.kube.errors import ForbiddenError

    try:
        found, absent = await named(session, names)
    except ForbiddenError:
        warn(["you may not read ApiClients, so the names could not be checked: mind how they are spelled"])
        return list(dict.fromkeys(names)), []
    return [obj["metadata"]["name"] for obj in found], absent
