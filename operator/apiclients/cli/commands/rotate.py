"""``rotate NAME|-l SELECTOR|--all``: asks for new secrets."""

import argparse
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "rotate",
        help="ask for new secrets",
        description="Ask the operator for a new secret, by the annotation apiclients.dev/rotate-requested alone: "
        "nothing that Git owns is touched. The previous secret stays valid for spec.secret.overlap, and issued tokens "
        "live on. A request that is still unanswered is not made twice. While a client is suspended, held or retired "
        "its request waits. After a leak use --revoke-previous: it sets spec.secret.notBefore to the present, so "
        "that every secret and token issued before is refused at once and for good, also while the client is stopped.",
        parents=[
            options.waiting("the operator has answered"),
            options.dry_run(),
            options.common(),
        ],
    )
    parser.add_argument("names", nargs="*", metavar=options.CLIENT, help="the clients")
    parser.add_argument("-l", "--selector", metavar="SELECTOR", help="the clients with these labels")
    parser.add_argument("--all", action="store_true", help="all clients of the namespace")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="with -l or --all: in all namespaces")
    parser.add_argument(
        "--request",
        metavar="TOKEN",
        help="name of this request: given again, it rotates nothing again. Default: a new one by the time",
    )
    parser.add_argument(
        "--revoke-previous",
        action="store_true",
        help="no overlap: every secret and token issued until now is revoked for good (spec.secret.notBefore)",
    )
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Ask for them, as many as can be; exit status 1 when one could not be asked for, or was not answered in time."""
    from apiclients.cli.actions.revoking import revoke
    from apiclients.cli.actions.rotating import rotate
    from apiclients.cli.actions.targets import named, require_one_way, selected
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.errors import CliError

    require_one_way(args, "rotate", all_too=True)
    if args.all_namespaces and args.names:
        raise CliError("-A goes with -l or --all: with names, say which namespace (-n)")
    if args.request is not None and not 0 < len(args.request) <= 253:
        raise CliError("--request takes a name of 1 to 253 characters")
    if args.request is not None and args.revoke_previous:
        raise CliError("--request names a rotation with overlap: leave it out with --revoke-previous")
    async with connect(args) as session:
        where = None if args.all_namespaces else session.namespace
        absent: list[str] = []
        if args.names:
            found, absent = await named(session, args.names)
        else:
            found = await selected(session, args.selector, where)
        ask = revoke if args.revoke_previous else rotate
        return 1 if await ask(session, found, absent, args) else 0
