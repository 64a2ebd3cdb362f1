"""What the pages for newcomers name is there: code by its name, files by their links, each folder of the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rulebook.names import PACKAGE, SOURCE, find, namesakes
from tests.rulebook.rules import ROOT

DOCS = ROOT / "docs"
GLOSSARY, ARCHITECTURE, TENANTS = DOCS / "glossary.md", DOCS / "architecture.md", DOCS / "multitenancy.md"
#: [`lifecycle.access.token_denial`](../operator/apiclients/lifecycle/access.py)
_CODE_LINK = re.compile(rf"\[`([A-Za-z_.]+)`\]\(\.\./({SOURCE}/[^)#]+)\)")
#: `cluster/test_tenants.py::test_other_tenants_go_on[holds]`
_TEST = re.compile(r"`([a-z_/]+\.py)::(test_\w+)(?:\[[^\]]+\])?`")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def code_links(page: Path) -> list[tuple[str, str]]:
    """Names of the code on a page, each with the file that it links to."""
    return [(f"{PACKAGE}.{name}", file) for name, file in _CODE_LINK.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", [GLOSSARY, ARCHITECTURE], ids=lambda page: page.name)
def test_code_that_a_page_names_is_where_it_says(page: Path) -> None:
    wrong = [(name, file, namesakes(name, ROOT)) for name, file in code_links(page) if find(name, ROOT) != file]
    assert wrong == [], "name, file that is linked, where it is instead"


def test_tests_that_a_page_names_are_there() -> None:
    named = _TEST.findall(TENANTS.read_text(encoding="utf-8"))
    assert len(named) > 20
    assert [(file, name) for file, name in named if f"def {name}(" not in (ROOT / "tests" / file).read_text()] == []


def test_a_glossary_names_code() -> None:
    assert len(code_links(GLOSSARY)) > 50


def test_the_words_of_a_glossary_are_explained_once() -> None:
    words = re.findall(r"^\| (?!word|---)([^|]+) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(words) == len(set(words))


def test_every_folder_of_the_package_is_on_the_page_of_the_architecture() -> None:
    folders = {path.parent.name for path in (ROOT / SOURCE / PACKAGE).glob("*/__init__.py")}
    named = set(re.findall(r"^\| `([a-z]+)/`", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE))
    assert folders <= named


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
