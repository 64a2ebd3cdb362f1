"""The options that suspend, resume and retire share; apart, because ``--help`` needs nothing else."""

import argparse

from apiclients.cli import options


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that all three commands have."""
    parser.add_argument("name", metavar=options.CLIENT, help="the client")
    parser.add_argument("--live", action="store_true", help="make the change in the cluster, after asking")
    parser.add_argument(
        "--acknowledge",
        type=options.names,
        metavar="CONTRACTS",
        help="with --live, instead of typing the client's name: the names of its active contracts, separated by commas "
        "('' where it has none)",
    )
