"""Keeps programs running that are meant to end by design: the operator does when its watch is refused.

In a cluster the Deployments do that; what ``make up`` starts has nobody else.
"""

import sys
import time
from collections.abc import Callable, Sequence

from demo.service import Service

_POLL_SECONDS = 0.5
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
#: A program that ran so long has not failed at its start.
_STEADY_SECONDS = 60.0


class Supervisor:
    """Starts again what has ended, at once and then less and less often, and says so."""

    def __init__(
        self,
        services: Sequence[Service],
        say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._say = say
        self._monotonic = monotonic
        self._pauses: dict[str, float] = {}
        self._not_before: dict[str, float] = {}

    def run(self) -> None:
        """Until interrupted."""
        while True:
            self.look()
            time.sleep(_POLL_SECONDS)

    def look(self) -> None:
        """Start again what has ended and whose pause is over."""
        for service in self._services:
            if not service.running:
                self._revive(service)

    def _revive(self, service: Service) -> None:
        now = self._monotonic()
        if now < self._not_before.get(service.name, 0.0):
            return
        long_ago = now - self._not_before.get(service.name, now) > _STEADY_SECONDS
        pause = _FIRST_PAUSE if long_ago else self._pauses.get(service.name, _FIRST_PAUSE)
        self._pauses[service.name] = min(2 * pause, _LONGEST_PAUSE)
        self._not_before[service.name] = now + pause
        last = service.tail(1).strip()
        self._say(f"{service.name} ended and is started again; its log is {service.log}. It ends with: {last}")
        service.start(ready_within=None)
