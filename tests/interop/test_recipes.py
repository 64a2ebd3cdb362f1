"""What docs/clients.md shows is what runs here, and what is fetched for it comes from the public registries."""

import json
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.interop.programs import HERE, OTHERS, PYTHON, ROOT, MissingToolError

DOCUMENT = ROOT / "docs" / "clients.md"

_SUFFIXES = {"python": ".py", "go": ".go", "js": ".js", "java": ".java", "yaml": ".yaml", "rust": ".rs"}
#: What is no program of ours: what is deployed, and what is typed.
_NOT_RUN = {"yaml secret", "sh"}
_NPM = "https://registry.npmjs.org/"
_CRATES = "registry+https://github.com/rust-lang/crates.io-index"


def _recipes() -> list[tuple[str, str]]:
    tokens = MarkdownIt().parse(DOCUMENT.read_text())
    return [(token.info, token.content) for token in tokens if token.type == "fence" and token.info not in _NOT_RUN]


def _lines(text: str) -> str:
    """The text without what a quotation may change: how far it is indented."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


@pytest.mark.parametrize(("language", "text"), _recipes())
def test_the_recipe_is_part_of_a_program(language: str, text: str) -> None:
    files = [path for path in HERE.rglob(f"*{_SUFFIXES[language]}") if path.parent != HERE]
    assert any(_lines(text) in _lines(path.read_text()) for path in files), f"no program has\n{text}"


def test_there_is_a_recipe_for_each_program() -> None:
    tokens = MarkdownIt().parse(DOCUMENT.read_text())
    headings = " ".join(text.content for tag, text in pairwise(tokens) if tag.type == "heading_open")
    assert [program.name for program in (*PYTHON, *OTHERS) if program.name not in headings] == []


def test_locks_name_public_registries_alone() -> None:
    npm = json.loads((HERE / "node" / "package-lock.json").read_text())["packages"]
    assert all(package.get("resolved", _NPM).startswith(_NPM) for package in npm.values())
    assert all("integrity" in package for name, package in npm.items() if name)
    crates = tomllib.loads((HERE / "rust" / "Cargo.lock").read_text())["package"]
    assert {crate["source"] for crate in crates if crate["name"] != "interop"} == {_CRATES}
    assert "repositor" not in (HERE / "java" / "pom.xml").read_text()


def test_a_missing_tool_chain_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    node = next(program for program in OTHERS if program.name == "jose")
    with pytest.raises(MissingToolError, match="node is not on PATH: install Node 20"):
        node.command()
