"""``doctor``: is the installation as it should be?"""

import argparse
import sys
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "doctor",
        help="check the installation; exit status 1 when something is wrong",
        description="Check CRDs and their drift, admission policies and bindings, rights of operator and gate, their "
        "Leases and versions, clocks, and whether clients are stuck. Each finding comes with a verdict and a fix. "
        "Exit status 1 when something is wrong; a warning, or what could not be read, is not wrong.",
        parents=[options.output(options.SCREEN_FORMATS), options.system(), options.common()],
    )
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Check, and say what was found."""
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.cluster.facts import read_facts
    from apiclients.cli.screens.doctor import doctor_view
    from apiclients.cli.screens.doctor_text import render_doctor
    from apiclients.cli.screens.output import print_data, to_json
    from apiclients.cli.screens.text import style_for, write

    async with connect(args) as session:
        view = doctor_view(await read_facts(session, args.system_namespace))
    if args.output != "text":
        print_data(to_json(view), args.output)
    else:
        write(sys.stdout, render_doctor(view, style_for(sys.stdout, args.color)))
    return 1 if view.wrong else 0
