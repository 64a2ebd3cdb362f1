"""Previews of changes: the consequences and the patch, and nothing is changed."""

from __future__ import annotations

import asyncio
import os
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


async def preview(browser: Browser, choice: str) -> tuple[str, str]:
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
        ("rotate", ("2 active contracts", "the previous one stays valid for at most 24h", "1 reversible")),
        ("suspend", ("2 active contracts", "Available -> Suspended", "contracts paused", "1 reversible")),
        ("retire", ("2 active contracts", "Available -> Retired", "contracts ended", "2/2", "secret removed")),
        ("delete", ("2 active contracts", "deleted, held back", "0/2; missing: a, b", "acknowledgedContracts")),
    ],
)
async def test_the_consequences(browser: Browser, choice: str, said: tuple[str, ...]) -> None:
    page, _ = await preview(browser, choice)
    for words in said:
        assert words in page, words
    assert "client.yaml" not in page


@pytest.mark.usefixtures("contracts")
@pytest.mark.parametrize(
    ("choice", "after"),
    [
        ("rotate", f"{MANIFEST}  secret:\n    revision: 2\n"),
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
    page, patch = await preview(browser, choice)
    assert str(path) in page
    await git(repository, "apply", input=patch)
    assert (path.read_text() if path.exists() else None) == after


@pytest.mark.parametrize("choice", ["rotate", "suspend", "retire", "delete"])
async def test_a_client_that_no_file_declares(browser: Browser, choice: str, repository: Path) -> None:
    page, text = await preview(browser, choice)
    assert f"No file below {repository} declares it" in page
    assert text.startswith("spec:\n  ") == (choice != "delete")


async def test_a_file_that_cannot_be_edited(browser: Browser, repository: Path) -> None:
    """The consequences are shown, and why there is no patch."""
    (repository / "client.yaml").write_text(MANIFEST.replace("desiredStatus: Available", "owner: me"))
    page, patch = await preview(browser, "suspend")
    assert "has no plain spec.desiredStatus" in page
    assert "Consequences" in page
    assert patch == ""


async def test_a_file_name_that_is_not_utf_8(browser: Browser, repository: Path) -> None:
    path = repository / os.fsdecode(b"\xff.yaml")
    path.write_text(MANIFEST)
    page, _ = await preview(browser, "suspend")
    assert "\ufffd.yaml in Git" in page


async def test_a_file_that_declares_more_is_not_deleted(browser: Browser, repository: Path) -> None:
    (repository / "all.yaml").write_text(f"{MANIFEST}---\n{MANIFEST.replace('billing', 'other')}")
    page, patch = await preview(browser, "delete")
    assert "Delete its document from" in page
    assert patch == ""


async def test_it_changes_nothing(browser: Browser, server: FakeServer, repository: Path) -> None:
    (repository / "billing.yaml").write_text(MANIFEST)
    for choice in ("rotate", "suspend", "retire", "delete"):
        await preview(browser, choice)
    assert {request.method for request in server.requests} == {"GET"}
    assert not [request.path for request in server.requests if "/secrets" in request.path]
    assert (repository / "billing.yaml").read_text() == MANIFEST


@pytest.mark.parametrize("path", ["/clients/team-a/billing-1.0/release", "/clients/team-a/nobody/suspend"])
async def test_what_there_is_not(browser: Browser, path: str) -> None:
    assert (await browser.ask(path)).status == 404


def cells(page: str, number: str) -> list[str]:
    """The row of a secret, as text."""
    (found,) = (row for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if f">{number}</th>" in row)
    values = re.findall(r"<td[^>]*>(.*?)</td>", found, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", "", value).split()) for value in values]


class TestRotation:
    """What becomes of the secrets, and who has to take the new one."""

    async def test_the_secret_that_is_replaced_stays_valid_for_the_overlap(
        self, objects: Objects, browser: Browser
    ) -> None:
        known = [
            samples.credential(2, samples.ago(days=3)),
            samples.credential(1, samples.ago(days=4), state="Previous", expires=samples.NOW + samples.HOUR),
        ]
        status = {"credentials": known, "lastCredentialId": 2}
        await objects.put("apiclients", samples.client(secret={"overlap": "6h", "lifetime": "240h"}, status=status))
        page, _ = await preview(browser, "rotate")
        assert cells(page, "#3")[:2] == ["✔ Current new", "in 10d"]
        assert cells(page, "#2")[:2] == ["◷ Previous", "in 6h"]
        assert cells(page, "#1")[:2] == ["◷ Previous", "in 60m"]
        assert "kubectl apiclient rotate billing-1.0 -n team-a" in page

    async def test_without_overlap_it_is_refused_at_once(self, objects: Objects, browser: Browser) -> None:
        await objects.put("apiclients", samples.client(secret={"overlap": "0s"}))
        page, _ = await preview(browser, "rotate")
        assert cells(page, "#1")[:2] == ["✖ Revoked", "at once"]
        assert "There is no overlap" in page

    async def test_what_mounts_the_secret_is_named(self, objects: Objects, browser: Browser) -> None:
        assert "No workload in team-a mounts it" in (await preview(browser, "rotate"))[0]
        volumes = [{"secret": {"secretName": "billing-1.0-credentials"}}]
        pod = {"template": {"spec": {"volumes": volumes, "containers": []}}}
        await objects.put("deployments", {"metadata": {"name": "billing", "namespace": "team-a"}, "spec": pod})
        assert "<li>Deployment team-a/billing</li>" in (await preview(browser, "rotate"))[0]
        objects.forbidden.add("cronjobs")
        assert "what mounts the Secret is not known" in (await preview(browser, "rotate"))[0]

    async def test_a_stopped_client_waits(self, objects: Objects, browser: Browser) -> None:
        status = {"observedStatus": "Suspended", "desiredStatus": "Suspended"}
        await objects.put("apiclients", samples.client(desiredStatus="Suspended", status=status))
        page, _ = await preview(browser, "rotate")
        assert "The client is Suspended: the new secret is issued once it is available again" in page

    async def test_a_client_without_a_secret(self, objects: Objects, browser: Browser) -> None:
        await objects.put("apiclients", samples.client(secret={"issue": False}))
        page, patch = await preview(browser, "rotate")
        assert "spec.secret.issue is false" in page
        assert "Secrets afterwards" not in page
        assert patch == ""
