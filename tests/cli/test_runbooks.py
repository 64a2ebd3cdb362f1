"""Runbooks are read when there is no time: each plugin command in them is one, and each page is in the list."""

import re
import shlex
from pathlib import Path

import pytest

from apiclients.cli.main import build_parser
from apiclients.cli.screens import doctor, gates

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
_PLUGIN = "kubectl apiclient "


def commands() -> list[str]:
    """Every command of the plugin that a page names, in a block or within a sentence."""
    found = []
    for page in RUNBOOKS.glob("*.md"):
        text = page.read_text()
        lines = [
            line.split("#")[0].strip()
            for block in re.findall(r"```\n(.*?)```", text, re.DOTALL)
            for line in block.splitlines()
        ]
        spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        found += [one.split(" < ")[0] for one in (*lines, *spans) if one.startswith(_PLUGIN)]
    return sorted(set(found))


@pytest.mark.parametrize("command", commands())
def test_a_command_is_one(command: str) -> None:
    name, *words = shlex.split(command.removeprefix(_PLUGIN))
    build_parser(name).parse_args([name, *words])


def test_every_page_is_in_the_list_and_shows_commands() -> None:
    listed = set(re.findall(r"\(([a-z-]+\.md)\)", (RUNBOOKS / "README.md").read_text()))
    assert listed == {page.name for page in RUNBOOKS.glob("*.md")} - {"README.md"}
    assert all("```\nkubectl " in (RUNBOOKS / name).read_text() for name in listed)


def test_doctor_links_to_pages_that_are_there() -> None:
    checks = [Path(str(module.__file__)).read_text() for module in (doctor, gates)]
    named = {name for text in checks for name in re.findall(r"docs/runbooks/([a-z-]+\.md)", text)}
    assert named
    assert all((RUNBOOKS / name).is_file() for name in named)
