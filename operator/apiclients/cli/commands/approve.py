"""``approve [NAMESPACE/]CONTRACT``: the ContractApproval that approves it."""

import argparse
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "approve",
        help="print the approval of a contract",
        description="Print the ContractApproval to put into Git that approves a contract, as the Api's owner: -n is "
        "the namespace of the Api. Where there is an approval for it already, print the change of that one. The "
        "cluster is only read.",
        parents=[options.repository("the approval, if there is one already"), options.common()],
    )
    parser.add_argument("contract", nargs="?", metavar=options.CONTRACT, help="the contract; without: what waits")
    parser.add_argument("--name", metavar="NEWNAME", help="name of a new approval; default: by contract and plan")
    parser.add_argument("--reason", metavar="TEXT", help="shown to the consumer")
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Print it."""
    from apiclients.cli.actions.ruling import rule
    from apiclients.resources.approval import Decision

    return await rule(args, Decision.APPROVED)
