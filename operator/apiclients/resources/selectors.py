"""Label selectors as Kubernetes has them (``metav1.LabelSelector``), and what they match."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from apiclients.resources.fields import LIST_ATOMIC, Model

LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]


class Operator(StrEnum):
    """How a requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Requirement(Model):
    key: Annotated[LabelKey, Field(description="The label.")]
    operator: Annotated[Operator, Field(description="In, NotIn, Exists or DoesNotExist.")]
    values: Annotated[
        list[LabelValue], Field(max_length=32, description="Values for In and NotIn; empty otherwise."), LIST_ATOMIC
    ] = Field(default_factory=list)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the requirement."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


class LabelSelector(Model):
    match_labels: Annotated[
        dict[LabelKey, LabelValue], Field(max_length=32, description="Labels that all must be there.")
    ] = Field(default_factory=dict)
    match_expressions: Annotated[
        list[Requirement], Field(max_length=32, description="Requirements that all must hold."), LIST_ATOMIC
    ] = Field(default_factory=list)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are selected. An empty selector selects everything."""
        return self.match_labels.items() <= dict(labels).items() and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )
