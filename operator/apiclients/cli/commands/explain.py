"""``explain NAME``: why is it not ready, what happens next, what would unblock it."""

import argparse
import sys
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "explain",
        help="explain why a client is not ready, what happens next, and what would unblock it",
        description="Explain why a client is not ready or not usable, what the operator will do next and when, and "
        "what exactly would unblock it: the YAML for Git, or the command. What comes next is foreseen by the "
        "operator's own rules; its Secret, which is never read, is taken for what status says of it.",
        parents=[options.output(options.SCREEN_FORMATS), options.system(), options.common()],
    )
    parser.add_argument("name", metavar=options.CLIENT, help="the client")
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Say it."""
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.cluster.gather import gather
    from apiclients.cli.screens.explain import explain_view
    from apiclients.cli.screens.explain_text import render_explain
    from apiclients.cli.screens.output import print_data, to_json
    from apiclients.cli.screens.text import style_for, write

    async with connect(args) as session:
        view = explain_view(await gather(session, args.name, system_namespace=args.system_namespace))
    if args.output != "text":
        print_data(to_json(view), args.output)
    else:
        write(sys.stdout, render_explain(view, style_for(sys.stdout, args.color)))
    return 0
