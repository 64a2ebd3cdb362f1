"""What the Reflectors keep of objects that cannot be read, and how that is told: such objects deny."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from apiclients.kube.cache import Change
from apiclients.kube.objects import Key
from apiclients.resources.objects import InvalidObjectError

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for an object that does not fit the models."""

    reason: str
    #: The namespace and name of the contract that it speaks of, as far as that can be read.
    contract: Key | None = None


def why_unreadable(error: Exception) -> str:
    """The reason of an :class:`Unreadable`. Only our own errors are known to quote nothing that is secret."""
    return str(error) if isinstance(error, InvalidObjectError) else type(error).__name__


class Ledger(Generic[T]):
    """Which objects of a kind cannot be read; it says so once for each change."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._unreadable: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._unreadable)

    def note(self, change: Change[T], reason: str | None) -> None:
        """``reason`` says why the object cannot be read now, or that it can, with None."""
        if reason is None:
            self._unreadable.pop(change.key, None)
        elif self._unreadable.get(change.key) != reason:
            self._unreadable[change.key] = reason
            logger.error("%s %s/%s cannot be read and denies: %s", self._kind, *change.key, reason)


def dig(raw: Any, *path: str) -> str | None:
    """A text at a path of a JSON object that fits no model; None if there is none."""
    for step in path:
        raw = raw.get(step) if isinstance(raw, Mapping) else None
    return raw if isinstance(raw, str) else None
