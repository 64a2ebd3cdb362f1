"""Single reads outweigh lists and watches: what they said of objects until the others have caught up with it. No IO.

Since Kubernetes 1.31 lists and watches come from the API server's watch cache, a read of one object comes from etcd. A
cache that has lost a change goes on denying it, list after list, until the object changes again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from apiclients.resources.refs import NamespacedName


@dataclass(frozen=True, slots=True)
class Moment:
    """When a read was asked for: after which statements, and up to which version lists had shown everything."""

    order: int
    listed: int


@dataclass(frozen=True, slots=True)
class _Read:
    """The version that was read and the UID, or with version 0 that the object of this UID has gone."""

    version: int
    uid: str


class DirectReads:
    """What reads have changed. At most one entry for each object that watches or lists are wrong about."""

    def __init__(self) -> None:
        self._owed: dict[NamespacedName, _Read] = {}
        self._disputed: dict[NamespacedName, _Read] = {}

    def note(self, key: NamespacedName, uid: str, version: int) -> None:
        """A read has shown a change before watch and lists have; version 0: the object of this UID has gone."""
        self._owed[key] = self._disputed[key] = _Read(version, uid)

    def take_owed(self, key: NamespacedName) -> bool:
        """Whether the watch has not delivered what was read of an object; tells so once."""
        return self._owed.pop(key, None) is not None

    def disputed(self) -> tuple[NamespacedName, ...]:
        """The objects about which the last lists and watches say something else than a read did."""
        return tuple(self._disputed)

    def watched(self, key: NamespacedName, version: int, *, deleted: bool) -> None:
        """The watch has delivered a change of an object: in order, so that all before it are settled, too."""
        for waiting in (self._owed, self._disputed):
            read = waiting.get(key)
            if read is not None and (version >= read.version if read.version else deleted):
                del waiting[key]

    def outweighs(self, key: NamespacedName, uid: str, version: int) -> bool:
        """Whether a list that shows an object so is wrong about it. One that is not has caught up with the read."""
        read = self._disputed.get(key)
        if read is None:
            return False
        if uid == read.uid and (not read.version or version < read.version):
            return True
        del self._disputed[key]
        return False

    def outweighs_absence(self, key: NamespacedName) -> bool:
        """Whether a list that does not show an object that was read is wrong about it."""
        return key in self._disputed

    def listed(self, shows: Callable[[NamespacedName], bool]) -> None:
        """A list has ended: what it does not show and a read found gone is settled."""
        for key in [key for key, read in self._disputed.items() if not read.version and not shows(key)]:
            del self._disputed[key]

    def watch_anew(self) -> None:
        """The watch starts from a list: what it has not delivered until now it need not."""
        self._owed.clear()

    def clear(self) -> None:
        """The history was replaced."""
        self._owed.clear()
        self._disputed.clear()
