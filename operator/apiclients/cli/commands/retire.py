"""``retire NAME``: the change that retires a client."""

import argparse
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    from apiclients.cli.commands.changing_options import add_options

    parser = subparsers.add_parser(
        "retire",
        help="print the change that retires a client",
        description="Print the change to make in Git that retires a client and acknowledges the contracts that this "
        "ends. It is refused at once, and destroyed after spec.retirement.gracePeriod. The cluster is only read. With "
        "--live the change is made there, after showing the contracts and having the client's name typed.",
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
    from apiclients.cli.actions.proposing import RETIRE

    return await change(args, RETIRE)
