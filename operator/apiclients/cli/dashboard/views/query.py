"""The filters of the list of clients, as its shareable URL has them. Pure."""

from argparse import ArgumentTypeError
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from apiclients.cli.dashboard.views.paging import Part, QueryError, page_number, part
from apiclients.cli.dashboard.views.parameters import owner_matches, stripped
from apiclients.cli.options import duration
from apiclients.cli.screens.listing import ClientLine, Filter, SortKey, sort_key
from apiclients.lifecycle.effective import Effective

#: What counts as expiring unless the URL says otherwise.
SOON = "14d"
#: Clients on one page.
PAGE_SIZE = 100
_FLAGS = ("held", "stalled", "unused", "notready")


@dataclass(frozen=True, slots=True)
class Query:
    """The filters, the order and the page."""

    wanted: Filter = field(default_factory=Filter)
    namespace: str = ""
    owner: str = ""
    text: str = ""
    #: As written in the URL, such as 14d.
    expiring: str = ""
    stalled: bool = False
    never_used: bool = False
    sort: str = ""
    page: int = 1

    def matches(self, line: ClientLine, now: datetime) -> bool:
        """Whether a client matches."""
        return (
            self.wanted.lets(line, now)
            and self.namespace in ("", line.namespace)
            and owner_matches(self.owner, line.owner)
            and (not self.stalled or line.stalled)
            and (not self.never_used or line.last_used is None)
            and all(word in _searched(line) for word in self.text.lower().split())
        )

    def url(self, **changes: object) -> str:
        """The URL of the same list with changes, such as ``query.url(page=2)``."""
        fields = {**self.fields(), **{key: "1" if value is True else value for key, value in changes.items()}}
        shown = {key: value for key, value in fields.items() if value not in ("", None, False, 1)}
        return f"/?{urlencode(shown)}" if shown else "/"

    def fields(self) -> dict[str, object]:
        """The parameters of the URL."""
        flags = (self.wanted.held, self.stalled, self.never_used, self.wanted.not_ready)
        return {
            "q": self.text,
            "namespace": self.namespace,
            "owner": self.owner,
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
    """Parse the parameters of a URL. Raises QueryError for invalid values; unknown parameters are ignored."""
    given = stripped(parameters)
    sort = given.get("sort", "")
    if sort and sort not in list(SortKey):
        raise QueryError(f"invalid sort={sort}: choose one of {', '.join(SortKey)}")
    held, stalled, never_used, not_ready = (given.get(name, "") not in ("", "0") for name in _FLAGS)
    expiring = given.get("expiring", "")
    wanted = Filter(
        not_ready=not_ready,
        held=held,
        expiring=_duration(expiring) if expiring else None,
        status=given.get("status") or None,
    )
    return Query(
        wanted=wanted,
        namespace=given.get("namespace", ""),
        owner=given.get("owner", ""),
        text=given.get("q", ""),
        expiring=expiring,
        stalled=stalled,
        never_used=never_used,
        sort=sort,
        page=page_number(given.get("page", "1")),
    )


def _duration(text: str) -> timedelta:
    try:
        return duration(text)
    except ArgumentTypeError as error:
        raise QueryError(f"expiring: {error}") from None


def find(query: Query, lines: Iterable[ClientLine], now: datetime) -> Part[ClientLine]:
    """The requested page, or the last one if there are fewer."""
    found = [line for line in lines if query.matches(line, now)]
    if query.sort:
        key = SortKey(query.sort)
        found.sort(key=lambda line: sort_key(line, key))
    return part(found, query.page, PAGE_SIZE, lambda page: query.url(page=page))


@dataclass(frozen=True, slots=True)
class Count:
    """A number of clients, and the URL of the list of them."""

    label: str
    number: int
    url: str
    #: Whether the page shows this list.
    chosen: bool


def counts(query: Query, lines: Sequence[ClientLine], now: datetime) -> tuple[Count, ...]:
    """The counts at the top of the page, over all clients, regardless of the filters."""
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
        Count(label, sum(one.matches(line, now) for line in lines), one.url(), one == asked) for label, one in chosen
    )
