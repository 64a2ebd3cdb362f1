"""``reject [NAMESPACE/]CONTRACT``: the ContractApproval that rejects it."""

import argparse
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "reject",
        help="print the rejection of a contract",
        description="Print the ContractApproval to put into Git that rejects a contract, as the Api's owner: -n is the "
        "namespace of the Api. Where there is an approval for it already, print the change of that one, which "
        "ends what it let in. The cluster is only read.",
        parents=[options.repository("the approval, if there is one already"), options.common()],
    )
    parser.add_argument("contract", nargs="?", metavar=options.CONTRACT, help="the contract; without: what waits")
    parser.add_argument("--name", metavar="NEWNAME", help="name of a new approval; default: by contract and plan")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="shown to the consumer: why, and what to do")
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Print it."""
    from apiclients.cli.actions.ruling import rule
    from apiclients.resources.approval import Decision

    return await rule(args, Decision.REJECTED)
