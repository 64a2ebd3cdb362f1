"""The graph of clients, contracts and Apis that a page draws: chosen, put together, cut into pages. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from apiclients.cli.dashboard.state.relations import ApiNode, ContractNode
from apiclients.cli.dashboard.views.graph_query import NO_OWNER, By, GraphQuery, graph_url
from apiclients.cli.dashboard.views.layout import Layout, Pair, arrange
from apiclients.cli.dashboard.views.parameters import owner_matches
from apiclients.cli.errors import CliError
from apiclients.cli.screens.listing import ClientLine
from apiclients.cli.screens.status import effective_mark
from apiclients.cli.screens.text import UNKNOWN, Mark
from apiclients.resources.api import ApiStatusName
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.refs import NamespacedName

#: Rows of one drawing, at most. One client is never split: of more contracts than these, the first are drawn.
MOST_ROWS = 80
#: Owners or namespaces of one overview, at most.
MOST_GROUPS = 30
#: Of several contracts the line is drawn as that of the first of these.
_BY_WEIGHT = (
    ContractStatusName.ACTIVE,
    ContractStatusName.PENDING_APPROVAL,
    ContractStatusName.PENDING,
    ContractStatusName.REJECTED,
    ContractStatusName.INACTIVE,
)
_API_MARKS = {ApiStatusName.PUBLISHED.value: Mark.GOOD, ApiStatusName.RETIRED.value: Mark.BAD}


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that may be drawn."""

    clients: Mapping[NamespacedName, ClientLine]
    contracts: Sequence[ContractNode]
    apis: Mapping[NamespacedName, ApiNode]


@dataclass(frozen=True, slots=True)
class Node:
    """A box."""

    label: str
    #: On the right of the box.
    detail: str
    #: All that the box may be too small for.
    title: str
    url: str
    mark: Mark | None = None
    #: Whether its neighbours are what is drawn.
    chosen: bool = False
    #: The page of a client, if there is one.
    page: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A contract, or in the overview all contracts of a group with the Apis of a namespace."""

    box: Node
    #: Of which kind its lines are: the status of a contract.
    status: ContractStatusName
    count: int
    #: For the table; the plan is empty in the overview.
    plan: str
    words: str


@dataclass(frozen=True, slots=True)
class Graph:
    """One drawing, and what it says in words."""

    layout: Layout
    left: tuple[Node, ...]
    links: tuple[Link, ...]
    right: tuple[Node, ...]
    pairs: tuple[Pair, ...]
    #: The boxes of the left side with contracts that are not drawn, and how many.
    cut: tuple[tuple[Node, int], ...]
    #: How many boxes of the left side there are on all pages, and from which to which these are.
    total: int
    first: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class _Row:
    """A box on the left with its links, each with the key of its box on the right."""

    node: Node
    links: tuple[tuple[NamespacedName, Link], ...]
    #: How many more links it has that are not drawn.
    more: int = 0


@dataclass(frozen=True, slots=True)
class _Outline:
    """A row that is made only for the page that it is on."""

    height: int
    make: Callable[[], _Row]


def graph(query: GraphQuery, known: Known) -> Graph:
    """The page that was asked for. Raises CliError where its client or Api is not there."""
    rows = _overview(query, known) if query.overview else _clients(query, known)
    pages = _pages(rows, MOST_GROUPS if query.overview else MOST_ROWS)
    page = min(query.page, len(pages))
    shown = [row.make() for row in pages[page - 1]]
    right = _right(query, known, shown)
    index = {key: number for number, (key, _) in enumerate(right)}
    pairs = tuple((at, index[key]) for at, row in enumerate(shown) for key, _ in row.links)
    return Graph(
        layout=arrange(len(shown), len(right), pairs, boxes=not query.overview),
        left=tuple(row.node for row in shown),
        links=tuple(link for row in shown for _, link in row.links),
        right=tuple(node for _, node in right),
        pairs=pairs,
        cut=tuple((row.node, row.more) for row in shown if row.more),
        total=len(rows),
        first=sum(map(len, pages[: page - 1])) + 1,
        page=page,
        pages=len(pages),
    )


def _pages(rows: Iterable[_Outline], most: int) -> list[list[_Outline]]:
    """The rows, in pages that are as long as may be."""
    pages: list[list[_Outline]] = [[]]
    height = 0
    for row in rows:
        if pages[-1] and height + row.height > most:
            pages.append([])
            height = 0
        pages[-1].append(row)
        height += row.height
    return pages


# The overview: clients put together by owner or namespace, Apis by namespace.


def _overview(query: GraphQuery, known: Known) -> list[_Outline]:
    clients = Counter(_group(query, line) for line in known.clients.values())
    bundles: dict[str, dict[str, Counter[ContractStatusName]]] = {group: {} for group in clients}
    for contract in known.contracts:
        status = ContractStatusName(contract.line.status)
        if query.status in ("", status):
            group = _group_of_contract(query, contract, known)
            bundles.setdefault(group, {}).setdefault(contract.api[0], Counter())[status] += 1
    rows = ((group, bundles[group]) for group in sorted(bundles))
    return [
        _Outline(1, partial(_group_row, query, group, clients[group], found))
        for group, found in rows
        if found or not query.status
    ]


def _group(query: GraphQuery, line: ClientLine) -> str:
    return line.namespace if query.by is By.NAMESPACE else line.owner or NO_OWNER


def _group_of_contract(query: GraphQuery, contract: ContractNode, known: Known) -> str:
    line = known.clients.get((contract.line.namespace, contract.line.client))
    if query.by is By.NAMESPACE:
        return contract.line.namespace
    return _group(query, line) if line is not None else NO_OWNER


def _group_row(query: GraphQuery, group: str, clients: int, found: Mapping[str, Counter[ContractStatusName]]) -> _Row:
    label = "no owner" if query.by is By.OWNER and group == NO_OWNER else group
    detail = _plural(clients, "client")
    node = Node(label, detail, f"{label}: {detail}", graph_url(**{query.by.value: group, "status": query.status}))
    return _Row(node, tuple(_bundle(query, label, group, apis, found[apis]) for apis in sorted(found)))


def _bundle(
    query: GraphQuery, label: str, group: str, apis: str, counted: Counter[ContractStatusName]
) -> tuple[NamespacedName, Link]:
    found = [status for status in _BY_WEIGHT if counted[status]]
    words = ", ".join(f"{counted[status]} {status}" for status in found)
    url = graph_url(**{query.by.value: group, "apis": apis, "status": query.status})
    box = Node(_plural(counted.total(), "contract"), words, f"{label} to {apis}: {words}", url)
    return (apis, ""), Link(box, found[0], counted.total(), "", words)


# Single clients with their contracts.


def _clients(query: GraphQuery, known: Known) -> list[_Outline]:
    _check_center(query, known)
    of_client: dict[NamespacedName, list[ContractNode]] = {}
    for contract in _chosen(query, known):
        of_client.setdefault((contract.line.namespace, contract.line.client), []).append(contract)
    lonely = () if query.center or query.apis or query.status else known.clients
    keys = {*of_client, *(key for key in lonely if _client_matches(query, known.clients[key]))}
    if query.client is not None:
        keys.add(query.client)
    order = sorted(keys, key=lambda key: (key != query.client, key))
    found = ((key, of_client.get(key, [])) for key in order)
    return [
        _Outline(min(max(1, len(mine)), MOST_ROWS), partial(_client_row, query, key, known, mine))
        for key, mine in found
    ]


def _check_center(query: GraphQuery, known: Known) -> None:
    if query.client is not None and query.client not in known.clients:
        raise CliError(f"ApiClient {'/'.join(query.client)} not found")
    api = query.api
    if api is not None and api not in known.apis and all(one.api != api for one in known.contracts):
        raise CliError(f"Api {'/'.join(api)} not found, and no contract that you may read names it")


def _chosen(query: GraphQuery, known: Known) -> Iterator[ContractNode]:
    """The contracts that are drawn."""
    if not query.center:
        return (one for one in known.contracts if _matches(query, one, known))
    clients = {query.client} if query.client is not None else set()
    apis = {query.api} if query.api is not None else set()
    near = [one for one in known.contracts if _client_key(one) in clients or one.api in apis]
    if query.hops > 1:
        clients |= {_client_key(one) for one in near}
        apis |= {one.api for one in near}
        near = [one for one in known.contracts if _client_key(one) in clients or one.api in apis]
    return (one for one in near if query.status in ("", one.line.status))


def _client_key(contract: ContractNode) -> NamespacedName:
    return contract.line.namespace, contract.line.client


def _matches(query: GraphQuery, contract: ContractNode, known: Known) -> bool:
    line = known.clients.get(_client_key(contract))
    owner = (line.owner if line is not None else None) or NO_OWNER
    return (
        query.namespace in ("", contract.line.namespace)
        and owner_matches(query.owner, owner)
        and query.apis in ("", contract.api[0])
        and query.status in ("", contract.line.status)
        and _says(query, (*_client_key(contract), *contract.api, contract.line.name, owner))
    )


def _client_matches(query: GraphQuery, line: ClientLine) -> bool:
    owner = line.owner or NO_OWNER
    return (
        query.namespace in ("", line.namespace)
        and owner_matches(query.owner, owner)
        and _says(query, (line.namespace, line.name, owner))
    )


def _says(query: GraphQuery, parts: Iterable[str]) -> bool:
    text = " ".join(parts).lower()
    return all(word in text for word in query.text.lower().split())


def _client_row(query: GraphQuery, key: NamespacedName, known: Known, contracts: Iterable[ContractNode]) -> _Row:
    found, line = sorted(contracts, key=lambda one: (one.api, one.line.name)), known.clients.get(key)
    links = tuple((one.api, _contract_link(one, line is not None)) for one in found[:MOST_ROWS])
    return _Row(_client_node(query, key, line), links, max(0, len(found) - MOST_ROWS))


def _client_node(query: GraphQuery, key: NamespacedName, line: ClientLine | None) -> Node:
    namespace, name = key
    if line is None:
        return Node(name, "not found", f"ApiClient {namespace}/{name}: not found", "", Mark.BAD)
    chosen = key == query.client
    owner = f", owner {line.owner}" if line.owner else ""
    page = f"/clients/{namespace}/{name}"
    url = page if chosen else graph_url(client=f"{namespace}/{name}")
    title = f"ApiClient {namespace}/{name}: {line.effective_status}{owner}"
    return Node(name, namespace, title, url, effective_mark(line.effective_status), chosen, page)


def _contract_link(contract: ContractNode, known: bool) -> Link:
    line = contract.line
    title = f"Contract {line.namespace}/{line.name}: {line.client} to {line.api}, plan {line.plan}, {line.status}"
    title += f". {line.problem}" if line.problem else ""
    url = f"/clients/{line.namespace}/{line.client}#contracts"
    box = Node(line.name, line.status, title, url if known else "", line.mark)
    return Link(box, ContractStatusName(line.status), 1, line.plan, line.status)


# The right side.


def _right(query: GraphQuery, known: Known, rows: Iterable[_Row]) -> list[tuple[NamespacedName, Node]]:
    """The boxes that the links of this page lead to, by namespace and name."""
    keys = {key for row in rows for key, _ in row.links} | ({query.api} if query.api is not None else set())
    if not query.overview:
        return [(key, _api_node(query, key, known.apis.get(key))) for key in sorted(keys)]
    apis = Counter(namespace for namespace, _ in {*known.apis, *(one.api for one in known.contracts)})
    return [(key, _namespace_node(query, key[0], apis[key[0]])) for key in sorted(keys)]


def _namespace_node(query: GraphQuery, namespace: str, apis: int) -> Node:
    detail = _plural(apis, "Api")
    url = graph_url(by=query.by if query.by is not By.OWNER else "", apis=namespace, status=query.status)
    return Node(namespace, detail, f"Namespace {namespace}: {detail}", url)


def _api_node(query: GraphQuery, key: NamespacedName, api: ApiNode | None) -> Node:
    namespace, name = key
    status = api.status if api is not None else UNKNOWN
    title = f"Api {namespace}/{name}" + (f": {status}" if api is not None else "")
    chosen = key == query.api
    url = graph_url(apis=namespace) if chosen else graph_url(api=f"{namespace}/{name}")
    return Node(name, namespace, title, url, _API_MARKS.get(status), chosen)


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
