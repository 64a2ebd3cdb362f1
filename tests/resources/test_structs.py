"""What a model has that a Struct cannot have is an error, and not left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from pydantic import ConfigDict, Field

from apiclients.resources.fields import Model
from apiclients.resources.structs import struct_of


class Plain(Model):
    a_name: Annotated[str, Field(max_length=3)] = ""
    time: datetime | None = None


class BoundedDuration(Model):
    lifetime: Annotated[timedelta, Field(ge=timedelta(seconds=1))]


class BoundedTime(Model):
    time: Annotated[datetime, Field(ge=datetime(2026, 1, 1, tzinfo=UTC))] | None = None


class DurationWithPattern(Model):
    lifetime: Annotated[timedelta, Field(pattern="^1h$")]


class Strict(Model):
    model_config = ConfigDict(extra="forbid")

    name: str = ""


class ReadsAfterwards(Model):
    name: str = ""

    def model_post_init(self, _: Any, /) -> None:
        """Something."""


class ReadsAnotherName(Model):
    name: str = Field(default="", validation_alias="title")


def test_a_model_without_any_of_these_has_a_struct() -> None:
    assert struct_of(Plain).__struct_encode_fields__ == ("aName", "time")


@pytest.mark.parametrize(
    "model", [BoundedDuration, BoundedTime, DurationWithPattern, Strict, ReadsAfterwards, ReadsAnotherName]
)
def test_what_has_no_counterpart_is_refused(model: type[Model]) -> None:
    with pytest.raises(TypeError):
        struct_of(model)
