"""``dashboard``: show clients in the browser."""

import argparse
from typing import Any

from apiclients.cli import options

#: The default is fixed, so that URLs can be shared and bookmarked.
PORT = 8910
_PORTS = range(65536)


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "dashboard",
        help="show clients in the browser: a read-only dashboard on this machine, with your own rights",
        description="Serve a read-only dashboard on 127.0.0.1 until interrupted: clients and what unblocks them, "
        "pending approvals, gates, and previews of changes. It reads with your own rights, and never a Secret. The "
        "printed link works once, in one browser, within 10 minutes.",
        parents=[options.repository("the clients"), options.system(), options.common()],
    )
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="show all namespaces")
    parser.add_argument(
        "--port",
        type=port,
        default=PORT,
        metavar="PORT",
        help="port on 127.0.0.1 (default: %(default)s); 0 takes a free one",
    )
    parser.set_defaults(func=run)


def port(text: str) -> int:
    """A port, or 0. Raises argparse.ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) not in _PORTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use 1 to 65535, or 0 for a free one")
    return int(text)


async def run(args: argparse.Namespace) -> int:
    """Serve them until interrupted."""
    from apiclients.cli.cluster.connection import connect, place
    from apiclients.cli.dashboard.serving import serve

    async with connect(args) as session:
        await serve(session, place(session, args), args.port, args.system_namespace, args.filename)
    return 0
