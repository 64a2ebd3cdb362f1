"""The gates: which are alive, how far each is, and which clients wait for one."""

from __future__ import annotations

import re
from html import unescape

import pytest

from apiclients import __version__
from tests.cli import samples
from tests.cli.dashboard.gallery import not_enforced
from tests.cli.dashboard.scene import Browser, Objects
from tests.kube.fake import FakeServer


def row(page: str, gate: str) -> list[str]:
    """The cells of a gate, as text."""
    (found,) = (one for one in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if f">{gate}" in one)
    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", found, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", "", cell)).split()) for cell in cells]


@pytest.fixture
async def system(objects: Objects) -> None:
    """An operator, a gate that has everything, and one that has all clients and no hold."""
    await objects.put("leases", samples.lease(samples.ago(seconds=3)))
    await objects.put("leases", samples.gate_lease("gate-a", applied=(2000, 2000)))
    await objects.put("leases", samples.gate_lease("gate-b", renewed=4, proved=5, applied=(2000, 1)))


@pytest.mark.usefixtures("system")
async def test_how_far_each_gate_is(browser: Browser) -> None:
    page = await browser.page("/gates")
    up_to_date = "✔ up to date 2000"
    assert row(page, "gate-a") == [
        "gate-a", "✔ ready", __version__, "2s ago", "3s ago", up_to_date, up_to_date, "0",
    ]  # fmt: skip
    assert row(page, "gate-b")[3:7] == ["4s ago", "5s ago", up_to_date, "◷ behind 1"]
    assert "operator-0 leads" in page
    assert "No client is waiting for a gate." in page


@pytest.mark.usefixtures("system")
async def test_who_waits_for_which_gate(browser: Browser, objects: Objects) -> None:
    async with browser.live() as events:
        await events.next()
        await objects.put("apiclients", not_enforced(samples.decided_client(samples.client(), (), (), samples.NOW),
                                                     samples.ago(seconds=40)))  # fmt: skip
        await events.next()
        page = await browser.page("/gates")
    assert "it waits for gate-7d9f-9qv7m" in page
    assert "40s ago" in page
    assert (row(page, "gate-a")[-1], row(page, "gate-b")[-1]) == ("0", "1")


@pytest.mark.parametrize(
    ("lease", "state", "said"),
    [
        ({"renewed": 60}, "◷ lost", "kubectl delete lease -n apiclients-system gate-c"),
        ({"ready": "false", "problem": "no list yet"}, "✖ not ready", "it answers 503 (no list yet)"),
        ({"proved": 60}, "✖ ready", "last proved its picture 60s ago"),
        ({"problem": "keys are lost"}, "✖ ready", "docs/runbooks/keys-lost.md"),
        ({"version": "0.0.1"}, "✔ ready", "gate gate-c has 0.0.1"),
        ({"obeys": ""}, "✔ ready", "gate-c is too old to obey"),
    ],
)
@pytest.mark.usefixtures("system")
async def test_what_doctor_finds_is_said(
    browser: Browser, objects: Objects, lease: dict[str, str], state: str, said: str
) -> None:
    await objects.put("leases", samples.gate_lease("gate-c", **lease))  # type: ignore[arg-type]
    page = unescape(await browser.page("/gates"))
    assert row(page, "gate-c")[1] == state
    assert said in page


async def test_nothing_runs(browser: Browser) -> None:
    page = await browser.page("/gates")
    assert "no gate is alive: every call is refused" in page
    assert "no operator has ever led" in page


async def test_leases_that_may_not_be_read(browser: Browser, objects: Objects, server: FakeServer) -> None:
    client = samples.decided_client(samples.client("late-1.0"), (), (), samples.NOW)
    async with browser.live() as events:
        await events.next()
        await objects.put("apiclients", not_enforced(client, samples.ago(seconds=40)))
        await events.next()
    objects.forbidden.add("leases")
    page = await browser.page("/gates")
    assert "You may not read Leases in namespace apiclients-system" in page
    assert "apiclient-on-call" in page
    assert "no gate is alive" not in page
    assert "no operator" not in page
    assert "it waits for gate-7d9f-9qv7m" in page
    assert {request.method for request in server.requests} == {"GET"}
