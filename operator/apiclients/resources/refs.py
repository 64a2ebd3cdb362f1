"""Names of objects: what everything else refers to them by."""

from functools import lru_cache
from sys import intern
from typing import NamedTuple

#: Namespace and name; the namespace is empty for what has none.
NamespacedName = tuple[str, str]


@lru_cache(4096)
def shared_key(namespace: str, name: str) -> NamespacedName:
    """The same tuple for the same names: very many objects name the same few others."""
    return intern(namespace), intern(name)


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
