"""The pages in a real browser: its script, its policy, its keyboard. ``make test-browser`` runs them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli import samples
from tests.cli.dashboard.chromium import NoChromiumError, Tab, chromium, chromium_program
from tests.cli.dashboard.conftest import Opening
from tests.cli.dashboard.gallery import PAGES, furnish
from tests.cli.dashboard.scene import Browser, Objects
from tests.cli.dashboard.test_approvals import waiting
from tests.toolkit.npm import NpmError, npm_packages

pytestmark = pytest.mark.browser

LIVE = "document.getElementById('connection')?.textContent === 'live'"


@pytest.fixture(scope="session")
def program() -> str:
    """Chromium."""
    try:
        return chromium_program()
    except NoChromiumError as error:
        pytest.skip(str(error))


@pytest.fixture
async def tab(program: str, tmp_path: Path) -> AsyncIterator[Tab]:
    """An empty page."""
    async with chromium(program, tmp_path / "profile") as opened:
        await opened.look()
        yield opened


@pytest.fixture
async def opened(tab: Tab, stranger: Browser) -> Tab:
    """The page behind the link, opened by it."""
    await tab.go(stranger.link, f"location.pathname === '/' && {LIVE}")
    return tab


async def test_the_link_leaves_nothing_behind(opened: Tab, stranger: Browser) -> None:
    assert await opened.run("location.href") == f"{stranger.origin}/"
    assert await opened.run("document.cookie") == ""
    assert await opened.run("document.referrer") == ""
    assert {address for address in opened.asked if not address.startswith(f"{stranger.origin}/")} == set()
    assert opened.complaints == []


async def test_a_new_client_appears_by_itself(opened: Tab, objects: Objects) -> None:
    await opened.run("window.same = true")
    await objects.put("apiclients", samples.client("new-1.0"))
    await opened.until("document.querySelector('a[href=\"/clients/team-a/new-1.0\"]')")
    await objects.remove("apiclients", "team-a", "new-1.0")
    await opened.until("!document.querySelector('a[href=\"/clients/team-a/new-1.0\"]')")
    assert await opened.run("window.same")


async def test_searching_by_keyboard(opened: Tab, objects: Objects) -> None:
    await opened.press("/")
    for key in "stock":
        await opened.press(key)
    await opened.until("document.querySelectorAll('tbody tr').length === 1 && location.search === '?q=stock'")
    await objects.put("apiclients", samples.client("stock-3.0"))
    await opened.until("document.querySelectorAll('tbody tr').length === 2")
    assert await opened.run("document.activeElement.name + document.activeElement.value") == "qstock"


async def test_the_focus_stays_while_the_list_changes(opened: Tab, objects: Objects) -> None:
    await opened.run("document.querySelector('a[href=\"/clients/team-a/stock-2.0\"]').focus()")
    await objects.put("apiclients", samples.client("new-1.0"))
    await opened.until("document.querySelector('a[href=\"/clients/team-a/new-1.0\"]')")
    assert await opened.run("document.activeElement.getAttribute('href')") == "/clients/team-a/stock-2.0"


async def test_an_approval_stays_open_while_others_come(opened: Tab, stranger: Browser, objects: Objects) -> None:
    await objects.put("contracts", waiting("a-1.0", samples.ago(hours=3), api="orders"))
    await opened.go(f"{stranger.origin}/approvals", f"document.querySelector('summary') && {LIVE}")
    await opened.run("document.querySelector('summary').focus()")
    await opened.run("document.querySelector('details').open = true")
    await objects.put("contracts", waiting("b-1.0", samples.ago(hours=9), api="orders"))
    await opened.until("document.querySelectorAll('details').length === 2")
    assert await opened.run("document.querySelector('details[open]').textContent.includes('Approve a-1.0')")
    assert await opened.run("document.activeElement.textContent") == "Approve a-1.0"
    await opened.run("document.querySelector('details[open] button').focus()")
    await objects.remove("contracts", "team-a", "b-1.0")
    await opened.until("document.querySelectorAll('details').length === 1")
    assert await opened.run("document.activeElement.textContent") == "Copy"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/clients/team-a/stock-2.0",
        "/approvals",
        "/gates",
        "/timeline",
        "/timeline?by=day",
        "/graph",
        "/graph?client=team-a/billing-1.0",
    ],
)
async def test_narrow_screens_need_no_scrolling_sideways(opened: Tab, stranger: Browser, path: str) -> None:
    await opened.look(width=360, height=700)
    await opened.go(f"{stranger.origin}{path}", LIVE)
    assert await opened.run("document.documentElement.scrollWidth") <= 360


async def test_the_graph_by_keyboard(opened: Tab, stranger: Browser, objects: Objects) -> None:
    await objects.put("contracts", samples.contract("invoices", in_force="basic"))
    await opened.go(f"{stranger.origin}/graph", f"{LIVE} && document.querySelector('svg.graph a')")
    box = 'a[href="/graph?owner=billing%40example.com"]'
    await opened.until(f"document.querySelector('svg.graph {box} path')")
    await opened.run(f"document.querySelector('svg.graph {box}').focus()")
    await objects.put("contracts", samples.contract("ledger", in_force="basic"))
    await opened.until("document.querySelector('main').textContent.includes('2 contracts')")
    assert await opened.run("document.activeElement.closest('svg.graph') !== null")
    await opened.press("Enter")
    await opened.until("location.search === '?owner=billing%40example.com' && document.querySelector('svg .contract')")
    assert opened.complaints == []


async def test_filters_of_the_timeline_stay_on_it(opened: Tab, stranger: Browser) -> None:
    await opened.go(f"{stranger.origin}/timeline", LIVE)
    await opened.press("/")
    for key in "billing":
        await opened.press(key)
    await opened.until("location.pathname + location.search === '/timeline?q=billing'")
    await opened.until("document.querySelectorAll('tbody td a').length === 1")
    await opened.run("document.querySelector('svg.bars a').focus()")
    await opened.press("Enter")
    await opened.until("location.search.includes('on=2026-05-11')")
    assert opened.complaints == []


async def test_text_of_others_runs_nothing(opened: Tab, stranger: Browser, objects: Objects) -> None:
    evil = "<img src=x onerror='window.evil=1'><script>window.evil=1</script>"
    await objects.put("apiclients", samples.client("evil-1.0", owner=evil))
    await opened.until("document.body.textContent.includes('window.evil=1')")
    await opened.go(f"{stranger.origin}/clients/team-a/evil-1.0", LIVE)
    assert await opened.run("window.evil === undefined && !document.querySelector('main img, main script')")


async def test_the_policy_forbids_scripts_and_requests_of_others(opened: Tab) -> None:
    await opened.run("document.head.append(Object.assign(document.createElement('script'), {text: 'window.evil = 1'}))")
    assert await opened.run("window.evil === undefined")
    assert await opened.run("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
    assert len(opened.complaints) >= 2


async def test_hidden_pages_keep_no_connection(opened: Tab, objects: Objects) -> None:
    """Browsers allow six connections to a host: a seventh page would hang."""
    hide = "Object.defineProperty(document, 'hidden', {{configurable: true, get: () => {}}});"
    changed = "document.dispatchEvent(new Event('visibilitychange')); true"
    await opened.run("window.kept = EventSource.prototype.close; window.endings = 0; true")
    await opened.run("EventSource.prototype.close = function () { window.endings += 1; window.kept.call(this); }; true")
    await opened.run(hide.format("true") + changed)
    assert await opened.run("window.endings") == 1
    await objects.put("apiclients", samples.client("new-1.0"))
    await opened.run(hide.format("false") + changed)
    await opened.until("document.querySelector('a[href=\"/clients/team-a/new-1.0\"]')")
    await objects.put("apiclients", samples.client("newer-1.0"))
    await opened.until("document.querySelector('a[href=\"/clients/team-a/newer-1.0\"]')")


async def test_selected_text_stays(opened: Tab, objects: Objects) -> None:
    link = "document.querySelector('a[href=\"/clients/team-a/stock-2.0\"]')"
    await opened.run(f"document.getSelection().selectAllChildren({link})")
    await opened.run("window.fetched = 0; window.real = fetch; true")
    await opened.run("window.fetch = (...given) => window.real(...given).finally(() => { window.fetched += 1 }); true")
    await objects.put("apiclients", samples.client("new-1.0"))
    await opened.until("window.fetched > 0")
    assert await opened.run("document.getSelection().toString()") == "stock-2.0"
    await opened.run("document.getSelection().removeAllRanges()")
    await opened.until("document.querySelector('a[href=\"/clients/team-a/new-1.0\"]')")


async def test_a_page_that_cannot_be_refreshed_is_said(opened: Tab, objects: Objects) -> None:
    await opened.run("window.fetch = () => Promise.resolve(new Response('busy', {status: 500})); true")
    await objects.put("apiclients", samples.client("new-1.0"))
    await opened.until("document.getElementById('connection').textContent.startsWith('This page cannot be refreshed')")


async def test_what_is_copied_ends_as_a_file_does(opened: Tab, stranger: Browser, objects: Objects) -> None:
    await objects.put("contracts", waiting("a-1.0", samples.ago(hours=3), api="orders"))
    await opened.go(f"{stranger.origin}/approvals", f"document.querySelector('details button') && {LIVE}")
    await opened.run("navigator.clipboard.writeText = async (text) => { window.copied = text }; true")
    await opened.run("document.querySelector('details').open = true")
    await opened.run("document.querySelector('details button').click()")
    await opened.until("document.querySelector('details button').textContent === 'Copied'")
    assert await opened.run("window.copied.endsWith('\\n') && !window.copied.endsWith('\\n\\n')")
    await opened.until("document.querySelector('details button').textContent === 'Copy'")
    await opened.run("navigator.clipboard.writeText = async () => { throw new Error() }; true")
    await opened.run("document.querySelector('details button').click()")
    await opened.until("document.querySelector('details button').textContent === 'Copy failed: select the text'")


async def test_a_dashboard_that_has_ended_is_said(tab: Tab, dashboard: Opening) -> None:
    async with dashboard() as browser:
        await tab.go(browser.link, LIVE)
    await tab.until("document.getElementById('connection').textContent.startsWith('Disconnected')")


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, which finds what keeps people from using a page."""
    try:
        return (npm_packages(Path(__file__).parent / "axe") / "axe-core" / "axe.min.js").read_text()
    except NpmError as error:
        pytest.skip(f"axe-core cannot be installed: {error}")


LOOKS: dict[str, dict[str, Any]] = {"light": {}, "dark": {"dark": True}, "narrow": {"width": 380}}


@pytest.mark.parametrize("look", LOOKS)
async def test_no_page_has_what_axe_finds(
    axe: str, tab: Tab, objects: Objects, dashboard: Opening, repository: Path, look: str
) -> None:
    """With all details open, so that what is in them is looked at too."""
    await furnish(objects, repository)
    await tab.look(**LOOKS[look])
    async with dashboard() as browser:
        await tab.go(browser.link, "location.pathname === '/'")
        found = {name: await violations(tab, browser.origin + path, axe) for name, path in PAGES.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


async def violations(tab: Tab, address: str, axe: str) -> list[str]:
    """What axe finds on a page, with the first elements."""
    await tab.go(address, "document.getElementById('live')")
    await tab.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    await tab.run(f"{axe}; true")
    found = await tab.run(
        "axe.run().then((all) => all.violations.map((one) =>"
        " `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html).join(' ')}`))"
    )
    return list(found)


async def test_axe_finds_what_is_wrong(axe: str, opened: Tab) -> None:
    """So that the test above can fail."""
    await opened.run("document.querySelector('main').append(document.createElement('button'))")
    await opened.run(f"{axe}; true")
    found = await opened.run("axe.run().then((all) => all.violations.map((one) => one.id))")
    assert "button-name" in found
