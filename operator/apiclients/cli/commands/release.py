"""``release NAME|-l SELECTOR|--hold HOLD``: takes holds back."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apiclients.cli import options

if TYPE_CHECKING:
    from apiclients.cli.cluster.connection import Session
    from apiclients.resources.objects import ApiClientHold


#: Of the clients whose secrets work again.
_MOST_TOLD = 10


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "release",
        help="take holds back",
        description="Delete the holds that stop clients by their names, or single holds (--hold). A hold by selector "
        "may stop several clients, so it is deleted only when it is named itself. The client goes on as soon as no "
        "hold stops it any more and the operator agrees; what it held before works again then, which is warned of.",
        parents=[options.dry_run(), options.common()],
    )
    parser.add_argument("names", nargs="*", metavar=options.CLIENT, help="release these clients")
    parser.add_argument("-l", "--selector", metavar="SELECTOR", help="release the clients with these labels")
    parser.add_argument("--hold", action="append", default=[], metavar=options.HOLD, help="delete this hold")
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Release them, as many as can be; exit status 1 when one could not be."""
    from apiclients.cli.actions.targets import require_one_way, selected
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.cluster.gather import readable
    from apiclients.cli.cluster.unread import Unread
    from apiclients.cli.errors import CliError
    from apiclients.cli.screens.printing import warn
    from apiclients.kube.kinds import API_CLIENT_HOLDS
    from apiclients.resources.objects import ApiClientHold

    if args.hold and (args.names or args.selector is not None):
        raise CliError("give either the names of clients, or a selector (-l), or holds (--hold), not several of these")
    if not args.hold:
        require_one_way(args, "release", more="--hold HOLD")
    unread: list[Unread] = []
    async with connect(args) as session:
        holds = readable(
            await session.objects(API_CLIENT_HOLDS, session.namespace), API_CLIENT_HOLDS, ApiClientHold, unread
        )
        warn(map(str, unread))
        if args.hold:
            wanted, problems = by_hold(holds, args.hold)
        else:
            names = args.names
            if args.selector is not None:
                names = [obj["metadata"]["name"] for obj in await selected(session, args.selector, session.namespace)]
            wanted, problems = by_client(holds, list(dict.fromkeys(names)))
        for problem in problems:
            print(f"error: {problem}", file=sys.stderr)
        await _warn_of_survivors(session, wanted)
        failed = [not await _delete(session, hold, args) for hold in wanted]
    return 1 if problems or any(failed) else 0


def by_hold(holds: "Sequence[ApiClientHold]", names: Sequence[str]) -> "tuple[list[ApiClientHold], list[str]]":
    """The holds of these names, and a sentence for each name that is none."""
    there = {hold.metadata.name: hold for hold in holds}
    problems = [f"there is no ApiClientHold {name} in this namespace" for name in names if name not in there]
    return [there[name] for name in dict.fromkeys(names) if name in there], problems


def by_client(holds: "Sequence[ApiClientHold]", names: Sequence[str]) -> "tuple[list[ApiClientHold], list[str]]":
    """The holds that name these clients, and a sentence for each client that none names."""
    found = [hold for hold in holds if hold.spec.client_name in names]
    held = {hold.spec.client_name for hold in found}
    others = [hold.metadata.name for hold in holds if hold.spec.client_name is None]
    hint = f"; holds that name no client are: {', '.join(others)} (--hold releases them)" if others else ""
    problems = [f"no hold names {name}: it was not released{hint}" for name in names if name not in held]
    return found, problems


async def _warn_of_survivors(session: "Session", holds: "Sequence[ApiClientHold]") -> None:
    """Say which secrets from before these holds will work again: after a leak that is what nobody wants."""
    from apiclients.cli.cluster.gather import readable
    from apiclients.cli.screens import before_hold
    from apiclients.cli.screens.printing import warn
    from apiclients.kube.errors import ForbiddenError
    from apiclients.kube.kinds import API_CLIENTS
    from apiclients.lifecycle.holds import hold_view, matches
    from apiclients.resources.objects import ApiClient

    if not holds:
        return
    try:
        clients = readable(await session.objects(API_CLIENTS, session.namespace), API_CLIENTS, ApiClient, [])
    except ForbiddenError:
        warn(["you may not read ApiClients: whether secrets from before the hold work again could not be checked"])
        return
    told = []
    for client in clients:
        meta = client.metadata
        its = [hold for hold in holds if matches(hold_view(hold), meta.namespace, meta.name, meta.labels)]
        found = before_hold.works_again(client, its, session.now())
        if found:
            told.append(f"{meta.name}: {before_hold.sentence(found, held=True)}. {_hint(before_hold.command(client))}")
    more = [f"the same holds for {len(told) - _MOST_TOLD} more clients"] if len(told) > _MOST_TOLD else []
    warn([*told[:_MOST_TOLD], *more])


def _hint(command: str) -> str:
    return f"If it may have leaked: {command}"


async def _delete(session: "Session", hold: "ApiClientHold", args: argparse.Namespace) -> bool:
    from apiclients.cli.cluster.problems import sentence
    from apiclients.cli.screens.output import title
    from apiclients.cli.screens.text import write
    from apiclients.kube.errors import KubeError
    from apiclients.kube.kinds import API_CLIENT_HOLDS

    meta, suffix = hold.metadata, "" if args.dry_run == "none" else f" ({args.dry_run} dry run)"
    try:
        if args.dry_run != "client":
            dry = args.dry_run == "server"
            await session.delete(API_CLIENT_HOLDS, meta.namespace, meta.name, uid=meta.uid, dry_run=dry)
    except KubeError as error:
        print(f"error: {meta.name} is not released: {sentence(error)}", file=sys.stderr)
        return False
    whom = hold.spec.client_name or ("its selector" if hold.spec.selector is not None else "every client")
    write(sys.stdout, f"{title(API_CLIENT_HOLDS, meta.name)} deleted: {whom} is released from it{suffix}")
    return True
