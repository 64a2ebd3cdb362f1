"""The page of what ends in the next 90 days, as its URL says: which deadlines, by day or by week. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

from apiclients.cli.dashboard.views.deadlines import Deadline, Kind
from apiclients.cli.dashboard.views.paging import QueryError, page_number, part
from apiclients.cli.dashboard.views.parameters import owner_matches, stripped

#: So far the page looks ahead.
HORIZON = timedelta(days=90)
#: Deadlines on one page.
PAGE_SIZE = 100


class Grouping(StrEnum):
    """How deadlines are put together."""

    WEEK = "week"
    DAY = "day"

    def first_day(self, time: datetime) -> date:
        """The day that a group begins with, in UTC; weeks begin on Mondays (ISO 8601)."""
        day = time.astimezone(UTC).date()
        return day - timedelta(days=day.weekday()) if self is Grouping.WEEK else day

    @property
    def length(self) -> timedelta:
        """How long a group lasts."""
        return timedelta(days=7 if self is Grouping.WEEK else 1)


@dataclass(frozen=True, slots=True)
class TimelineQuery:
    """What is asked for; empty: everything."""

    namespace: str = ""
    owner: str = ""
    kind: str = ""
    text: str = ""
    grouping: Grouping = Grouping.WEEK
    #: The first day of the only group that is asked for.
    on: date | None = None
    page: int = 1

    def matches(self, one: Deadline) -> bool:
        """Whether a deadline is one of those looked for, of whatever day."""
        return (
            self.namespace in ("", one.namespace)
            and owner_matches(self.owner, one.owner)
            and self.kind in ("", one.kind)
            and all(word in _searched(one) for word in self.text.lower().split())
        )

    def fields(self) -> dict[str, object]:
        """The parameters, as the URL has them."""
        return {
            "q": self.text,
            "namespace": self.namespace,
            "owner": self.owner,
            "kind": self.kind,
            "by": "" if self.grouping is Grouping.WEEK else self.grouping.value,
            "on": self.on.isoformat() if self.on is not None else "",
            "page": self.page,
        }

    def url(self, **changes: object) -> str:
        """The address of the same page with something else: ``query.url(page=2)``."""
        shown = {key: value for key, value in (self.fields() | changes).items() if value not in ("", None, 1)}
        return f"/timeline?{urlencode(shown)}" if shown else "/timeline"


def _searched(one: Deadline) -> str:
    return " ".join(part for part in (one.namespace, one.client, one.owner, one.what) if part).lower()


def read_timeline_query(parameters: Mapping[str, str]) -> TimelineQuery:
    """The query of a URL. Raises QueryError for what cannot be meant; unknown parameters count as not there."""
    given = stripped(parameters)
    kind, by = given.get("kind", ""), given.get("by") or Grouping.WEEK
    if kind and kind not in list(Kind):
        raise QueryError(f"kind={kind} is not known: use one of {', '.join(Kind)}")
    if by not in list(Grouping):
        raise QueryError(f"by={by} is not known: use day or week")
    return TimelineQuery(
        namespace=given.get("namespace", ""),
        owner=given.get("owner", ""),
        kind=kind,
        text=given.get("q", ""),
        grouping=Grouping(by),
        on=_date(given["on"]) if given.get("on") else None,
        page=page_number(given.get("page", "1")),
    )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise QueryError(f"on={text} is not a date such as 2026-03-16") from None


@dataclass(frozen=True, slots=True)
class Group:
    """The deadlines of one day or week that are on this page."""

    title: str
    deadlines: tuple[Deadline, ...]
    #: Of the whole day or week, on whatever pages.
    total: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: the deadlines of one kind. In parts of the highest bar, from 0 to 1."""

    kind: Kind
    bottom: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One day or week of the picture. Places and widths are in percent of its width."""

    label: str
    title: str
    url: str
    total: int
    segments: tuple[Segment, ...]
    left: float
    width: float
    #: Whether its label stays where there is little room.
    major: bool
    #: Whether its label is shown at all.
    labelled: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """The page."""

    bars: tuple[Bar, ...]
    groups: tuple[Group, ...]
    #: How many of each kind are ahead, whatever kind and day are asked for, and the list of them.
    counts: tuple[tuple[Kind, int, str], ...]
    total: int
    first: int
    shown: int
    previous: str | None
    next: str | None
    #: The address of the same without a day.
    whole: str


def timeline(query: TimelineQuery, deadlines: Iterable[Deadline], now: datetime) -> Timeline:
    """The page that was asked for; the last one where there are fewer."""
    of_all_kinds = replace(query, kind="")
    known = sorted((one for one in deadlines if one.time <= now + HORIZON and of_all_kinds.matches(one)), key=_order)
    ahead = [one for one in known if query.matches(one)]
    days = [query.grouping.first_day(max(one.time, now)) for one in ahead]
    totals = Counter(days)
    found = [pair for pair in zip(days, ahead, strict=True) if query.on in (None, pair[0])]
    page = part(found, query.page, PAGE_SIZE, lambda number: query.url(page=number))
    return Timeline(
        bars=_bars(query, list(zip(days, ahead, strict=True)), now),
        groups=_groups(query, page.lines, totals),
        counts=_counts(query, known),
        total=page.total,
        first=page.first,
        shown=len(page.lines),
        previous=page.previous,
        next=page.next,
        whole=query.url(on="", page=1),
    )


def _order(one: Deadline) -> tuple[datetime, str, str, str]:
    return one.time, one.namespace, one.client or "", one.what


def _groups(
    query: TimelineQuery, found: Sequence[tuple[date, Deadline]], totals: Mapping[date, int]
) -> tuple[Group, ...]:
    by_day: dict[date, list[Deadline]] = {}
    for day, one in found:
        by_day.setdefault(day, []).append(one)
    return tuple(Group(_title(day, query.grouping), tuple(group), totals[day]) for day, group in by_day.items())


def _title(day: date, grouping: Grouping) -> str:
    if grouping is Grouping.DAY:
        return f"{day:%a} {_short(day)} {day.year}"
    last = day + grouping.length - timedelta(days=1)
    return f"{_short(day)} to {_short(last)} {last.year}"


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"


def _counts(query: TimelineQuery, known: Sequence[Deadline]) -> tuple[tuple[Kind, int, str], ...]:
    counted = Counter(one.kind for one in known)
    return tuple(
        (kind, counted[kind], query.url(kind="" if query.kind == kind else kind, on="", page=1)) for kind in Kind
    )


def _bars(query: TimelineQuery, found: Sequence[tuple[date, Deadline]], now: datetime) -> tuple[Bar, ...]:
    days = _days(query.grouping, now)
    kinds: dict[date, Counter[Kind]] = {day: Counter() for day in days}
    for day, one in found:
        kinds[day][one.kind] += 1
    highest = max((counted.total() for counted in kinds.values()), default=0) or 1
    width = 100 / len(days)
    return tuple(
        Bar(
            label=_short(day),
            title=_bar_title(_title(day, query.grouping), kinds[day]),
            url=query.url(on="" if query.on == day else day.isoformat(), page=1),
            total=kinds[day].total(),
            segments=_segments(kinds[day], highest),
            left=round(number * width, 3),
            width=round(width * 0.86, 3),
            major=number % (28 // query.grouping.length.days) == 0,
            labelled=query.grouping is Grouping.WEEK or number % 7 == 0,
            chosen=query.on == day,
        )
        for number, day in enumerate(days)
    )


def _days(grouping: Grouping, now: datetime) -> list[date]:
    """The groups that there are up to the horizon, empty or not."""
    first, last = grouping.first_day(now), grouping.first_day(now + HORIZON)
    count = (last - first) // grouping.length + 1
    return [first + number * grouping.length for number in range(count)]


def _bar_title(title: str, counted: Mapping[Kind, int]) -> str:
    parts = [f"{counted[kind]} {kind.lower()}{'' if counted[kind] == 1 else 's'}" for kind in Kind if counted[kind]]
    return f"{title}: {', '.join(parts) or 'nothing'}"


def _segments(counted: Mapping[Kind, int], highest: int) -> tuple[Segment, ...]:
    found, bottom = [], 0.0
    for kind in Kind:
        if counted[kind]:
            height = counted[kind] / highest
            found.append(Segment(kind, bottom, height))
            bottom += height
    return tuple(found)
