"""``contracts NAME | --api NAMESPACE/NAME``: the contracts of a client or of an Api."""

import argparse
import sys
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "contracts",
        help="list the contracts of a client or of an Api",
        description="List the contracts of a client, or all contracts for an Api, whichever namespace they are in, or "
        "with neither all of the namespace.",
        parents=[options.output(options.LIST_FORMATS), options.selecting(), options.common()],
    )
    parser.add_argument("name", nargs="?", metavar=options.CLIENT, help="contracts of this client")
    parser.add_argument("--api", metavar=options.API, help="contracts for this Api")
    parser.add_argument(
        "--unused", type=options.duration, metavar="TIME", help="only those that were not used for so long, such as 90d"
    )
    parser.set_defaults(func=run)


def api_fields(api: str) -> list[str]:
    """The fields that select contracts for an Api. Raises CliError."""
    from apiclients.cli.errors import CliError

    namespace, _, name = api.partition("/")
    if not namespace or not name:
        raise CliError(f"--api {api} has no namespace: use --api NAMESPACE/{namespace or name or 'NAME'}")
    return [f"spec.api.namespace={namespace}", f"spec.api.name={name}"]


async def run(args: argparse.Namespace) -> int:
    """List them."""
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.cluster.gather import approvals_for, read_client, readable
    from apiclients.cli.cluster.unread import Unread
    from apiclients.cli.screens.contracts import contract_line, is_unused
    from apiclients.cli.screens.listing import contract_table
    from apiclients.cli.screens.printing import print_listing, warn
    from apiclients.kube.kinds import CONTRACTS
    from apiclients.resources.objects import Contract

    fields = [f"spec.clientName={args.name}"] if args.name else []
    if args.api:
        fields += api_fields(args.api)
    unread: list[Unread] = []
    async with connect(args) as session:
        everywhere = args.all_namespaces or bool(args.api and not args.name and not args.namespace)
        if args.name and not everywhere:
            await read_client(session, args.name)
        where = None if everywhere else session.namespace
        raw = await session.objects(CONTRACTS, where, labels=args.selector, fields=",".join(fields) or None)
        contracts = readable(raw, CONTRACTS, Contract, unread)
        approvals = await approvals_for(session, contracts, unread)
        now = session.now()
    warn(map(str, unread))
    lines = [contract_line(contract, approvals) for contract in contracts]
    if args.unused is not None:
        lines = [line for line in lines if is_unused(args.unused, line.last_used, line.created, now)]
        left = {(line.namespace, line.name) for line in lines}
        raw = [obj for obj in raw if (obj["metadata"]["namespace"], obj["metadata"]["name"]) in left]
    rows = contract_table(lines, now, wide=args.output == "wide", namespaces=everywhere)
    print_listing(CONTRACTS, raw, rows, args, f"in {where or 'any namespace'}", sys.stdout)
    return 0
