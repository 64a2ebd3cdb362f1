"""What the page ``/timeline`` is made from."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from apiclients.cli.dashboard.state.board import Board
from apiclients.cli.dashboard.views.deadlines import Deadline, Kind, of_apis, of_clients, of_contracts, of_holds
from apiclients.cli.dashboard.views.timeline import Grouping, read_timeline_query, timeline
from apiclients.cli.screens.listing import ClientLine
from apiclients.kube.kinds import APIS, CONTRACTS
from apiclients.resources.refs import NamespacedName


def timeline_values(parameters: Mapping[str, str], board: Board) -> dict[str, Any]:
    """The values of the template, for the parameters of a URL. Raises QueryError."""
    query, now = read_timeline_query(parameters), board.session.now()
    lines = {(line.namespace, line.name): line for line in board.seen().lines}
    return {
        "query": query,
        "fields": query.fields(),
        "timeline": timeline(query, _deadlines(board, lines, now), now),
        "clients": lines.keys(),
        "namespaces": sorted({namespace for namespace, _ in lines}),
        "owners": sorted({line.owner for line in lines.values() if line.owner}),
        "kinds": list(Kind),
        "groupings": list(Grouping),
        "unread": board.relations.notes(_MISSING),
        "unforeseen": board.unforeseen,
    }


_MISSING = {
    CONTRACTS: "You may not read contracts: their ends are not shown",
    APIS: "You may not read Apis: the ends of their retirements are not shown",
}


def _deadlines(board: Board, lines: Mapping[NamespacedName, ClientLine], now: datetime) -> Iterator[Deadline]:
    relations = board.relations
    yield from of_clients(board.ahead, lines)
    yield from of_contracts(relations.contracts, lines, now)
    yield from of_holds(board.holds, lines, now)
    yield from of_apis(relations.apis, now)
