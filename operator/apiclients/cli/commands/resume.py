"""``resume NAME``: the change that makes a client available again."""

import argparse
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    from apiclients.cli.commands.changing_options import add_options

    parser = subparsers.add_parser(
        "resume",
        help="print the change that makes a client available again",
        description="Print the change to make in Git that makes a suspended or retired client available again. The "
        "cluster is only read. With --live the change is made there, after asking. A hold is not lifted by it: see "
        "release.",
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
    from apiclients.cli.actions.proposing import RESUME

    return await change(args, RESUME)
