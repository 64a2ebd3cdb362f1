"""``suspend NAME``: the change that suspends a client."""

import argparse
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    from apiclients.cli.commands.changing_options import add_options

    parser = subparsers.add_parser(
        "suspend",
        help="print the change that suspends a client",
        description="Print the change to make in Git that suspends a client: its tokens and secrets are refused, and "
        "nothing is lost. The cluster is only read. With --live the change is made there, after showing what it stops.",
        parents=[
            options.repository("the client"),
            options.waiting("every gate obeys it, with --live"),
            options.dry_run(),
            options.common(),
        ],
    )
    add_options(parser)
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Print or make it."""
    from apiclients.cli.actions.changing import change
    from apiclients.cli.actions.proposing import SUSPEND

    return await change(args, SUSPEND)
