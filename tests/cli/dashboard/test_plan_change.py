"""What another plan of a contract would do, and the change that asks for it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from tests.cli import samples
from tests.cli.dashboard.scene import Browser, Objects
from tests.cli.dashboard.test_what_if import git
from tests.kube.fake import FakeServer

PAGE = "/contracts/team-a/stock/plan"
MANIFEST = """\
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata: {name: stock, namespace: team-a}
spec:
  clientName: billing-1.0
  api: {namespace: orders, name: stock}
  plan: basic  # until there is demand
"""


@pytest.fixture(autouse=True)
async def contract(objects: Objects) -> None:
    """A contract in force under plan basic; gold needs an approval, free does not."""
    api = samples.api("stock")
    free = {
        "name": "free",
        "displayName": "For trials",
        "scopes": ["read"],
        "rateLimit": {"requests": 5, "window": "1m"},
    }
    await objects.put("apis", api | {"spec": api["spec"] | {"plans": [*api["spec"]["plans"], free]}})
    owner = samples.client()
    made = samples.decided_contract(samples.contract("stock", in_force="basic"), owner, ())
    await objects.put("contracts", made)
    await objects.put("apiclients", samples.decided_client(owner, [made], (), samples.NOW))


def patch_of(page: str) -> str:
    """The patch that the page offers, or YAML."""
    (text,) = re.findall(r'<pre id="patch"[^>]*>(.*?)</pre>', page, re.DOTALL)
    return unescape(text) + "\n"


async def test_the_page_of_the_client_leads_there(browser: Browser) -> None:
    page = await browser.page("/clients/team-a/billing-1.0")
    assert f'href="{PAGE}"' in page


async def test_the_plans_to_choose_from(browser: Browser) -> None:
    page = unescape(await browser.page(PAGE))
    assert re.findall(r'href="\?to=(\w+)"', page) == ["basic", "gold", "free"]
    for words in ("1 active contract<", "in force", "Manual", "5 in 60s", "For trials", "Select a plan", "Cancel"):
        assert words in page, words
    assert "Consequences" not in page


@pytest.mark.parametrize(
    ("plan", "said"),
    [("gold", "Plan gold waits for a ContractApproval"), ("free", "basic -> free"), ("basic", "Nothing changes")],
)
async def test_the_consequences(browser: Browser, plan: str, said: str) -> None:
    page = unescape(await browser.page(f"{PAGE}?to={plan}"))
    assert said in page
    assert "object.yaml" not in page


async def test_an_approval_that_is_there_counts(browser: Browser, objects: Objects) -> None:
    await objects.put("contractapprovals", samples.approval("stock", "gold"))
    page = unescape(await browser.page(f"{PAGE}?to=gold"))
    assert "basic -> gold" in page
    assert "waits for a ContractApproval" not in page


async def test_approvals_that_may_not_be_read(browser: Browser, objects: Objects) -> None:
    objects.forbidden.add("orders/contractapprovals")
    page = await browser.page(f"{PAGE}?to=gold")
    assert "you may not read approvals in orders" in page
    assert "Plan gold waits for a ContractApproval" in page


async def test_the_patch_applies(browser: Browser, repository: Path) -> None:
    path = repository / "stock.yaml"
    path.write_text(MANIFEST)
    await git(repository, "init", "-q")
    page = unescape(await browser.page(f"{PAGE}?to=free"))
    assert f"Change {path} in Git" in page
    await git(repository, "apply", input=patch_of(page))
    assert path.read_text() == MANIFEST.replace("plan: basic", "plan: free")


async def test_a_file_that_cannot_be_edited(browser: Browser, repository: Path) -> None:
    (repository / "stock.yaml").write_text(MANIFEST.replace("plan: basic", "plan: [basic]"))
    page = unescape(await browser.page(f"{PAGE}?to=free"))
    assert "has no plain spec.plan" in page
    assert "Consequences" in page


async def test_a_contract_that_no_file_declares(browser: Browser) -> None:
    page = await browser.page(f"{PAGE}?to=free")
    assert patch_of(page) == "spec:\n  plan: free\n"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        (f"{PAGE}?to=platinum", 400, "platinum is not a plan of Api orders/stock"),
        ("/contracts/team-a/nothing/plan", 404, "there is no contract team-a/nothing"),
        ("/contracts/team-a/..%2f/plan", 404, ""),
    ],
)
async def test_what_there_is_not(browser: Browser, path: str, status: int, said: str) -> None:
    answer = await browser.ask(path)
    assert answer.status == status
    assert said in await answer.text()


async def test_an_api_that_may_not_be_read(browser: Browser, objects: Objects) -> None:
    objects.forbidden.add("apis")
    answer = await browser.ask(PAGE)
    assert answer.status == 404
    assert "you may not read Apis in orders" in await answer.text()


async def test_it_changes_nothing(browser: Browser, server: FakeServer) -> None:
    await browser.page(f"{PAGE}?to=gold")
    assert {request.method for request in server.requests} == {"GET"}
    assert not [request.path for request in server.requests if "/secrets" in request.path]
