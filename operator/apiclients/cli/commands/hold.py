"""``hold NAME|-l SELECTOR|--all --reason TEXT``: the emergency stop."""

import argparse
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from apiclients.cli import options


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser(
        "hold",
        help="stop clients at once; Git does not undo it",
        description="Stop clients at once: every token and secret is refused until the hold is released or ends. "
        "Applying Git again does not undo it. The right to create ApiClientHolds is all that it takes to stop a client "
        "by its name. -l makes one hold, by name, for each client that it selects now. --all makes one for "
        "the namespace, which binds clients that are made later too. Who placed a hold is kept on it. --check places "
        "none: it says whether every replica of the gate has applied those that stop the clients already.",
        parents=[
            options.waiting("every replica of the gate has applied the hold"),
            options.system(),
            options.dry_run(),
            options.common(),
        ],
    )
    parser.add_argument("names", nargs="*", metavar=options.CLIENT, help="the clients to stop")
    parser.add_argument("-l", "--selector", metavar="SELECTOR", help="the clients to stop, by their labels")
    parser.add_argument(
        "--all", action="store_true", help="all clients of the namespace, and those that are made later"
    )
    parser.add_argument("--reason", metavar="TEXT", help="why, for whoever finds it; needed to place a hold")
    parser.add_argument(
        "--check",
        action="store_true",
        help="place no hold: exit status 1 unless every replica of the gate has applied those that are there",
    )
    parser.add_argument(
        "--for",
        dest="lasting",
        type=options.duration,
        metavar="TIME",
        help="the hold ends by itself after this time, such as 2h; default: it stays until it is released",
    )
    parser.set_defaults(func=run)


async def run(args: argparse.Namespace) -> int:
    """Stop them, as many as can be; exit status 1 when one could not be stopped, or not all gates confirmed."""
    from apiclients.cli.actions.holding import hold_object, place_holds, user_name
    from apiclients.cli.actions.targets import require_one_way, selected
    from apiclients.cli.cluster.absent import why_absent
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.errors import CliError

    require_one_way(args, "hold", all_too=True)
    if not args.check and not (args.reason or "").strip():
        raise CliError("give a reason, for whoever finds the hold: --reason 'key leaked, ticket 4711'")
    if args.lasting is not None and not args.lasting:
        raise CliError("a hold of no time stops nobody: give --for a time such as 2h, or leave it out")
    async with connect(args) as session:
        if args.check:
            return await check(session, args)
        names: list[str | None]
        unknown: Sequence[str]
        if args.all:
            names, unknown = [None], ()
        elif args.selector is not None:
            names = [obj["metadata"]["name"] for obj in await selected(session, args.selector, session.namespace)]
            unknown = ()
        else:
            there, unknown = await known_names(session, args.names)
            names = [*there]
        for name in unknown:
            print(f"error: {name} was not stopped: {await why_absent(session, name)}", file=sys.stderr)
        author = await user_name(session)
        holds = [hold_object(name, args.reason, args.lasting, session.now(), author) for name in names]
        failed = await place_holds(session, holds, args)
    return 1 if unknown or failed else 0


async def check(session: Any, args: argparse.Namespace) -> int:
    """Say whether every gate has applied the holds that stop these clients; exit status 1 when not, or none does."""
    from apiclients.cli.actions.holding import check_holds
    from apiclients.cli.cluster.gather import readable
    from apiclients.cli.cluster.unread import Unread
    from apiclients.cli.errors import CliError
    from apiclients.cli.screens.printing import warn
    from apiclients.kube.kinds import API_CLIENT_HOLDS
    from apiclients.lifecycle.holds import hold_view, in_force, too_many
    from apiclients.resources.objects import ApiClientHold

    unread: list[Unread] = []
    listed = await session.objects(API_CLIENT_HOLDS, session.namespace)
    there: Sequence[ApiClientHold] = readable(listed, API_CLIENT_HOLDS, ApiClientHold, unread)
    warn(map(str, unread))
    now, views = session.now(), {hold.metadata.name: hold_view(hold) for hold in there}
    selecting = {name for name, view in views.items() if view.client_name is None}
    crowd = selecting if too_many(len(selecting)) else frozenset[str]()
    holds = [
        hold for hold in there if hold.metadata.name in crowd or in_force(views[hold.metadata.name], now.timestamp())
    ]
    none = "no hold that this version can read stops" if unread else "no hold stops"
    if not args.all:
        holds, free = await stopping(session, holds, args, crowd)
        if free:
            raise CliError(f"{none} {', '.join(free)}")
    if not holds:
        raise CliError(f"{none} them now: there is nothing to check")
    return 1 if await check_holds(session, holds, args) else 0


async def stopping(
    session: Any, holds: "Sequence[Any]", args: argparse.Namespace, crowd: "AbstractSet[str]"
) -> "tuple[list[Any], list[str]]":
    """The holds that stop the clients that are asked for, and the clients that none stops. Raises CliError, KubeError.

    ``crowd`` are those that stop everybody, for there are too many of them.
    """
    from apiclients.cli.actions.targets import named, selected
    from apiclients.cli.cluster.absent import why_absent
    from apiclients.cli.errors import CliError
    from apiclients.kube.errors import ForbiddenError
    from apiclients.lifecycle.holds import hold_view, matches

    absent: list[str] = []
    try:
        if args.selector is not None:
            found = await selected(session, args.selector, session.namespace)
        else:
            found, absent = await named(session, args.names)
        clients = {obj["metadata"]["name"]: obj["metadata"].get("labels") or {} for obj in found}
    except ForbiddenError:  # then holds that name them are all that can be known
        clients = {name: {} for name in args.names}
    if absent:
        raise CliError(await why_absent(session, absent[0]))
    its = {
        name: [
            hold
            for hold in holds
            if hold.metadata.name in crowd or matches(hold_view(hold), session.namespace, name, labels)
        ]
        for name, labels in clients.items()
    }
    free = [name for name, stopped_by in its.items() if not stopped_by]
    return list({hold.metadata.name: hold for stopped_by in its.values() for hold in stopped_by}.values()), free


async def known_names(session: Any, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of clients that are there, and of those that are not; all count as there where they may not be read."""
    from apiclients.cli.actions.targets import named
    from apiclients.cli.screens.printing import warn
    from apiclients.kube.errors import ForbiddenError

    try:
        found, absent = await named(session, names)
    except ForbiddenError:
        warn(["you may not read ApiClients, so the names could not be checked: mind how they are spelled"])
        return list(dict.fromkeys(names)), []
    return [obj["metadata"]["name"] for obj in found], absent
