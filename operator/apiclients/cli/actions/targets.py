"""Which clients a changing command means: names, or a selector, or all of a namespace; exactly one of them."""

import argparse
from collections.abc import Sequence

from apiclients.cli.cluster.connection import Session
from apiclients.cli.errors import CliError
from apiclients.kube.errors import NotFoundError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.kube.objects import JsonObject


def require_one_way(args: argparse.Namespace, verb: str, *, all_too: bool = False, more: str = "") -> None:
    """Raises CliError unless exactly one of names, ``-l`` and, with ``all_too``, ``--all`` is given.

    ``more`` is a further way, which the caller looks after.
    """
    ways = [bool(args.names), args.selector is not None, all_too and args.all]
    last = "--all" if all_too else more
    wanted = f"names of clients, a selector (-l), or {last}" if last else "names of clients or a selector (-l)"
    if sum(ways) == 0:
        raise CliError(f"specify which clients to {verb}: give {wanted}")
    if sum(ways) > 1:
        raise CliError(f"specify in one way which clients to {verb}: give either {wanted}, not several of these")
    if args.selector is not None and not args.selector.strip():
        raise CliError("an empty selector would mean all clients: write one that selects, such as -l team=a")


async def selected(session: Session, selector: str | None, namespace: str | None) -> list[JsonObject]:
    """The clients that a selector matches. Raises CliError when there is none, and KubeError."""
    found = await session.objects(API_CLIENTS, namespace, labels=selector)
    if not found:
        what = f"that {selector} selects" if selector else "to be found"
        raise CliError(f"there is no ApiClient {what} in {namespace or 'any namespace'}. Check the labels and -n")
    return found


async def named(session: Session, names: Sequence[str]) -> tuple[list[JsonObject], list[str]]:
    """The clients of these names, and the names of those that are not there. Raises KubeError."""
    found, absent = list[JsonObject](), list[str]()
    for name in dict.fromkeys(names):
        try:
            found.append(await session.kube.get(API_CLIENTS, session.namespace, name))
        except NotFoundError:
            absent.append(name)
    return found, absent


async def still_there(session: Session, namespace: str, name: str, uid: str) -> JsonObject:
    """A client that something is waited for, as it is now. Raises CliError once it has gone, and other KubeErrors."""
    try:
        client = await session.kube.get(API_CLIENTS, namespace, name)
    except NotFoundError:
        raise CliError(f"{name} was deleted meanwhile") from None
    if client["metadata"]["uid"] != uid:
        raise CliError(f"{name} was deleted and made again meanwhile")
    return client
