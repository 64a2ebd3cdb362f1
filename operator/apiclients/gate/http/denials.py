"""Denials in the log: who was refused, what for, and in which request. Never a token or a secret (rule 23).

Anybody can be refused by the million, so lines are bounded: one for each caller, Api and reason in an interval, which
says how many like it there were since the last, and so many in all. Memory is bounded too.
"""

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from apiclients.gate.http.replies import Headers
from apiclients.gate.tokens.gate import Gate
from apiclients.gate.tokens.verifier import Fault
from apiclients.lifecycle.access import ClientView, Denial

logger = logging.getLogger(__name__)

#: One line for one caller, Api and reason in this time.
INTERVAL_SECONDS = 10.0
#: Lines of all callers together: so many at once, and so many a second from then on.
BURST = 100
LINES_PER_SECOND = 20.0
_MOST_KINDS = 4096
#: What a gateway may call a request. Anything else would let callers write into the log what they like.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes two refusals alike."""

    endpoint: str
    reason: str
    #: Its client id, where the caller has proved whose it is, or names a client that there is; else empty.
    client: str = ""
    #: ``<namespace>/<name>``; empty where it is about none.
    api: str = ""


@dataclass(slots=True)
class _Seen:
    told: float
    untold: int = 0


class DenialLog:
    """Writes lines."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: OrderedDict[Kind, _Seen] = OrderedDict()
        self._lines = float(BURST)
        self._refilled = monotonic()

    def note(self, kind: Kind, status: int, headers: Headers) -> None:
        """Write a line, if this is not one of many."""
        now = self._monotonic()
        seen = self._seen.get(kind)
        if seen is None:
            seen = self._seen[kind] = _Seen(now - INTERVAL_SECONDS)
            if len(self._seen) > _MOST_KINDS:
                self._seen.popitem(last=False)
        self._seen.move_to_end(kind)
        if now - seen.told < INTERVAL_SECONDS or not self._take_line(now):
            seen.untold += 1
            return
        _write(kind, status, seen.untold, request_id(headers))
        seen.told, seen.untold = now, 0

    def _take_line(self, now: float) -> bool:
        self._lines = min(float(BURST), self._lines + (now - self._refilled) * LINES_PER_SECOND)
        self._refilled = now
        if self._lines < 1:
            return False
        self._lines -= 1
        return True


class Denials:
    """Who was refused: counted for clients that there are, and written down."""

    def __init__(self, gate: Gate, log: DenialLog | None = None) -> None:
        self._gate = gate
        self.log = log or DenialLog()

    def of_token(
        self, endpoint: str, reason: str, token: bytes | None, status: int, headers: Headers, api: str = ""
    ) -> None:
        """A token was refused, or there was none."""
        verified = self._gate.bearer(token) if token and not isinstance(reason, Fault) else None
        if verified is not None and reason != Denial.UNKNOWN_CLIENT:  # whom nobody would forget
            self._gate.tally.denied(verified.claims.uid, reason)
        self.log.note(Kind(endpoint, reason, verified.client_id if verified else "", api), status, headers)

    def of_secret(self, endpoint: str, reason: str, client: ClientView | None, status: int, headers: Headers) -> None:
        """A client's secret was refused, or what it asked for; None where there is no such client."""
        if client is not None:
            self._gate.tally.denied(client.uid, reason)
        self.log.note(Kind(endpoint, reason, client.client_id if client is not None else ""), status, headers)


def request_id(headers: Headers) -> str:
    """What the gateway calls the request (X-Request-Id), so that its log and this one can be put together."""
    values = [value for name, value in headers if name == b"x-request-id"]
    return values[0].decode() if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]) else ""


def _write(kind: Kind, status: int, untold: int, request: str) -> None:
    fields = {"endpoint": kind.endpoint, "status": status, "reason": kind.reason, "client": kind.client}
    fields |= {"api": kind.api, "requestId": request, "more": untold}
    words = [f"{name}={value}" for name, value in fields.items() if value]
    logger.info("refused: %s", " ".join(words), extra={name: value for name, value in fields.items() if value != ""})
