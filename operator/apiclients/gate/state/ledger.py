"""Which objects of a kind cannot be read: such objects deny, and that is logged and counted."""

import logging

from apiclients.resources.refs import NamespacedName

logger = logging.getLogger(__name__)


class Ledger:
    """The unreadable objects of one kind; it logs once for each change."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._unreadable: dict[NamespacedName, str] = {}

    def __len__(self) -> int:
        return len(self._unreadable)

    def note(self, key: NamespacedName, reason: str | None) -> None:
        """``reason`` says why the object cannot be read now, or that it can, with None."""
        if reason is None:
            self._unreadable.pop(key, None)
        elif self._unreadable.get(key) != reason:
            self._unreadable[key] = reason
            logger.error("%s %s/%s cannot be read and denies: %s", self._kind, *key, reason)
