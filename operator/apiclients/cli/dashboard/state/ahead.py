"""What the operator will do about each client, by its own ``decide``: foreseen again only when something changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from apiclients.cli.screens.foresight import Coming, coming, observed
from apiclients.kube.objects import JsonObject
from apiclients.resources.objects import ApiClient, ApiClientHold, InvalidObjectError
from apiclients.resources.refs import NamespacedName

#: So far is looked ahead of one client, at most.
_MOST_STEPS = 12


@dataclass(frozen=True, slots=True)
class _Foreseen:
    obj: JsonObject
    holds: tuple[ApiClientHold, ...]
    coming: tuple[Coming, ...]

    def stands(self, obj: JsonObject, holds: tuple[ApiClientHold, ...], now: datetime) -> bool:
        """Whether it would be the same if it were foreseen again."""
        return self.obj is obj and self.holds == holds and all(one.time > now for one in self.coming[:1])


class Ahead:
    """What comes, client by client."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[NamespacedName, _Foreseen] = {}

    def __iter__(self) -> Iterator[tuple[NamespacedName, tuple[Coming, ...]]]:
        """What comes for each client, in the order of time."""
        return ((key, found.coming) for key, found in self._known.items())

    def __len__(self) -> int:
        """Of how many clients it is known."""
        return len(self._known)

    def drop(self, key: NamespacedName) -> bool:
        """Forget a client; whether it was known."""
        return self._known.pop(key, None) is not None

    def look(self, key: NamespacedName, obj: JsonObject, holds: tuple[ApiClientHold, ...], now: datetime) -> bool:
        """Foresee what comes for a client, unless that is known; whether it differs from before.

        ``holds``: those of its namespace. Nothing is known of a client for which this raises.
        """
        known = self._known.get(key)
        if known is not None and known.stands(obj, holds, now):
            return False
        self.drop(key)
        self._known[key] = found = _Foreseen(obj, holds, _coming(obj, holds, now))
        return known is None or known.coming != found.coming


def _coming(obj: JsonObject, holds: tuple[ApiClientHold, ...], now: datetime) -> tuple[Coming, ...]:
    try:
        client = ApiClient.from_object(obj)
    except InvalidObjectError:
        return ()
    return coming(observed(client, None, holds, now), now, most=_MOST_STEPS)
