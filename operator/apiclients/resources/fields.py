"""Building blocks of the models: base class, durations, times, and the markers that the CRD generator reads."""

import re
from calendar import monthrange
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

#: Durations as Kubernetes writes them (GEP-2257, without milliseconds): ``12h``, ``1h30m``, ``45s``.
DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s)){1,3}$"
_DURATION_PART = re.compile(r"([0-9]{1,5})(h|m|s)")
_SECONDS = {"h": 3600, "m": 60, "s": 1}

_DATE_AND_TIME = r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
_DATE_TIME = re.compile(_DATE_AND_TIME + r"(?:[^\n][0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})(?:[Tt](?s:.)*)?")
_TIME = re.compile(
    _DATE_AND_TIME + r"(?:[.,](?P<fraction>[0-9]+))?(?:[Zz]|(?P<sign>[+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
#: Times that may be written into a spec, as RFC 3339 has them (section 5.6): less than a datetime can hold, and a day
#: that is in the calendar. For the regular expressions of Python and of CEL (RE2) alike.
TIME_PATTERN = (
    "^(?:[12][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:1[26]|2[048])00)-02-29)"
    "[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.,][0-9]+)?"
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
#: The groups that are numbers: year to second, and hours and minutes of the offset.
_TIME_NUMBERS = (1, 2, 3, 4, 5, 6, 9, 10)


class Model(BaseModel):
    """Base of all models: camelCase outside, snake_case inside, immutable.

    Unknown fields are dropped on reading: a newer CRD beside an older program must not stop it. The API server
    refuses them to people (``fieldValidation=Strict``, the default of kubectl).
    """

    model_config = ConfigDict(
        defer_build=True,
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_enum_values=False,
    )

    def to_object(self) -> dict[str, Any]:
        """The JSON object as the API server stores it: aliases, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def parse_duration(text: str) -> timedelta:
    """``"1h30m"`` to a timedelta. Raises ValueError for anything that :data:`DURATION_PATTERN` does not match."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(
            f"{text[:64]!r} is not a duration; use e.g. 90s, 12h or 1h30m (there is no unit for days: 24h)"
        )
    return timedelta(seconds=sum(int(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(text)))


def format_duration(value: timedelta) -> str:
    """A timedelta in whole seconds as Kubernetes writes it; ``0s`` for zero."""
    seconds = int(value.total_seconds())
    parts = [(seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s")]
    return "".join(f"{n}{unit}" for n, unit in parts if n) or "0s"


_USUAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z")


def is_date_time(text: str) -> bool:
    """Whether the API server takes a text for ``format: date-time`` (``IsDateTime`` of kube-openapi's strfmt).

    It takes more than RFC 3339 has: a lower-case ``t`` and ``z``, the year 0000, any offset of two and two digits, any
    character before a fraction, and whatever follows a second ``t``.
    """
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return False
    year, month, day, hour, minute, second = map(int, found.groups())
    if not (1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        return False
    return hour <= 23 and minute <= 59 and second <= 59


def parse_time(text: str) -> datetime:
    """An RFC 3339 time to an aware datetime in UTC; digits beyond microseconds are cut.

    Raises ValueError for what is none (RFC 3339, section 5.6) and for what a datetime cannot hold, such as the year
    0000. That is less than :func:`is_date_time` takes: the difference is what rule 32 calls unreadable.
    """
    if _USUAL_TIME.fullmatch(text):  # as the API server and this project write them; five times as fast
        with suppress(ValueError):
            return datetime.fromisoformat(text).astimezone(UTC)
    found = _TIME.fullmatch(text)
    if found is None or not is_date_time(text):
        raise ValueError(f"{text[:64]!r} is not a time; use e.g. 2026-01-31T12:00:00Z")
    year, month, day, hour, minute, second, hours, minutes = (int(found[part] or 0) for part in _TIME_NUMBERS)
    offset = timedelta(hours=hours, minutes=minutes)
    zone = timezone(-offset if found["sign"] == "-" else offset)
    microsecond = int((found["fraction"] or "")[:6].ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:64]!r} is a time that no clock here can hold") from None


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC and whole seconds, as the API server writes times."""
    return value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def format_micro_time(value: datetime) -> str:
    """RFC 3339 in UTC and microseconds, as Kubernetes writes a MicroTime."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _duration_in(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(_text(value))


def _time_in(value: Any) -> datetime:
    return value if isinstance(value, datetime) else parse_time(_text(value))


def _text(value: Any) -> str:
    # A TypeError would pass through pydantic as it is, and out of the reconcile of one bad object.
    if not isinstance(value, str):
        raise ValueError(f"a value of type {type(value).__name__} is no text")  # noqa: TRY004
    return value


#: Where the schema of a duration has its bounds; a policy has them in CEL.
DURATION_BOUNDS = "x-duration-bounds"


def duration_schema(minimum: str, maximum: str) -> dict[str, Any]:
    """JSON schema of a duration with bounds, which are data: a pattern cannot compare."""
    return {
        "type": "string",
        "maxLength": 18,
        "pattern": DURATION_PATTERN,
        DURATION_BOUNDS: [minimum, maximum],
    }


_DURATION_PARTS = (BeforeValidator(_duration_in), PlainSerializer(format_duration, return_type=str))

#: How long a credential may live: one second to 24 months.
SecretLifetime = Annotated[timedelta, *_DURATION_PARTS, WithJsonSchema(duration_schema("1s", "17520h"))]
#: No access token lives longer. So long its signing key is kept, too (DESIGN rule 25).
MAX_TOKEN_LIFETIME = timedelta(hours=72)
#: How long an access token may live, one second at the least.
TokenLifetime = Annotated[
    timedelta, *_DURATION_PARTS, WithJsonSchema(duration_schema("1s", format_duration(MAX_TOKEN_LIFETIME)))
]
#: Any span that may be nothing: overlap, renewBefore, grace period.
Span = Annotated[timedelta, *_DURATION_PARTS, WithJsonSchema(duration_schema("0s", "17520h"))]
#: How often something is fetched.
RefreshInterval = Annotated[timedelta, *_DURATION_PARTS, WithJsonSchema(duration_schema("10s", "24h"))]

Time = Annotated[
    datetime,
    BeforeValidator(_time_in),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 64}),
]

#: A time that a duration is told from which may be milliseconds, as ``metav1.MicroTime``.
MicroTime = Annotated[
    datetime,
    BeforeValidator(_time_in),
    PlainSerializer(format_micro_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 64}),
]


#: In the status of every kind.
RepeatedTime = Annotated[
    Time | None,
    Field(
        description="When the operator last wrote the status for no other reason than that watchers hear of the object "
        "again: the API server's watch cache had lost a change of it."
    ),
]


def _marker(**extra: Any) -> Any:
    return Field(json_schema_extra={f"x-kubernetes-{key.replace('_', '-')}": value for key, value in extra.items()})


def list_map(*keys: str) -> Any:
    """A list that server-side apply merges by these keys."""
    return _marker(list_type="map", list_map_keys=list(keys))


#: A list of distinct scalars that server-side apply merges item by item.
LIST_SET = _marker(list_type="set")
#: A list that has one owner and is replaced whole.
LIST_ATOMIC = _marker(list_type="atomic")

#: A name of an object in Kubernetes that this project defines (RFC 1123 subdomain, short).
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
#: A value of a label, as the API server takes it.
LABEL_VALUE_PATTERN = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
Name = Annotated[str, Field(min_length=1, max_length=63, pattern=NAME_PATTERN)]
SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=NAME_PATTERN)]
