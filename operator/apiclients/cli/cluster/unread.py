"""What could not be read, and why: people see the sentence, code asks for the cause and the resource."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from apiclients.kube.objects import ResourceType


class Cause(StrEnum):
    """Why something could not be read."""

    FORBIDDEN = "Forbidden"
    NOT_FOUND = "NotFound"
    #: It is there and fits no model of this version (rule 32).
    UNREADABLE = "Unreadable"


@dataclass(frozen=True, slots=True)
class Unread:
    """One thing that could not be read."""

    cause: Cause
    resource: ResourceType
    #: For people.
    text: str
    #: Of one object; empty for a list.
    name: str = ""

    def __str__(self) -> str:
        return self.text


def may_not_read(unread: Iterable[Unread], resource: ResourceType, name: str = "") -> bool:
    """Whether the right to read these objects, or this one, is missing."""
    return any((one.cause, one.resource, one.name) == (Cause.FORBIDDEN, resource, name) for one in unread)
