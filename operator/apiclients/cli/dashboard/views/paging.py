"""Long lists in parts. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from apiclients.cli.errors import CliError

T = TypeVar("T")


class QueryError(CliError):
    """A URL with an invalid parameter."""


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """One page of a list."""

    lines: tuple[T, ...]
    #: Over all pages.
    total: int
    #: The position of its first line, from 1; 0 if it is empty.
    first: int
    #: The URLs of the pages before and after.
    previous: str | None
    next: str | None


def part(lines: Sequence[T], page: int, size: int, url: Callable[[int], str]) -> Part[T]:
    """The page of that number, or the last one if there are fewer; ``url`` gives the URL of a page."""
    pages = max(1, -(-len(lines) // size))
    page = min(page, pages)
    start = (page - 1) * size
    return Part(
        lines=tuple(lines[start : start + size]),
        total=len(lines),
        first=start + 1 if lines else 0,
        previous=url(page - 1) if page > 1 else None,
        next=url(page + 1) if page < pages else None,
    )


def page_number(text: str) -> int:
    """Parse the number of a page. Raises QueryError."""
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 6 or int(text) == 0:
        raise QueryError(f"invalid page={text}: pages start at 1")
    return int(text)
