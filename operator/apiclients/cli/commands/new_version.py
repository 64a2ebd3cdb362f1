"""``new-version NAME VERSION``: the YAML of a new version of a client, with its contracts."""

import argparse
import sys
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "new-version",
        help="print the YAML of a new version of a client, with its contracts",
        description="Print the YAML of a new version of a client, with its contracts, made from a version that is "
        "there, retired or not. It goes into Git; nothing is changed in the cluster. The new version gets a client "
        "id and a Secret of its own.",
        parents=[options.common()],
    )
    parser.add_argument("name", metavar=options.CLIENT, help="the version that is there")
    parser.add_argument("version", metavar="VERSION", help="the new version, such as 2.0")
    parser.add_argument(
        "--name", dest="new_name", metavar="NEWNAME", help="name of the new object; default: by the version"
    )
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Print it."""
    from apiclients.cli.cluster.absent import why_absent
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.cluster.gather import permitted, readable
    from apiclients.cli.cluster.unread import Unread
    from apiclients.cli.errors import CliError
    from apiclients.cli.git.versions import new_version
    from apiclients.cli.screens.output import render_data
    from apiclients.cli.screens.printing import warn
    from apiclients.cli.screens.text import write
    from apiclients.kube.errors import NotFoundError
    from apiclients.kube.kinds import API_CLIENTS, CONTRACTS
    from apiclients.resources.objects import Contract

    unread: list[Unread] = []
    async with connect(args) as session:
        try:
            raw = await session.kube.get(API_CLIENTS, session.namespace, args.name)
        except NotFoundError:
            raise CliError(await why_absent(session, args.name)) from None
        listing = session.objects(CONTRACTS, session.namespace, fields=f"spec.clientName={args.name}")
        contracts = readable(
            await permitted(listing, [], CONTRACTS, "its contracts", unread), CONTRACTS, Contract, unread
        )
    made = new_version(raw, contracts, args.version, args.new_name)
    warn([*map(str, unread), *made.notes])
    write(sys.stdout, "---\n".join(render_data(obj, "yaml") for obj in made.objects).rstrip("\n"))
    return 0
