"""The dashboard through the real kubectl against the real API server, as a user with read access only."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape

import aiohttp
import pytest

from tests.cli.dashboard.scene import Browser, Events, rows
from tests.cli.declared import declare_api, declare_contract
from tests.cli.plugin import Plugin
from tests.toolkit.product import Team
from tests.toolkit.waiting import PATIENCE

pytestmark = pytest.mark.cluster


@pytest.fixture
async def browser(team: Team, plugin: Plugin) -> AsyncIterator[Browser]:
    """The browser of a user whose only role is apiclient-viewer in this namespace."""
    team.kubectl("create", "rolebinding", "looker", "--clusterrole=apiclient-viewer", "--user=looker")
    command = plugin.command("dashboard", "--port", "0", "--as", "looker")
    process = await asyncio.create_subprocess_exec(*command, env=plugin.environment, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            link = (await process.stdout.readline()).decode().strip()
            browser = Browser(session, link)
            assert (await browser.open()).status == 200
            yield browser
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 130


async def until_row(browser: Browser, events: Events, name: str, words: str) -> None:
    """Wait, by the events of the page alone, until a client's row says something."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = [row for row in (await browser.page()).split("<tr>") if f"/{name}" in row]
            if found and words in unescape(found[0]):
                return
            await events.next()


async def test_the_list_is_live(team: Team, browser: Browser) -> None:
    async with browser.live() as events:
        client = await asyncio.to_thread(team.declare, "billing")
        await until_row(browser, events, "billing", "✔</span> Available")
        await asyncio.to_thread(client.apply, desiredStatus="Suspended")
        await until_row(browser, events, "billing", "✖</span> Suspended")
        await asyncio.to_thread(team.kubectl, "delete", "apiclient", "billing", "--wait=false")
        async with asyncio.timeout(PATIENCE):
            while rows(await browser.page()):
                await events.next()


async def test_a_client_and_what_unblocks_it(team: Team, browser: Browser, plugin: Plugin) -> None:
    await asyncio.to_thread(team.declare, "billing", owner="billing@example.com")
    declare_api(team, "orders", {"name": "basic"}, {"name": "gold", "approval": "Manual"})
    await asyncio.to_thread(declare_contract, team, "gold", "billing", "orders", plan="gold", status="PendingApproval")
    await asyncio.to_thread(plugin.ok, "hold", "billing", "--reason", "key leaked")
    page = unescape(await browser.page(f"/clients/{team.namespace}/billing"))
    for words in ("Held", "key leaked", "kubectl apiclient release", "kind: ContractApproval", "in 89d", "#1"):
        assert words in page
    assert "you may not read its events" in page
    page = " ".join(unescape(await browser.page(f"/clients/{team.namespace}/billing/retire")).split())
    for words in (
        "0 active contracts",
        "Suspended (held) -> Retired",
        "who mounts it is not known",
        "desiredStatus: Retired",
    ):
        assert words in page


async def test_the_timeline_and_the_graph(team: Team, browser: Browser) -> None:
    await asyncio.to_thread(team.declare, "billing", owner="billing@example.com")
    declare_api(team, "orders", {"name": "basic"})
    ends = (datetime.now(UTC) + timedelta(days=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await asyncio.to_thread(declare_contract, team, "basic", "billing", "orders", plan="basic", status="Active")
    patch = f'{{"spec": {{"endTime": "{ends}"}}}}'
    await asyncio.to_thread(team.kubectl, "patch", "contract", "basic", "--type=merge", f"--patch={patch}")
    async with browser.live() as events, asyncio.timeout(PATIENCE):
        while "ends (Active)" not in (page := unescape(await browser.page("/timeline"))):
            await events.next()
        assert "The operator issues a new secret, because it grows old" in page
        address = f"/graph?client={team.namespace}/billing"
        while ">Active</text>" not in (page := unescape(await browser.page(address))):
            await events.next()
    assert f"Api {team.namespace}/orders: Published" in page
    assert "You may not read" not in page


async def test_requests_and_gates(team: Team, browser: Browser) -> None:
    await asyncio.to_thread(team.declare, "billing", owner="billing@example.com")
    declare_api(team, "orders", {"name": "gold", "approval": "Manual"})
    await asyncio.to_thread(declare_contract, team, "ask", "billing", "orders", plan="gold", status="PendingApproval")
    async with browser.live() as events, asyncio.timeout(PATIENCE):
        while "kind: ContractApproval" not in (page := unescape(await browser.page("/approvals"))):
            await events.next()
    for words in (f"name: {team.namespace}-ask-gold", "billing@example.com", "decision: Approved"):
        assert words in page
    assert "You may not read Leases" in await browser.page("/gates")
    page = unescape(await browser.page(f"/clients/{team.namespace}/billing/rotate"))
    for words in ("the previous one stays valid for at most", "what mounts the Secret is not known", "revision: 2"):
        assert words in page
