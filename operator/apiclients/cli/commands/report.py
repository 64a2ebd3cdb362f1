"""``report``: diagnostics in one file, without secrets."""

import argparse
from pathlib import Path
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "report",
        help="collect diagnostics into one file, without secrets",
        description="Collect what helps to find out what is wrong into one JSON file: the findings of doctor, the "
        "project's objects with their Events, CRDs, policies, Leases, Deployments and Pods. Secrets and ConfigMaps are "
        "never read, and whatever looks like a secret in anything else is left out. Read it before you hand it on: "
        "names, owners and reasons stay in it.",
        parents=[options.system(), options.common()],
    )
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="clients of all namespaces")
    parser.add_argument(
        "-f",
        "--filename",
        type=Path,
        metavar="FILE",
        help="default: apiclient-report-<time>.json; - for standard output",
    )
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Write it, and print its name."""
    from apiclients.cli.actions.reporting import collect, write_report
    from apiclients.cli.cluster.connection import connect, place

    async with connect(args) as session:
        report = await collect(session, place(session, args), args.system_namespace)
    write_report(report, args.filename)
    return 0
