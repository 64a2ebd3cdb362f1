"""``snapshot``: the live state in a file, so that plans need no right on the cluster."""

import argparse
import sys
from pathlib import Path
from typing import Any

from apiclients.cli import options
from apiclients.cli.errors import CliError
from apiclients.cli.files import SHARED, write_whole


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "snapshot",
        help="write the live state to a file that plan can read without a cluster",
        description="Write the live state of clients, Apis, contracts, approvals and holds, the labels of namespaces, "
        "and which workloads mount clients' Secrets, for `plan --state`. It holds no secret and no digest of one. "
        "Without -n: of all namespaces.",
        parents=[options.common()],
        allow_abbrev=False,
    )
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="where to; - for standard output")
    parser.add_argument(
        "--allow-exec-plugins", action="store_true", help="run the program that the kubeconfig names for credentials"
    )
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Write it. Raises CliError and KubeError."""
    from apiclients.cli.cluster.live_state import read_cluster
    from apiclients.plan.live import to_snapshot

    live = await read_cluster(args, namespaces=[args.namespace] if args.namespace else None)
    _write(args.file, to_snapshot(live))
    return 0


def _write(name: str, data: bytes) -> None:
    if name == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    try:
        write_whole(path, data, SHARED)  # a plan must not read half a state
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error
