"""Where code and documentation cite a rule by its number: "rule 9", "rules 8 and 9", "rules 4 to 7"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDERS = ("operator", "tests", "docs", "manifests", "examples", "pipelines", "demo", "bench", "cluster")
_SUFFIXES = frozenset({".py", ".md", ".yaml", ".yml", ".conf", ".sh", ".go"})
#: A list may go over the end of a line, also of a comment.
_CITATION = re.compile(r"\b[Rr]ules?\s+(\d+(?:(?:,|[,\s#]+(?:and|or|to)\b)[\s#]+\d+)*)")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Citation:
    """One number, and where it stands."""

    rule: int
    #: Relative to the root of the repository.
    file: str
    line: int


def citations(root: Path) -> Iterator[Citation]:
    """All citations below the folders of a repository, and in its README."""
    files = [root / "README.md", *(file for folder in _FOLDERS for file in sorted((root / folder).rglob("*")))]
    for file in files:
        if file.suffix in _SUFFIXES and file.is_file():
            yield from citations_in(file.read_text(encoding="utf-8"), file.relative_to(root).as_posix())


def citations_in(text: str, file: str) -> Iterator[Citation]:
    """All citations of a text."""
    for found in _CITATION.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield from (Citation(int(number), file, line) for number in _NUMBER.findall(found[1]))
