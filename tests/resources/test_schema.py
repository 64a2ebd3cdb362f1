"""The converter from pydantic to structural schemas refuses, by the name of the field, what it cannot say."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field

from apiclients.resources.fields import LIST_ATOMIC, NAME_PATTERN, Model, Name
from apiclients.resources.schema import SchemaError, structural_schema

TEXT = Annotated[str, Field(max_length=5)]


class Inner(Model):
    """This docstring must not become a description."""

    name: TEXT = "x"


class Nothing(Model):
    """An object that is there or not, and says no more."""


class Unbounded(Model):
    bad: str


class Floating(Model):
    bad: float


class EndlessList(Model):
    bad: Annotated[list[TEXT], LIST_ATOMIC]


class ListOfNoType(Model):
    bad: Annotated[list[TEXT], Field(max_length=3)]


class EndlessMap(Model):
    bad: dict[str, TEXT]


class Choice(Model):
    bad: TEXT | int


class Anything(Model):
    bad: Any


class Deep(Model):
    inner: Annotated[list[Unbounded], Field(max_length=2), LIST_ATOMIC]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Unbounded, "Unbounded.bad: a string needs max_length"),
        (Floating, "Floating.bad: floats do not belong in an API"),
        (EndlessList, "EndlessList.bad: a list needs max_length"),
        (ListOfNoType, "ListOfNoType.bad: a list needs max_length and a list type"),
        (EndlessMap, "EndlessMap.bad: a map needs max_length"),
        (Choice, "Choice.bad: a choice between types is not structural"),
        (Anything, "Anything.bad: no type"),
        (Deep, "Deep.inner\\[\\].bad: a string needs max_length"),
    ],
)
def test_what_a_schema_cannot_say_is_refused_by_name(model: type[Model], sentence: str) -> None:
    with pytest.raises(SchemaError, match=sentence):
        structural_schema(model)


class Good(Model):
    optional: Annotated[Name | None, Field(description="May be left out.")] = None
    nested: Annotated[Inner, Field(description="The field's own words win.")] = Field(default_factory=Inner)
    absent: Annotated[Inner | None, Field(description="Optional object.")] = None
    mark: Annotated[Nothing | None, Field(description="An empty object.")] = None
    camel_case: Annotated[int, Field(ge=0, le=9, description="A number.")] = 0


def test_optional_fields_lose_their_null_and_objects_their_references() -> None:
    schema = structural_schema(Good)["properties"]
    assert schema["optional"] == {
        "type": "string",
        "description": "May be left out.",
        "pattern": NAME_PATTERN,
        "minLength": 1,
        "maxLength": 63,
    }
    assert schema["nested"]["description"] == "The field's own words win."
    assert schema["nested"]["default"] == {}, "so that the defaults below it apply"
    assert "default" not in schema["absent"]
    assert schema["mark"] == {"type": "object", "description": "An empty object."}, "as the API server keeps it"
    assert schema["camelCase"] == {
        "type": "integer", "description": "A number.", "minimum": 0, "maximum": 9, "default": 0,
    }  # fmt: skip
