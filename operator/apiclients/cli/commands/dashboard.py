"""``dashboard``: look at clients in the browser."""

import argparse
from typing import Any

from apiclients.cli import options

#: Where the pages are unless another port is asked for: an address that can be shared and kept stays the same.
PORT = 8910
_PORTS = range(65536)


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "dashboard",
        help="look at clients in the browser: pages on this machine, with your own rights, that change nothing",
        description="Serve pages on 127.0.0.1 that show clients as they are now, and what would unblock them, until "
        "interrupted. They are read with your own rights, no Secret among them, and nothing can be changed there. The "
        "link that is printed opens them once, in one browser, within 10 minutes.",
        parents=[options.repository("the clients"), options.system(), options.common()],
    )
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="look in all namespaces")
    parser.add_argument(
        "--port", type=port, default=PORT, metavar="PORT", help="port on 127.0.0.1 (%(default)s); 0: one that is free"
    )
    parser.set_defaults(func=run)


def port(text: str) -> int:
    """A port, or 0. Raises argparse.ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) not in _PORTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; use 1 to 65535, or 0 for one that is free")
    return int(text)


async def run(args: argparse.Namespace) -> int:
    """Serve them until interrupted."""
    from apiclients.cli.cluster.connection import connect, place
    from apiclients.cli.dashboard.serving import serve

    async with connect(args) as session:
        await serve(session, place(session, args), args.port, args.system_namespace, args.filename)
    return 0
