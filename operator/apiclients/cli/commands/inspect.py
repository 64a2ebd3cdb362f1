"""``inspect CLIENT-ID`` or ``inspect -`` with a token on standard input: who is it, and why is it refused?"""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from apiclients.cli import options

if TYPE_CHECKING:
    from apiclients.cli.cluster.connection import Session
    from apiclients.cli.cluster.gather import Around
    from apiclients.cli.screens.presented import Presented
    from apiclients.resources.objects import Api
    from apiclients.resources.refs import NamespacedName


#: How many are asked for; of further ones their contracts tell.
_MOST_APIS = 50


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "inspect",
        help="say whose a token or client id is, why it is refused, and what to do",
        description="Say whose a client id or an access token is, what the gate answers to it for each Api, by which "
        "reason of its log and metrics, and what to do about it. A token is read from standard input, on a terminal "
        "without being shown: it belongs on no command line, and is never printed. It decides by the gate's own rules, "
        "on what the API server says now; signatures only the gate can check.",
        parents=[options.output(options.SCREEN_FORMATS), options.system(), options.common()],
    )
    parser.add_argument(
        "subject", nargs="?", default="-", metavar="CLIENT-ID", help="a client id; - or nothing: a token on stdin"
    )
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Say it; exit status 1 when something is refused."""
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.screens.inspection import inspect_view
    from apiclients.cli.screens.inspection_text import render_inspection
    from apiclients.cli.screens.output import print_data, to_json
    from apiclients.cli.screens.text import style_for, write

    presented = read(args.subject)
    async with connect(args) as session:
        around = await client_around(session, presented)
        revoked = await is_revoked(session, presented, args.system_namespace)
        apis = await apis_of(session, presented, around)
        view = inspect_view(presented, around, apis, session.now(), revoked=revoked)
    if args.output != "text":
        print_data(to_json(view), args.output)
    else:
        write(sys.stdout, render_inspection(view, style_for(sys.stdout, args.color)))
    return 1 if view.refused else 0


def read(subject: str) -> "Presented":
    """What is to be inspected. Raises CliError, which quotes nothing of a token."""
    from apiclients.cli.errors import CliError
    from apiclients.cli.screens import presented

    if presented.looks_like_token(subject):
        raise CliError(
            "a token on a command line can be read by everybody on this machine, and stays in the shell's history. "
            "Give it on standard input: kubectl apiclient inspect - < FILE"
        )
    try:
        return presented.token(_from_stdin()) if subject == "-" else presented.client_id(subject)
    except presented.NotReadableError as error:
        raise CliError(str(error)) from None


def _from_stdin() -> str:
    from apiclients.cli.screens.presented import MAX_TOKEN_BYTES

    if not sys.stdin.isatty():
        return sys.stdin.read(2 * MAX_TOKEN_BYTES)
    from getpass import getpass

    return getpass("Token (it is not shown): ")


async def client_around(session: "Session", presented: "Presented") -> "Around | None":
    """The client and what concerns it; None where it is not there. Raises CliError, KubeError."""
    from dataclasses import replace

    from apiclients.cli.cluster.gather import gather
    from apiclients.kube.errors import NotFoundError
    from apiclients.kube.kinds import API_CLIENTS

    try:
        await session.kube.get(API_CLIENTS, presented.namespace, presented.name)
    except NotFoundError:
        return None
    return await gather(replace(session, namespace=presented.namespace), presented.name)


async def is_revoked(session: "Session", presented: "Presented", system_namespace: str) -> bool | None:
    """Whether a token was revoked by itself; None where that may not be read. Raises other KubeErrors."""
    from apiclients.kube.errors import ForbiddenError, NotFoundError
    from apiclients.kube.kinds import TOKEN_REVOCATIONS

    if presented.token is None:
        return False
    try:
        await session.kube.get(TOKEN_REVOCATIONS, system_namespace, presented.token.fingerprint)
    except NotFoundError:
        return False
    except ForbiddenError:
        return None
    return True


async def apis_of(session: "Session", presented: "Presented", around: "Around | None") -> "dict[NamespacedName, Api]":
    """The Apis in question, as far as they are there and may be read. Raises other KubeErrors."""
    from apiclients.kube.errors import ForbiddenError, NotFoundError
    from apiclients.kube.kinds import APIS
    from apiclients.resources.objects import Api, InvalidObjectError

    found: dict[NamespacedName, Api] = {}
    contracts = around.contracts if around is not None else ()
    wanted = sorted({*presented.apis, *((c.spec.api.namespace, c.spec.api.name) for c in contracts)})
    for key in wanted[:_MOST_APIS]:
        try:
            found[key] = Api.from_object(await session.kube.get(APIS, *key))
        except (ForbiddenError, NotFoundError, InvalidObjectError):
            continue  # then the status of the contract says what there is to say
    return found
