"""Reads the clients that ``get`` lists."""

import argparse
from dataclasses import dataclass

from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.gather import permitted, readable
from apiclients.cli.cluster.unread import Unread
from apiclients.cli.screens.listing import Filter, SortKey, client_lines, client_table, sort_key
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.objects import JsonObject
from apiclients.resources.objects import ApiClientHold


@dataclass(frozen=True, slots=True)
class Listing:
    """The clients that were looked for."""

    objects: tuple[JsonObject, ...]
    #: Of the table, the header first.
    rows: tuple[tuple[str, ...], ...]
    #: Names that were asked for and are not there.
    absent: tuple[str, ...]
    warnings: tuple[str, ...]


def wanted(args: argparse.Namespace, status: str | None) -> Filter:
    """What the options say."""
    return Filter(tuple(args.names), args.not_ready, args.held, args.expiring, args.owner, status, args.unused)


async def list_clients(session: Session, namespace: str | None, wanted: Filter, args: argparse.Namespace) -> Listing:
    """Read and sort them; ``namespace`` None is all. Raises KubeError."""
    unread: list[Unread] = []
    raw = await session.objects(API_CLIENTS, namespace, labels=args.selector)
    reading = session.objects(API_CLIENT_HOLDS, namespace)
    what = "holds: held clients may be shown as not held"
    raw_holds = await permitted(reading, [], API_CLIENT_HOLDS, what, unread)
    holds = readable(raw_holds, API_CLIENT_HOLDS, ApiClientHold, unread)
    now = session.now()
    pairs = zip(raw, client_lines(raw, holds, now), strict=True)
    found = [(obj, line) for obj, line in pairs if wanted.lets(line, now)]
    if args.sort_by is not None:
        key = SortKey(args.sort_by)
        found.sort(key=lambda pair: sort_key(pair[1], key))
    rows = client_table([line for _, line in found], now, wide=args.output == "wide", namespaces=args.all_namespaces)
    there = {obj["metadata"]["name"] for obj in raw}
    return Listing(
        objects=tuple(obj for obj, _ in found),
        rows=tuple(rows),
        absent=tuple(name for name in wanted.names if name not in there),
        warnings=tuple(map(str, unread)),
    )
