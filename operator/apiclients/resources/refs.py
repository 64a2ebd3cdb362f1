"""Names of objects: what everything else refers to them by."""

from typing import NamedTuple

#: Namespace and name; the namespace is empty for what has none.
NamespacedName = tuple[str, str]


class ObjectRef(NamedTuple):
    """Names one object of our kinds."""

    kind: str
    namespace: str
    name: str

    @property
    def key(self) -> NamespacedName:
        """Namespace and name."""
        return self.namespace, self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"
