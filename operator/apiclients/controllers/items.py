"""What waits in the work queue."""

from typing import NamedTuple


class Item(NamedTuple):
    """One object to be reconciled."""

    kind: str
    namespace: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name
