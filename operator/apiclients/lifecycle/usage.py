"""When clients, their secrets and contracts were last used: gates report it, statuses keep it, to the hour.

Coarse on purpose: what is in use all the time costs one write of its status an hour, what is idle none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate, takewhile
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from apiclients.resources.apiclient import ApiClientStatus, Credential

_SECONDS = 3600

#: Of all annotations of an object the API server takes 256 KiB. Who does not fit in is reported next time.
MAX_REPORT_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class LastUse:
    """When a client and each of its credentials were last used, in whole hours since the epoch."""

    client: int
    credentials: Mapping[int, int] = field(default_factory=dict)


def hour_of(seconds: float) -> int:
    """The hour of a time in seconds since the epoch."""
    return int(seconds // _SECONDS)


def time_of(hour: int) -> datetime:
    """When an hour begins."""
    return datetime.fromtimestamp(hour * _SECONDS, UTC)


def hour_told(time: datetime | None) -> int:
    """The hour that a status says; 0 where it says none."""
    return hour_of(time.timestamp()) if time is not None else 0


def later(one: LastUse | None, other: LastUse) -> LastUse:
    """What two reports say together."""
    if one is None:
        return other
    ids = sorted(one.credentials.keys() | other.credentials.keys())
    credentials = {id_: max(one.credentials.get(id_, 0), other.credentials.get(id_, 0)) for id_ in ids}
    return LastUse(max(one.client, other.client), credentials)


def last_used_time(known: datetime | None, hour: int | None, now: datetime) -> datetime | None:
    """When something was last used, by status and by a report. It never goes back, nor beyond the present."""
    if hour is None:
        return known
    reported = min(time_of(hour), time_of(hour_of(now.timestamp())))
    return max(known, reported) if known is not None else reported


def with_last_use(credentials: Iterable[Credential], use: LastUse | None, now: datetime) -> list[Credential]:
    """The credentials, with when they were last used."""
    if use is None:
        return list(credentials)
    return [
        c.model_copy(update={"last_used_time": last_used_time(c.last_used_time, use.credentials.get(c.id), now)})
        for c in credentials
    ]


def is_told(use: LastUse, status: ApiClientStatus) -> bool:
    """Whether a status says all that a report says."""
    ours = {c.id: c.last_used_time for c in status.credentials}
    pairs = [(status.last_used_time, use.client)]
    pairs += [(ours[id_], hour) for id_, hour in use.credentials.items() if id_ in ours]
    return all(time is not None and time >= time_of(hour) for time, hour in pairs)


# How a gate writes it into an annotation.

Hour = Annotated[int, Field(ge=0, le=10_000_000)]
_REPORT = TypeAdapter(dict[str, tuple[Hour, dict[int, Hour]]])


def encode(uses: Iterable[tuple[str, LastUse]]) -> tuple[str, int]:
    """A report by UID of the client, the first ones that fit, and how many these are. No more are asked for."""
    entries = (_encoded(uid, use) for uid, use in uses)
    sized = ((entry, len(entry) + 1) for entry in entries)
    fitting = [entry for entry, _ in takewhile(lambda pair: pair[1] <= MAX_REPORT_BYTES, _with_totals(sized))]
    return "{" + ",".join(fitting) + "}", len(fitting)


def _with_totals(sized: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    return accumulate(sized, lambda before, one: (one[0], before[1] + one[1]))


def _encoded(uid: str, use: LastUse) -> str:
    entry = _REPORT.dump_json({uid: (use.client, dict(use.credentials))}).decode()
    return entry[1:-1]


def decode(text: str) -> dict[str, LastUse]:
    """A report. What somebody else wrote into the annotation counts as nothing."""
    try:
        read = _REPORT.validate_json(text)
    except ValidationError:
        return {}
    return {uid: LastUse(hour, credentials) for uid, (hour, credentials) in read.items()}
