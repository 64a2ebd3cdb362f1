"""The fenced blocks of the pages in ``docs``, and their commands run as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

DOCS = Path(__file__).parents[2] / "docs"
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str
    line: int
    #: Below which it stands.
    heading: str = ""


def blocks(page: str) -> Iterator[Block]:
    """All fenced blocks of a page."""
    heading, previous = "", ""
    for token in MarkdownIt().parse((DOCS / f"{page}.md").read_text(encoding="utf-8")):
        if previous == "heading_open":
            heading = token.content
        if token.type == "fence" and token.map is not None:
            yield Block(token.info, token.content, token.map[0] + 1, heading)
        previous = token.type


def run(block: Block, kubeconfig: Path, folder: Path) -> str:
    """Run commands as a person would; what they said, errors too. AssertionError unless they end as the block says."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=os.environ | {"PATH": path, "KUBECONFIG": str(kubeconfig), "COLUMNS": "120", "NO_PROXY": "127.0.0.1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert (done.returncode != 0) is block.language.endswith("fails"), (
        f"line {block.line}:\n{block.text}\n{done.stdout}"
    )
    return done.stdout
