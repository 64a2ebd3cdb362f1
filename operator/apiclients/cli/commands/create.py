"""``create NAME``: the YAML of a new client, with its contracts."""

import argparse
import sys
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "create",
        help="print the YAML of a new client, with its contracts",
        description="Print the YAML of a new client, with a contract for each plan of an Api that it is to use. It "
        "goes into Git; nothing is changed in the cluster, which is only asked what the contracts will wait for.",
        parents=[options.common()],
    )
    parser.add_argument("name", metavar="NEWNAME", help="name of the new client, such as billing-1.0")
    parser.add_argument(
        "--contract",
        dest="contracts",
        action="append",
        default=[],
        metavar="NAMESPACE/API:PLAN",
        help="a plan that it is to use; repeatable",
    )
    parser.add_argument("--owner", metavar="OWNER", help="whom to ask about it, such as an address of the team")
    parser.add_argument("--client", metavar="CLIENT", help="what its versions have in common, such as billing")
    parser.add_argument("--client-version", metavar="VERSION", help="its version, such as 1.0")
    parser.add_argument("--display-name", metavar="TEXT", help="a name for people")
    parser.add_argument("--secret-name", metavar="NEWNAME", help="name of its Secret; default: by its own name")
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Print it."""
    from apiclients.cli.actions.creating import look_around, require_absent, waits_for
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.git.new_client import NewClient, new_client, wanted
    from apiclients.cli.screens.output import render_data
    from apiclients.cli.screens.printing import warn
    from apiclients.cli.screens.text import write

    contracts = tuple(wanted(text) for text in args.contracts)
    async with connect(args) as session:
        new = NewClient(
            session.namespace,
            args.name,
            args.client,
            args.client_version,
            args.display_name,
            args.owner,
            args.secret_name,
            contracts,
        )
        objects = new_client(new)
        await require_absent(session, args.name)
        warn(waits_for(objects, await look_around(session, new), session.now()))
    write(sys.stdout, "---\n".join(render_data(obj, "yaml") for obj in objects).rstrip("\n"))
    return 0
