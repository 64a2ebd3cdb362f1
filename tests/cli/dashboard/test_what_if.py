"""What a change would do, and how it is made: foretold, and made by nobody here."""

from __future__ import annotations

import asyncio
import re
import subprocess
from html import unescape
from pathlib import Path

import pytest

from tests.cli import samples
from tests.cli.dashboard.scene import Browser, Objects
from tests.kube.fake import FakeServer

MANIFEST = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata:
  name: billing-1.0
  namespace: team-a
spec:
  desiredStatus: Available  # since spring
"""


@pytest.fixture
async def contracts(objects: Objects) -> None:
    """Two contracts in force."""
    owner = samples.client()
    made = [samples.decided_contract(samples.contract(name, in_force="basic"), owner, ()) for name in ("a", "b")]
    for contract in made:
        await objects.put("contracts", contract)
    await objects.put("apiclients", samples.decided_client(owner, made, (), samples.NOW))


async def told(browser: Browser, choice: str) -> tuple[str, str]:
    """The page, and the patch that it offers."""
    page = await browser.page(f"/clients/team-a/billing-1.0/{choice}")
    patch = re.search(r'<pre id="patch"[^>]*>(.*?)</pre>', page, re.DOTALL)
    return unescape(page), unescape(patch.group(1)) + "\n" if patch else ""


async def git(folder: Path, *words: str, input: str = "") -> None:
    """Run git there."""
    await asyncio.to_thread(subprocess.run, ["git", *words], cwd=folder, input=input, text=True, check=True)


@pytest.mark.usefixtures("contracts")
@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("suspend", ("2 active contracts", "Available -> Suspended", "contracts paused", "1 reversible")),
        ("retire", ("2 active contracts", "Available -> Retired", "contracts ended", "2/2", "secret removed")),
        ("delete", ("2 active contracts", "deleted, held back", "0/2; missing: a, b", "acknowledgedContracts")),
    ],
)
async def test_the_consequences(browser: Browser, choice: str, said: tuple[str, ...]) -> None:
    page, _ = await told(browser, choice)
    for words in said:
        assert words in page, words
    assert "client.yaml" not in page


@pytest.mark.usefixtures("contracts")
@pytest.mark.parametrize(
    ("choice", "after"),
    [
        ("suspend", MANIFEST.replace("Available", "Suspended")),
        ("retire", MANIFEST.replace("Available", "Retired") + "  retirement:\n    acknowledgedContracts: [a, b]\n"),
        ("delete", None),
    ],
)
async def test_the_patch_applies(browser: Browser, repository: Path, choice: str, after: str | None) -> None:
    path = repository / "clients" / "billing.yaml"
    path.parent.mkdir()
    path.write_text(MANIFEST)
    await git(repository, "init", "-q")
    page, patch = await told(browser, choice)
    assert str(path) in page
    await git(repository, "apply", input=patch)
    assert (path.read_text() if path.exists() else None) == after


@pytest.mark.parametrize("choice", ["suspend", "retire", "delete"])
async def test_a_client_that_no_file_declares(browser: Browser, choice: str, repository: Path) -> None:
    page, text = await told(browser, choice)
    assert f"No file below {repository} declares it" in page
    assert text.startswith("spec:\n  desiredStatus: ") == (choice != "delete")


async def test_a_file_that_declares_more_is_not_deleted(browser: Browser, repository: Path) -> None:
    (repository / "all.yaml").write_text(f"{MANIFEST}---\n{MANIFEST.replace('billing', 'other')}")
    page, patch = await told(browser, "delete")
    assert "Delete its document from" in page
    assert patch == ""


async def test_it_changes_nothing(browser: Browser, server: FakeServer, repository: Path) -> None:
    (repository / "billing.yaml").write_text(MANIFEST)
    for choice in ("suspend", "retire", "delete"):
        await told(browser, choice)
    assert {request.method for request in server.requests} == {"GET"}
    assert not [request.path for request in server.requests if "/secrets" in request.path]
    assert (repository / "billing.yaml").read_text() == MANIFEST


@pytest.mark.parametrize("path", ["/clients/team-a/billing-1.0/release", "/clients/team-a/nobody/suspend"])
async def test_what_there_is_not(browser: Browser, path: str) -> None:
    assert (await browser.ask(path)).status == 404
