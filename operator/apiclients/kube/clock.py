"""Is this machine's clock right? Every answer of the API server carries the server's time; this compares the two."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# How fast two honest clocks may drift apart, far above any real quartz: an old estimate must not exclude a new one.
_DRIFT = 0.0005
# A local clock that is less wrong than this, in seconds, is taken for right.
_SLACK = 2.0


class ClockWatch:
    """Compares the local wall clock with the `Date` of the API server's answers.

    `Date` has a resolution of one second and was written at some moment between the start of the request and the
    arrival of the answer. Each answer therefore bounds the server's clock, seen from the local monotonic clock, by an
    interval; the intersection of many is narrow. Since the estimate hangs on the monotonic clock, a step of the wall
    clock shows at once, not only with the next answer. An interval that contradicts the estimate replaces it.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`wall` returns seconds since the epoch, `monotonic` seconds that never step; tests pass their own."""
        self._wall = wall
        self._monotonic = monotonic
        self._low = 0.0
        self._high = 0.0
        self._updated: float | None = None
        self._last_header = ""
        self._last_seconds = 0.0

    def observe(self, date: str | None, started: float, ended: float) -> None:
        """Take in the `Date` header of an answer; `started` and `ended` are monotonic seconds around the request.

        A missing or unreadable header is ignored.
        """
        seconds = self._parse(date)
        if seconds is None:
            return
        low, high = seconds - ended, seconds + 1.0 - started
        if self._updated is not None:
            slack = max(0.0, ended - self._updated) * _DRIFT
            both = max(low, self._low - slack), min(high, self._high + slack)
            if both[0] <= both[1]:
                low, high = both
        self._low, self._high, self._updated = low, high, ended

    @property
    def offset_seconds(self) -> float | None:
        """Local wall clock minus the server's clock, now; None before the first answer."""
        if self._updated is None:
            return None
        return self._wall() - (self._monotonic() + (self._low + self._high) / 2)

    def now(self) -> datetime:
        """The present, by the API server's clock where this machine's is wrong."""
        offset = self.offset_seconds or 0.0
        return datetime.fromtimestamp(self._wall() - (offset if abs(offset) > _SLACK else 0.0), UTC)

    def trusted(self, limit: float = 30.0) -> bool:
        """Whether the offset is known and at most `limit` seconds: only then may anything irreversible depend on it."""
        offset = self.offset_seconds
        return offset is not None and abs(offset) <= limit

    def _parse(self, date: str | None) -> float | None:
        if not date:
            return None
        if date != self._last_header:
            try:
                self._last_seconds = parsedate_to_datetime(date).timestamp()
            except ValueError:
                return None
            self._last_header = date
        return self._last_seconds
