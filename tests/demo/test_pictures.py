"""The pictures in docs/: everything that was printed is in them, and nothing of the machine that made them."""

from __future__ import annotations

import re
import socket
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from apiclients.plan.render import markdown
from demo.pictures import comment, story, terminal
from tests.plan.golden_scene import golden_plan

ROOT = Path(__file__).resolve().parents[2]
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
_SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> str:
    """All that can be read in a picture, without spaces."""
    return "".join("".join(part.itertext()) for part in ET.fromstring(svg).iter(f"{_SVG}text")).replace(" ", "")


def test_all_that_was_printed_is_in_the_picture() -> None:
    printed = (ROOT / "tests" / "cli" / "golden" / "status-busy-120.txt").read_text()
    shown = words(terminal.render(f"\x1b[1m{printed[:9]}\x1b[0m{printed[9:]}", "kubectl apiclient status billing-1.0"))
    assert shown == "$kubectlapiclientstatusbilling-1.0" + "".join(printed.split())


def test_a_comment_shows_what_is_open_and_folds_the_rest() -> None:
    shown = words(comment.render(markdown.render(golden_plan()), "CI"))
    assert "1changeisnotacknowledgedandwillbeheldback." in shown
    assert "ApiClientteam-a/legacy:delete" in shown  # a folded title
    assert "acknowledged:1of2" in shown  # what is open
    assert "nightly" not in shown  # what is folded
    assert "apiclient-plan:default" not in shown  # what is hidden


def test_the_first_chapters_of_the_story_are_shown() -> None:
    printed = (ROOT / "docs" / "demo.md").read_text().split("```")[1].strip()
    shown = story.beginning(printed, 2)
    assert "1. A client is declared" in shown
    assert "curl -u" in shown
    assert "3. A commit" not in shown


def test_nothing_leaves_the_comment() -> None:
    picture = ET.fromstring(comment.render(markdown.render(golden_plan()), "CI"))
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    for part in picture.iter(f"{_SVG}text"):
        assert float(part.attrib["x"]) + float(part.attrib["textLength"]) <= width
        assert float(part.attrib["y"]) <= height


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_the_pictures_tell_nothing_of_the_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    places = (tempfile.gettempdir(), str(Path.home()), str(ROOT), socket.gethostname(), "127.0.0.1", "localhost")
    assert [place for place in places if re.search(rf"(?<!\w){re.escape(place)}(?!\w)", text)] == []
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")  # nothing is fetched to show it


def test_there_are_pictures() -> None:
    assert [path.name for path in PICTURES] == ["demo.svg", "plan-comment.svg", "status.svg"]
