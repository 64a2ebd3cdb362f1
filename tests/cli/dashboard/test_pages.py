"""What the pages show, and that they read nothing that they may not, and write nothing."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from apiclients.cli.dashboard.views.paging import QueryError
from apiclients.cli.dashboard.views.query import read_query
from apiclients.cli.dashboard.web import pages
from apiclients.kube.errors import ForbiddenError
from tests.cli import samples
from tests.cli.dashboard.conftest import Opening
from tests.cli.dashboard.scene import Browser, Objects, live_part, rows
from tests.kube.fake import FakeServer
from tests.toolkit.waiting import async_eventually

SITE = Path(pages.__file__).parents[1]


async def test_the_list(browser: Browser) -> None:
    page = await browser.page()
    assert rows(page) == ["billing-1.0", "stock-2.0"]
    counted = {label: int(number) for number, label in re.findall(r"<strong>(\d+)</strong> ([^<]+)</a>", page)}
    assert counted == {
        "All": 2,
        "Available": 1,
        "Held": 1,
        "Not ready": 1,
        "Stalled": 0,
        "Expiring in 14d": 0,
        "Never used": 2,
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=stock", ["stock-2.0"]),
        ("q=BILLING@example", ["billing-1.0"]),
        ("q=billing+nothing", []),
        ("namespace=team-a", ["billing-1.0", "stock-2.0"]),
        ("namespace=team-b", []),
        ("owner=stock@example.com", ["stock-2.0"]),
        ("owner=STOCK@example.com", ["stock-2.0"]),
        ("owner=stock*", []),
        ("status=Held", ["stock-2.0"]),
        ("held=1", ["stock-2.0"]),
        ("stalled=1", []),
        ("unused=1", ["billing-1.0", "stock-2.0"]),
        ("notready=1", ["stock-2.0"]),
        ("expiring=90d", ["billing-1.0", "stock-2.0"]),
        ("expiring=1d", []),
        ("sort=owner", ["billing-1.0", "stock-2.0"]),
        ("page=7", ["billing-1.0", "stock-2.0"]),
        ("held=1&unused=1&status=Held&q=stock", ["stock-2.0"]),
    ],
)
async def test_an_address_says_which_clients(browser: Browser, query: str, found: list[str]) -> None:
    assert rows(await browser.page(f"/?{query}")) == found


@pytest.mark.parametrize("query", ["expiring=soon", "sort=luck", "page=0", "page=-1", "page=²"])
async def test_what_cannot_be_meant_is_said(browser: Browser, query: str) -> None:
    answer = await browser.ask(f"/?{query}")
    assert answer.status == 400
    assert "Invalid request" in await answer.text()


def test_an_address_is_what_it_was_read_from() -> None:
    url = "/?q=a+b&namespace=n&owner=o&status=Held&expiring=7d&held=1&stalled=1&unused=1&notready=1&sort=age&page=3"
    given = dict(part.split("=") for part in url.removeprefix("/?").replace("+", " ").split("&"))
    assert read_query(given).url() == url
    assert read_query(given).url(page=1) == url.removesuffix("&page=3")
    with pytest.raises(QueryError):
        read_query({"page": "0"})


async def test_long_lists_have_pages(objects: Objects, dashboard: Opening) -> None:
    for number in range(120):
        await objects.put("apiclients", samples.client(f"many-{number:03}"))
    async with dashboard() as browser:
        await browser.open()
        first = await browser.page("/?q=many")
        assert len(rows(first)) == 100
        (address,) = re.findall(r'rel="next" href="([^"]+)"', first)
        rest = await browser.page(unescape(address))
        assert rows(rest) == [f"many-{number:03}" for number in range(100, 120)]
        assert "101–120 of 120" in rest


async def test_the_list_follows_the_cluster(browser: Browser, objects: Objects) -> None:
    async with browser.live() as events:
        await events.next()
        await objects.put("apiclients", samples.client("new-1.0"))
        await events.next()
        assert rows(await browser.page()) == ["billing-1.0", "new-1.0", "stock-2.0"]
        await objects.remove("apiclients", "team-a", "billing-1.0")
        await events.next()
        assert rows(await browser.page()) == ["new-1.0", "stock-2.0"]
        await objects.put("apiclientholds", samples.hold("all", client_name="new-1.0"))
        await events.next()
        assert rows(await browser.page("/?held=1")) == ["new-1.0", "stock-2.0"]
        await objects.remove("apiclientholds", "team-a", "leak")
        await events.next()
        assert rows(await browser.page("/?held=1")) == ["new-1.0"]


async def test_the_page_knows_its_revision(browser: Browser) -> None:
    async with browser.live() as events:
        revision = await events.next()
    assert f'data-revision="{revision}"' in live_part(await browser.page())


async def test_a_client(objects: Objects, browser: Browser) -> None:
    await objects.put("contracts", samples.contract("orders-v1", plan="gold", in_force="basic"))
    await objects.put("leases", samples.lease(samples.ago(seconds=3)))
    page = unescape(await browser.page("/clients/team-a/stock-2.0"))
    assert "Held" in page
    assert "key leaked" in page
    assert "kubectl apiclient release --hold leak -n team-a" in page
    assert "orders/orders-v1" in page
    assert "in 78d" in page


@pytest.mark.parametrize("name", ["nobody", "..", "%2e%2e", "a%2Fb", "A B"])
async def test_a_client_that_is_not_there(browser: Browser, name: str) -> None:
    answer = await browser.ask(f"/clients/team-a/{name}")
    assert answer.status == 404


async def test_text_of_others_is_text(objects: Objects, dashboard: Opening) -> None:
    evil = '</td><script src="/x">alert(1)</script>\u202egnp"\''
    await objects.put("apiclients", samples.client("evil-1.0", owner=evil, displayName=evil))
    await objects.put("apiclientholds", samples.hold("evil", client_name="evil-1.0", reason=evil))
    async with dashboard() as browser:
        await browser.open()
        for path in (
            "/",
            f"/?owner={'%3Cscript%3E'}",
            "/?q=%22%3E%3Cscript%3E",
            "/clients/team-a/evil-1.0",
            "/approvals?q=%22%3E%3Cscript%3E&owner=%3Cscript%3E",
            "/contracts/team-a/orders-v1/plan?to=%3Cscript%3E",
            "/%3Cscript%3E",
        ):
            page = await (await browser.ask(path)).text()
            assert page.count("<script") == 1, path
            assert "\u202e" not in page
        page = await browser.page("/clients/team-a/evil-1.0")
        assert unescape(page).count('</td><script src="/x">alert(1)</script>gnp"\'') >= 3


async def test_no_secret_is_read_and_nothing_written(browser: Browser, server: FakeServer) -> None:
    for path in (
        "/",
        "/clients/team-a/billing-1.0",
        "/clients/team-a/stock-2.0",
        "/clients/team-a/nobody",
        "/approvals",
        "/gates",
    ):
        await browser.ask(path)
    assert {request.method for request in server.requests} == {"GET"}
    assert not [request.path for request in server.requests if "/secrets" in request.path]


async def test_digests_are_not_shown(objects: Objects, dashboard: Opening) -> None:
    digest = "d1ge57" * 10
    credentials = [{**samples.credential(1, samples.ago(days=12)), "digest": digest}]
    await objects.put("apiclients", samples.client("digest-1.0", status={"credentials": credentials}))
    async with dashboard() as browser:
        await browser.open()
        assert digest not in await browser.page() + await browser.page("/clients/team-a/digest-1.0")


async def test_what_may_not_be_read_is_said(objects: Objects, dashboard: Opening) -> None:
    objects.forbidden |= {"apiclientholds", "contracts", "leases", "events"}
    async with dashboard() as browser:
        await browser.open()
        assert "You may not read holds" in await browser.page()
        page = await browser.page("/clients/team-a/billing-1.0")
        assert "you may not read its contracts" in page
        assert "you may not read its events" in page


async def test_clients_that_may_not_be_read_are_an_error(objects: Objects, dashboard: Opening) -> None:
    objects.forbidden.add("apiclients")
    with pytest.raises(ForbiddenError):
        async with dashboard():
            pass


async def test_an_api_server_that_is_away_is_said(
    objects: Objects, dashboard: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apiclients.cli.dashboard.state.board._PROBE_SECONDS", 0.02)
    async with dashboard() as browser:
        await browser.open()
        objects.away = True

        async def noted(said: bool) -> bool:
            return ("no longer up to date" in await browser.page()) is said

        await async_eventually("it is said", lambda: noted(True))
        assert rows(await browser.page()) == ["billing-1.0", "stock-2.0"]
        assert (await browser.ask("/clients/team-a/billing-1.0")).status == 502
        objects.away = False
        await async_eventually("it is taken back", lambda: noted(False))


async def test_a_bug_is_a_page_and_a_traceback(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("apiclients.cli.dashboard.routes.status_view", fail)
    answer = await browser.ask("/clients/team-a/billing-1.0")
    assert answer.status == 500
    page = await answer.text()
    assert "Internal error" in page
    assert "a bug" not in page
    assert capsys.readouterr().err.count("LookupError: a bug") == 1


async def test_watched_kinds_that_can_no_longer_be_read_are_said(
    objects: Objects, dashboard: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apiclients.cli.dashboard.state.board._PROBE_SECONDS", 0.02)
    async with dashboard() as browser:
        await browser.open()
        objects.forbidden |= {"apiclientholds", "contractapprovals"}

        async def noted() -> bool:
            page = await browser.page()
            return "Holds can no longer be read" in page and "Approvals can no longer be read" in page

        await async_eventually("it is said", noted)
        assert "Contracts can no longer be read" not in await browser.page()


async def test_one_namespace(objects: Objects, server: FakeServer, dashboard: Opening) -> None:
    other = samples.client("other-1.0")
    await objects.put("apiclients", {**other, "metadata": {**other["metadata"], "namespace": "team-b"}})
    async with dashboard("team-b") as browser:
        await browser.open()
        assert rows(await browser.page()) == ["other-1.0"]
        assert {request.path.split("/namespaces/")[1].split("/")[0] for request in server.requests} == {"team-b"}


def test_pages_name_no_other_machine() -> None:
    """No font, script, picture or style of somebody else's."""
    for path in SITE.rglob("*.*"):
        if path.suffix in (".html", ".css", ".js"):
            text = path.read_text()
            assert not re.search(r"https?:|//[a-z]|@import|(?<!_)url\(", text.replace("// ", "")), path
            assert not re.search(r"<(script|style)(?![^>]*src=)[^>]*>|\son\w+=|\sstyle=|innerHTML|eval\(", text), path


def test_no_template_trusts_text() -> None:
    for path in (SITE / "templates").iterdir():
        assert not re.search(r"\|\s*safe|autoescape|Markup", path.read_text()), path
