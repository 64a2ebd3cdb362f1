"""What the page ``/graph`` is made from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

from apiclients.cli.dashboard.state.board import Board
from apiclients.cli.dashboard.views.graph import Graph, Known, Link, Node, graph
from apiclients.cli.dashboard.views.graph_query import NO_OWNER, By, GraphQuery, graph_url, read_graph_query
from apiclients.cli.dashboard.views.layout import Box
from apiclients.cli.dashboard.views.shorten import fit
from apiclients.kube.kinds import APIS, CONTRACTS
from apiclients.resources.contract import ContractStatusName

#: How wide a letter is, in pixels of CSS, of text as large as that of boxes; and what is not text in a box.
_LETTER = 7.4
_PADDING = 36.0
_LONGEST_DETAIL = 16
_THICKEST = 5.0

_MISSING = {
    CONTRACTS: "You may not read contracts: they are not shown",
    APIS: "You may not read Apis: only those with a contract are shown, without their status",
}

#: How lines are drawn, in the words of the legend.
STYLES = {
    ContractStatusName.ACTIVE: "active",
    ContractStatusName.PENDING_APPROVAL: "waits",
    ContractStatusName.PENDING: "waits",
    ContractStatusName.REJECTED: "rejected",
    ContractStatusName.INACTIVE: "ended",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the drawing."""

    path: str
    style: str
    width: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A box of the drawing, with the lines that are highlighted with it."""

    node: Node
    box: Box
    label: str
    detail: str
    kind: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRow:
    """The same in words; a client without contracts has neither link nor right side."""

    left: Node
    link: Link | None = None
    right: Node | None = None


def graph_values(parameters: Mapping[str, str], board: Board) -> dict[str, Any]:
    """The values of the template, for the parameters of a URL. Raises QueryError and CliError."""
    query, seen = read_graph_query(parameters), board.seen()
    relations = board.relations
    clients = {(line.namespace, line.name): line for line in seen.lines}
    contracts = tuple(relations.contracts)
    apis = {(one.namespace, one.name): one for one in relations.apis}
    found = graph(query, Known(clients, contracts, apis))
    owners = sorted({line.owner for line in seen.lines if line.owner})
    return {
        "query": query,
        "fields": query.fields(),
        "layout": found.layout,
        "boxes": list(_drawn(query, found)),
        "rows": list(_rows(found)),
        "graph": found,
        "links": _addresses(query, found),
        "owners": [*owners, NO_OWNER],
        "namespaces": sorted({line.namespace for line in seen.lines}),
        "api_namespaces": sorted({namespace for namespace, _ in apis} | {one.api[0] for one in contracts}),
        "statuses": list(ContractStatusName),
        "groupings": [By.NAMESPACE],
        "scope": _scope(query),
        "unread": (*relations.notes(_MISSING), *_not_read(board)),
    }


def _not_read(board: Board) -> tuple[str, ...]:
    if board.namespace is None:
        return ()
    return (f"Only contracts in namespace {board.namespace} are shown. Clients of others may use its Apis, too.",)


def _scope(query: GraphQuery) -> str:
    """What the page is about, in words."""
    if query.client is not None:
        return f"of ApiClient {'/'.join(query.client)}"
    if query.api is not None:
        return f"of Api {'/'.join(query.api)}"
    if query.overview:
        return f"by {query.by}"
    chosen = {"owner": query.owner, "namespace": query.namespace, "Apis in": query.apis, "search": query.text}
    return ", ".join(f"{name} {value}" for name, value in chosen.items() if value)


def _addresses(query: GraphQuery, found: Graph) -> dict[str, str | None]:
    """Where one can go from here."""
    return {
        "previous": query.url(page=found.page - 1) if found.page > 1 else None,
        "next": query.url(page=found.page + 1) if found.page < found.pages else None,
        "hops": query.url(hops=3 - query.hops, page=1) if query.center else None,
        "overview": graph_url(by="" if query.by is By.OWNER else query.by),
    }


def _drawn(query: GraphQuery, found: Graph) -> Iterator[Drawn]:
    layout = found.layout
    lines = [_lines(link, paths) for link, paths in zip(found.links, layout.lines, strict=True)]
    of_left: list[tuple[Line, ...]] = [()] * len(found.left)
    for (at, _), mine in zip(found.pairs, lines, strict=True):
        of_left[at] += mine if query.overview else ()
    for node, box, mine in zip(found.left, layout.left, of_left, strict=True):
        yield _box(node, box, "group" if query.overview else "client", mine)
    if not query.overview:
        for link, box, mine in zip(found.links, layout.middle, lines, strict=True):
            yield _box(link.box, box, "contract", mine)
    for node, box in zip(found.right, layout.right, strict=True):
        yield _box(node, box, "group" if query.overview else "api")


def _box(node: Node, box: Box, kind: str, lines: tuple[Line, ...] = ()) -> Drawn:
    room = int((box.width - _PADDING) / _LETTER)
    detail = fit(node.detail, _LONGEST_DETAIL)
    return Drawn(node, box, fit(node.label, room - len(detail)), detail, kind, lines)


def _lines(link: Link, paths: tuple[str, ...]) -> tuple[Line, ...]:
    width = round(min(_THICKEST, 1.5 + log2(link.count) / 2), 1)
    return tuple(Line(path, STYLES[link.status], width) for path in paths)


def _rows(found: Graph) -> Iterator[TableRow]:
    linked = {at for at, _ in found.pairs}
    by_left: dict[int, list[TableRow]] = {at: [] for at in range(len(found.left))}
    for link, (at, to) in zip(found.links, found.pairs, strict=True):
        by_left[at].append(TableRow(found.left[at], link, found.right[to]))
    for at, node in enumerate(found.left):
        yield from by_left[at] if at in linked else (TableRow(node),)
