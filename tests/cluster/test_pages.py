"""The pages of the kinds: what "Working with" and "Debugging" tell people to do is done, on a real API server.

A ``yaml`` block with whole objects is applied, a ``sh`` block is run, ``sh fails`` has to fail. The lines of a ``text``
block have to be in what the commands above it said; ages and times differ, and ``...`` stands for anything.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.toolkit.pages import DOCS, Block, blocks, run
from tests.toolkit.product import Product
from tests.toolkit.waiting import eventually

#: Also the order in which the examples at the head of each page are applied, up to those that the page starts from.
PAGES = ("api", "apiclient", "contract", "contractapproval", "apiclienthold")
PREPARED = PAGES[:4]
TEAM, PROVIDER = "team-a", "shop"


def of_head_and_of_tasks(page: str) -> tuple[Block, list[Block]]:
    """The example at the head of a page, and the blocks below "Working with"."""
    lines = (DOCS / f"{page}.md").read_text(encoding="utf-8").splitlines()
    (begin,) = [number for number, line in enumerate(lines, 1) if line.startswith("## Working with")]
    found = list(blocks(page))
    return found[0], [block for block in found if block.line > begin]


@pytest.fixture
def prepared(product: Product) -> Product:
    """The product with the examples of the pages, and nothing else in their namespaces."""
    kubectl = product.stage.cluster.kubectl
    for namespace in (TEAM, PROVIDER):
        kubectl("create", "namespace", namespace, check=False)
        kubectl("delete", "contracts,contractapprovals,apiclientholds", "--all", f"-n={namespace}")
    for namespace in (TEAM, PROVIDER):
        every = ("delete", "apiclients,apis,secrets", "--all", f"-n={namespace}")
        # Refused until the operator has seen that the contracts are gone.
        eventually("all is gone", lambda words=every: kubectl(*words, check=False).returncode == 0)  # type: ignore[misc]
    for page in PREPARED:
        kubectl("apply", "-f", "-", input=of_head_and_of_tasks(page)[0].text)
    for counted, namespace in (("apiclient/billing-1.0", TEAM), ("api/orders", PROVIDER)):
        kubectl("wait", "--for=jsonpath={.status.contracts.active}=1", counted, f"-n={namespace}", "--timeout=60s")
    return product


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_tells_to_do_can_be_done(page: str, prepared: Product, tmp_path: Path) -> None:
    said = ""
    for block in of_head_and_of_tasks(page)[1]:
        if block.language == "yaml" and re.search(r"^apiVersion:", block.text, re.MULTILINE):
            prepared.stage.cluster.kubectl("apply", "-f", "-", input=block.text)
        elif block.language in ("sh", "sh fails"):
            said = run(block, prepared.stage.cluster.kubeconfig, tmp_path)
        elif block.language == "text":
            lines = {comparable(line) for line in said.splitlines()}
            unsaid = [line for line in block.text.splitlines() if not any(map(pattern(line).fullmatch, lines))]
            assert unsaid == [], f"docs/{page}.md, line {block.line}; this was said:\n{said}"


def comparable(line: str) -> str:
    """A line without what differs from run to run."""
    line = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", line)
    return " ".join(re.sub(r"\b(\d+[dhms])+\b", "AGE", line).split())


def pattern(line: str) -> re.Pattern[str]:
    return re.compile(re.escape(comparable(line)).replace(re.escape("..."), ".*"))
