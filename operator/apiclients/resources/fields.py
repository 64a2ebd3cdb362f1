"""Building blocks of the models: base class, durations, times, and the markers that the CRD generator reads."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

#: Durations as Kubernetes writes them (GEP-2257, without milliseconds): ``12h``, ``1h30m``, ``45s``.
DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s)){1,3}$"
_DURATION_PART = re.compile(r"([0-9]{1,5})(h|m|s)")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


class Model(BaseModel):
    """Base of all models: camelCase outside, snake_case inside, immutable.

    Unknown fields are dropped on reading: a newer CRD beside an older program must not stop it. The API server
    refuses them to people (``fieldValidation=Strict``, the default of kubectl).
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", use_enum_values=False
    )

    def to_object(self) -> dict[str, Any]:
        """The JSON object as the API server stores it: aliases, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def parse_duration(text: str) -> timedelta:
    """``"1h30m"`` to a timedelta. Raises ValueError for anything that :data:`DURATION_PATTERN` does not match."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is not a duration such as 12h, 90m or 1h30m (days do not exist: 24h)")
    return timedelta(seconds=sum(int(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(text)))


def format_duration(value: timedelta) -> str:
    """A timedelta in whole seconds as Kubernetes writes it; ``0s`` for zero."""
    seconds = int(value.total_seconds())
    parts = [(seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s")]
    return "".join(f"{n}{unit}" for n, unit in parts if n) or "0s"


def parse_time(text: str) -> datetime:
    """An RFC 3339 time to an aware datetime in UTC. Raises ValueError."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: write it like 2026-01-31T12:00:00Z")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is out of range") from None


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC and whole seconds, as the API server writes times."""
    return value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _duration_in(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(_text(value))


def _time_in(value: Any) -> datetime:
    return value if isinstance(value, datetime) else parse_time(_text(value))


def _text(value: Any) -> str:
    # A TypeError would pass through pydantic as it is, and out of the reconcile of one bad object.
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a string")  # noqa: TRY004
    return value


def duration_schema(minimum: str, maximum: str) -> dict[str, Any]:
    """JSON schema of a duration with bounds; the bounds are CEL because a pattern cannot compare."""
    return {
        "type": "string",
        "maxLength": 18,
        "pattern": DURATION_PATTERN,
        "x-kubernetes-validations": [
            {
                "rule": f"duration(self) >= duration('{minimum}') && duration(self) <= duration('{maximum}')",
                "message": f"must be a duration between {minimum} and {maximum}",
            }
        ],
    }


_DURATION_PARTS = (BeforeValidator(_duration_in), PlainSerializer(format_duration, return_type=str))

#: How long a credential may live: one second to 24 months.
SecretLifetime = Annotated[timedelta, *_DURATION_PARTS, WithJsonSchema(duration_schema("1s", "17520h"))]
#: How long an access token may live: one second to 72 hours.
TokenLifetime = Annotated[timedelta, *_DURATION_PARTS, WithJsonSchema(duration_schema("1s", "72h"))]
#: Any span that may be nothing: overlap, renewBefore, grace period.
Span = Annotated[timedelta, *_DURATION_PARTS, WithJsonSchema(duration_schema("0s", "17520h"))]

Time = Annotated[
    datetime,
    BeforeValidator(_time_in),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 64}),
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
