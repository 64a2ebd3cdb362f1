"""The graph of clients, contracts and Apis: what each address draws, with the same in words."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from time import process_time

import pytest

from apiclients.cli.dashboard.state.relations import ApiNode, ContractNode
from apiclients.cli.dashboard.views.graph import MOST_GROUPS, MOST_ROWS, Known, graph
from apiclients.cli.dashboard.views.graph_query import read_graph_query
from apiclients.cli.dashboard.views.shorten import fit
from apiclients.cli.errors import CliError
from apiclients.cli.screens.contracts import contract_line
from apiclients.cli.screens.listing import client_lines
from apiclients.resources.objects import Contract
from tests.cli import samples
from tests.cli.dashboard.conftest import Opening
from tests.cli.dashboard.scene import Browser, Objects
from tests.cli.samples import JsonObject
from tests.kube.fake import FakeServer

BILLING, STOCK = "team-a/billing-1.0", "team-a/stock-2.0"


def of_client(raw: JsonObject, client: str, api: str = "") -> JsonObject:
    """The contract, of another client and perhaps for another Api."""
    spec = {**raw["spec"], "clientName": client}
    return {**raw, "spec": spec | ({"api": {"namespace": "orders", "name": api}} if api else {})}


@pytest.fixture
async def contracts(objects: Objects) -> None:
    """billing has invoices, in force, and ledger, which waits; stock has invoices too; payroll has nobody."""
    owner = samples.client()
    await objects.put("contracts", samples.decided_contract(samples.contract("invoices", in_force="basic"), owner, ()))
    await objects.put("contracts", samples.decided_contract(samples.contract("ledger", plan="gold"), owner, ()))
    await objects.put(
        "contracts", of_client(samples.contract("stock-invoices", in_force="basic"), "stock-2.0", "invoices")
    )
    for name in ("invoices", "ledger", "payroll"):
        await objects.put("apis", samples.api(name))


def cells(page: str) -> list[list[str]]:
    """The rows of the table, in words."""
    body = page[page.index("<tbody>") : page.index("</tbody>")] if "<tbody>" in page else ""
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
    return [[" ".join(unescape(re.sub(r"<[^>]+>", "", cell)).split()) for cell in row] for row in rows]


def boxes(page: str) -> dict[str, str]:
    """The boxes of the drawing: what each says, and where it leads."""
    drawn = page[page.index('<svg class="graph"') : page.rindex("</svg>")] if '<svg class="graph"' in page else ""
    return {
        unescape(title): unescape(url)
        for url, title in re.findall(r'<a [^>]*href="([^"]+)">\s*<title>([^<]+)</title>', drawn)
    }


@pytest.mark.usefixtures("contracts")
async def test_the_overview(browser: Browser) -> None:
    page = await browser.page("/graph")
    assert cells(page) == [
        ["billing@example.com 1 client", "2 contracts", "1 Active, 1 PendingApproval", "orders 3 Apis"],
        ["stock@example.com 1 client", "1 contract", "1 Active", "orders 3 Apis"],
    ]
    assert boxes(page) == {
        "billing@example.com: 1 client": "/graph?owner=billing%40example.com",
        "stock@example.com: 1 client": "/graph?owner=stock%40example.com",
        "Namespace orders: 3 Apis": "/graph?apis=orders",
    }
    page = await browser.page("/graph?by=namespace")
    assert cells(page) == [["team-a 2 clients", "3 contracts", "2 Active, 1 PendingApproval", "orders 3 Apis"]]


@pytest.mark.usefixtures("contracts")
@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (f"client={BILLING}", ["invoices", "ledger"]),
        (f"client={BILLING}&hops=2", ["invoices", "ledger", "stock-invoices"]),
        (f"client={STOCK}", ["stock-invoices"]),
        ("api=orders/ledger", ["ledger"]),
        ("api=orders/ledger&hops=2", ["invoices", "ledger"]),
        ("api=orders/payroll", []),
        ("owner=stock@example.com", ["stock-invoices"]),
        ("owner=nobody", []),
        ("namespace=team-a", ["invoices", "ledger", "stock-invoices"]),
        ("apis=orders", ["invoices", "ledger", "stock-invoices"]),
        ("apis=elsewhere", []),
        ("namespace=team-a&status=PendingApproval", ["ledger"]),
        ("q=ledger", ["ledger"]),
    ],
)
async def test_an_address_says_which_contracts(browser: Browser, query: str, shown: list[str]) -> None:
    assert [row[1] for row in cells(await browser.page(f"/graph?{query}")) if len(row) > 2] == shown


@pytest.mark.usefixtures("contracts")
async def test_neighbours_of_a_client(browser: Browser) -> None:
    page = await browser.page(f"/graph?client={BILLING}")
    assert cells(page) == [
        ["billing-1.0 team-a", "invoices", "basic", "✔ Active", "invoices orders"],
        ["billing-1.0 team-a", "ledger", "gold", "◷ PendingApproval", "ledger orders"],
    ]
    drawn = boxes(page)
    assert drawn[f"ApiClient {BILLING}: Available, owner billing@example.com"] == f"/clients/{BILLING}"
    assert drawn["Api orders/ledger: <unknown>"] == "/graph?api=orders/ledger"
    contract = next(url for title, url in drawn.items() if title.startswith("Contract team-a/ledger: "))
    assert contract == f"/clients/{BILLING}#contracts"
    assert f'href="/graph?client={BILLING}&amp;hops=2"' in page
    assert len(re.findall('<path class="line waits"', page)) == 3  # two of the contract, one of the legend


@pytest.mark.usefixtures("contracts")
async def test_clients_without_contracts_are_shown(browser: Browser, objects: Objects) -> None:
    await objects.remove("contracts", "team-a", "stock-invoices")
    async with browser.live() as events:
        while cells(await browser.page(f"/graph?client={STOCK}")) != [["stock-2.0 team-a", "no contracts"]]:
            await events.next()
    assert ["stock-2.0 team-a", "no contracts"] in cells(await browser.page("/graph?namespace=team-a"))


async def test_a_client_that_is_not_there_is_said(browser: Browser, objects: Objects) -> None:
    await objects.put("contracts", of_client(samples.contract("orphan"), "gone-1.0"))
    async with browser.live() as events:
        while not (found := cells(await browser.page("/graph?apis=orders"))):
            await events.next()
    assert found[0][0] == "gone-1.0 not found"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("client=team-a/nobody", 404),
        ("api=orders/nothing", 404),
        ("client=team-a", 400),
        ("client=a/b/c", 400),
        ("client=%3Cscript%3E/x", 400),
        ("client=a/b&api=c/d", 400),
        ("hops=3", 400),
        ("by=colour", 400),
        ("status=Nothing", 400),
        ("page=0", 400),
    ],
)
async def test_an_address_that_cannot_be_meant(browser: Browser, query: str, status: int) -> None:
    answer = await browser.ask(f"/graph?{query}")
    assert answer.status == status
    assert (await answer.text()).count("<script") == 1


async def test_what_may_not_be_read_is_said(objects: Objects, dashboard: Opening) -> None:
    objects.forbidden |= {"contracts", "apis"}
    async with dashboard() as browser:
        await browser.open()
        page = await browser.page("/graph?namespace=team-a")
        assert "You may not read contracts" in page
        assert cells(page) == [["billing-1.0 team-a", "no contracts"], ["stock-2.0 team-a", "no contracts"]]


@pytest.mark.usefixtures("contracts")
async def test_one_namespace(dashboard: Opening) -> None:
    async with dashboard("team-a") as browser:
        await browser.open()
        page = await browser.page("/graph?api=orders/ledger")
        assert [row[1] for row in cells(page)] == ["ledger"]
        assert "Only contracts in namespace team-a are shown" in page
        assert "Api orders/ledger" in boxes(page)


@pytest.mark.usefixtures("contracts")
async def test_nothing_but_reads(browser: Browser, server: FakeServer) -> None:
    for query in ("", "?by=namespace", f"?client={BILLING}&hops=2", "?api=orders/ledger"):
        await browser.page(f"/graph{query}")
    assert {request.method for request in server.requests} == {"GET"}
    assert not [request.path for request in server.requests if "/secrets" in request.path]


async def test_text_of_others_is_text(objects: Objects, dashboard: Opening) -> None:
    evil = '"><script>alert(1)</script>\u202e'
    await objects.put("apiclients", samples.client("evil-1.0", owner=evil))
    async with dashboard() as browser:
        await browser.open()
        for path in ("/graph", "/graph?q=%22%3E%3Cscript%3E", "/graph?client=team-a/evil-1.0"):
            page = await browser.page(path)
            assert page.count("<script") == 1
            assert "\u202e" not in page


def test_addresses_are_read_as_they_are_written() -> None:
    given = {"by": "namespace", "q": "a b", "owner": "x@y", "namespace": "n", "apis": "o", "status": "Active"}
    assert read_graph_query(given).url(page=2) == (
        "/graph?by=namespace&q=a+b&owner=x%40y&namespace=n&apis=o&status=Active&page=2"
    )
    assert read_graph_query({"client": "a/b", "hops": "2"}).url() == "/graph?client=a/b&hops=2"
    assert read_graph_query({}).url() == "/graph"


def many(clients: int, each: int) -> Known:
    """So many clients, each of an owner of its own, with so many contracts for three Apis."""
    (line,) = client_lines([samples.client()], (), samples.NOW)
    lines = {("a", f"c-{n:04}"): replace(line, namespace="a", name=f"c-{n:04}", owner=f"o-{n}") for n in range(clients)}
    made = contract_line(Contract.from_object(samples.contract("x")))
    contracts = [
        ContractNode(replace(made, namespace="a", name=f"{name}-{k}", client=name), ("o", f"api-{k % 3}"), None)
        for _, name in lines
        for k in range(each)
    ]
    return Known(lines, contracts, {("o", "api-0"): ApiNode("o", "api-0", "Published", None)})


def test_long_graphs_have_pages() -> None:
    known = many(100, 3)
    pages = [graph(read_graph_query({"namespace": "a", "page": str(page)}), known) for page in range(1, 5)]
    assert [len(page.left) for page in pages] == [26, 26, 26, 22]
    assert [page.first for page in pages] == [1, 27, 53, 79]
    assert all(len(page.links) <= MOST_ROWS for page in pages)
    assert graph(read_graph_query({"namespace": "a", "page": "9"}), known) == pages[-1]
    overview = graph(read_graph_query({}), known)
    assert (len(overview.left), overview.pages, overview.total) == (MOST_GROUPS, 4, 100)


@pytest.mark.parametrize("query", [{}, {"by": "namespace"}, {"namespace": "a"}, {"api": "o/api-0", "hops": "2"}])
def test_2000_clients_are_drawn_within_a_second(query: dict[str, str]) -> None:
    known, began = many(2000, 2), process_time()
    graph(read_graph_query(query), known)
    assert process_time() - began <= 1


def test_a_client_is_on_one_page_whatever_it_has() -> None:
    found = graph(read_graph_query({"client": "a/c-0001"}), many(3, 200))
    assert (len(found.left), len(found.links), found.pages) == (1, MOST_ROWS, 1)
    assert [(node.page, more) for node, more in found.cut] == [("/clients/a/c-0001", 200 - MOST_ROWS)]


def test_a_contract_of_a_client_that_is_not_there_leads_nowhere() -> None:
    known = many(2, 1)
    found = graph(read_graph_query({"apis": "o"}), replace(known, clients={}))
    assert {link.box.url for link in found.links} == {""}


@pytest.mark.parametrize("owner", ["o-1", "O-1"])
def test_owners_are_compared_exactly_but_for_case(owner: str) -> None:
    found = graph(read_graph_query({"owner": owner}), many(20, 1))
    assert [node.label for node in found.left] == ["c-0001"]


def test_the_chosen_client_comes_first() -> None:
    found = graph(read_graph_query({"client": "a/c-0002", "hops": "2"}), many(4, 1))
    assert [node.label for node in found.left] == ["c-0002", "c-0000", "c-0001", "c-0003"]
    assert [node.chosen for node in found.left] == [True, False, False, False]


def test_the_same_clients_are_the_same_drawing() -> None:
    known, query = many(20, 3), read_graph_query({"namespace": "a"})
    shuffled = Known(dict(sorted(known.clients.items(), reverse=True)), known.contracts[::-1], known.apis)
    assert graph(query, known) == graph(query, shuffled)
    assert graph(read_graph_query({}), known) == graph(read_graph_query({}), shuffled)


def test_nobody_is_not_drawn() -> None:
    empty = Known({}, (), {})
    assert graph(read_graph_query({}), empty).left == ()
    with pytest.raises(CliError):
        graph(read_graph_query({"client": "a/b"}), empty)


@pytest.mark.parametrize(
    ("text", "room", "cut"),
    [
        ("short", 10, "short"),
        ("exactly-10", 10, "exactly-10"),
        ("orders-and-more-v1", 12, "orders-…e-v1"),
        ("日本語の名前", 8, "日本…前"),
        ("abc", 1, "…"),
        ("", 0, ""),
    ],
)
def test_what_is_too_long_is_cut_in_the_middle(text: str, room: int, cut: str) -> None:
    assert fit(text, room) == cut
