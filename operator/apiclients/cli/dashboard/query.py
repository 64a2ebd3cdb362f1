"""Which clients a page lists, as its URL says: a URL can be shared. Pure."""

from argparse import ArgumentTypeError
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from apiclients.cli.errors import CliError
from apiclients.cli.options import duration
from apiclients.cli.screens.listing import ClientLine, Filter, SortKey, sort_key
from apiclients.lifecycle.effective import Effective

#: What counts as expiring, where the page says no time.
SOON = "14d"
#: Clients on one page.
PAGE_SIZE = 100
_LONGEST = 200
_FLAGS = ("held", "stalled", "unused", "notready")


class QueryError(CliError):
    """An address that asks for something that there is not."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for."""

    wanted: Filter = field(default_factory=Filter)
    namespace: str = ""
    text: str = ""
    #: As it was written, such as 14d.
    expiring: str = ""
    stalled: bool = False
    never_used: bool = False
    sort: str = ""
    page: int = 1

    def lets(self, line: ClientLine, now: datetime) -> bool:
        """Whether a client is one of those looked for."""
        return (
            self.wanted.lets(line, now)
            and self.namespace in ("", line.namespace)
            and (not self.stalled or line.stalled)
            and (not self.never_used or line.last_used is None)
            and all(word in _searched(line) for word in self.text.lower().split())
        )

    def url(self, **changes: object) -> str:
        """The address of the same list with something else: ``query.url(page=2)``."""
        fields = {**self.fields(), **{key: "1" if value is True else value for key, value in changes.items()}}
        shown = {key: value for key, value in fields.items() if value not in ("", None, False, 1)}
        return f"/?{urlencode(shown)}" if shown else "/"

    def fields(self) -> dict[str, object]:
        """The parameters, as the URL has them."""
        flags = (self.wanted.held, self.stalled, self.never_used, self.wanted.not_ready)
        return {
            "q": self.text,
            "namespace": self.namespace,
            "owner": self.wanted.owner or "",
            "status": self.wanted.status or "",
            "expiring": self.expiring,
            **{name: "1" if on else "" for name, on in zip(_FLAGS, flags, strict=True)},
            "sort": self.sort,
            "page": self.page,
        }


def _searched(line: ClientLine) -> str:
    parts = (line.namespace, line.name, line.client, line.version, line.owner, line.client_id, line.reason)
    return " ".join(part for part in parts if part).lower()


def read_query(parameters: Mapping[str, str]) -> Query:
    """The query of a URL. Raises QueryError for what cannot be meant; unknown parameters count as not there."""
    given = {key: value.strip()[:_LONGEST] for key, value in parameters.items()}
    sort = given.get("sort", "")
    if sort and sort not in list(SortKey):
        raise QueryError(f"sort={sort} is none: choose one of {', '.join(SortKey)}")
    held, stalled, never_used, not_ready = (given.get(name, "") not in ("", "0") for name in _FLAGS)
    expiring = given.get("expiring", "")
    wanted = Filter(
        not_ready=not_ready,
        held=held,
        expiring=_duration(expiring) if expiring else None,
        owner=given.get("owner") or None,
        status=given.get("status") or None,
    )
    return Query(
        wanted=wanted,
        namespace=given.get("namespace", ""),
        text=given.get("q", ""),
        expiring=expiring,
        stalled=stalled,
        never_used=never_used,
        sort=sort,
        page=read_page(given.get("page", "1")),
    )


def _duration(text: str) -> timedelta:
    try:
        return duration(text)
    except ArgumentTypeError as error:
        raise QueryError(f"expiring: {error}") from None


def read_page(text: str) -> int:
    """The number of a page. Raises QueryError."""
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 6 or int(text) == 0:
        raise QueryError(f"page={text} is no page: the first one is 1")
    return int(text)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of the list."""

    lines: tuple[ClientLine, ...]
    #: All that were found, on all pages.
    total: int
    first: int
    previous: str | None
    next: str | None


def find(query: Query, lines: Iterable[ClientLine], now: datetime) -> Found:
    """The page that was asked for; the last one where there are fewer."""
    found = [line for line in lines if query.lets(line, now)]
    if query.sort:
        key = SortKey(query.sort)
        found.sort(key=lambda line: sort_key(line, key))
    pages = max(1, -(-len(found) // PAGE_SIZE))
    page = min(query.page, pages)
    start = (page - 1) * PAGE_SIZE
    return Found(
        lines=tuple(found[start : start + PAGE_SIZE]),
        total=len(found),
        first=start + 1 if found else 0,
        previous=query.url(page=page - 1) if page > 1 else None,
        next=query.url(page=page + 1) if page < pages else None,
    )


@dataclass(frozen=True, slots=True)
class Count:
    """How many clients are so, and the list of them."""

    label: str
    number: int
    url: str
    #: Whether it is what the list shows.
    chosen: bool


def counts(query: Query, lines: Sequence[ClientLine], now: datetime) -> tuple[Count, ...]:
    """The numbers on top of the page: of all clients, whatever the list is filtered by."""
    plain = Query()
    statuses = sorted({line.effective_status for line in lines} - {Effective.HELD})
    chosen: list[tuple[str, Query]] = [
        ("All", plain),
        *((status, replace(plain, wanted=Filter(status=status))) for status in statuses),
        ("Held", replace(plain, wanted=Filter(held=True))),
        ("Not ready", replace(plain, wanted=Filter(not_ready=True))),
        ("Stalled", replace(plain, stalled=True)),
        (f"Expiring in {SOON}", replace(plain, wanted=Filter(expiring=duration(SOON)), expiring=SOON)),
        ("Never used", replace(plain, never_used=True)),
    ]
    asked = replace(query, sort="", page=1)
    return tuple(
        Count(label, sum(one.lets(line, now) for line in lines), one.url(), one == asked) for label, one in chosen
    )
