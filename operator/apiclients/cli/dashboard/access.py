"""Who may look: whoever opened the link once, in the browser that opened it. Pure; the clock is passed in."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

#: The only address that is listened on, and by which pages are asked for.
ADDRESS = "127.0.0.1"
#: How long the link can be opened.
LINK_LIFETIME = timedelta(minutes=10)
_BYTES = 32


class Access:
    """One link that can be opened once, and the one session that opening it gives."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """``monotonic`` is a clock of seconds that is never set back."""
        self._monotonic = monotonic
        self._until = monotonic() + LINK_LIFETIME.total_seconds()
        self._session = secrets.token_urlsafe(_BYTES)
        self.token = secrets.token_urlsafe(_BYTES)
        self._opened = False

    def open(self, token: str) -> str | None:
        """The session for the token of the link; None for another one, a second time, or too late."""
        if self._opened or self._monotonic() > self._until or not _same(token, self.token):
            return None
        self._opened = True
        return self._session

    def admits(self, session: str | None) -> bool:
        """Whether this is the session that the link has given."""
        return self._opened and session is not None and _same(session, self._session)


def _same(given: str, known: str) -> bool:
    """Compared in a time that tells nothing."""
    return hmac.compare_digest(given.encode(errors="replace"), known.encode())


def cookie_name(port: int) -> str:
    """The cookie's name: browsers keep cookies by host alone, and a person may have several dashboards."""
    return f"apiclient-dashboard-{port}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request gets nothing."""

    status: int
    reason: str


def refusal(method: str, headers: Mapping[str, str], hosts: list[str], port: int) -> Refusal | None:
    """Why a request is none of this page's, whoever sends it; None when it is. ``hosts``: its Host headers.

    A name that an attacker has made point to 127.0.0.1 is another host (DNS rebinding), and what other pages ask for in
    the background comes from another site (Fetch Metadata), also if they are served on another port of this machine.
    """
    if method != "GET":
        return Refusal(405, "This page only looks: it answers GET and nothing else.")
    if hosts != [f"{ADDRESS}:{port}"]:
        return Refusal(421, f"This page is http://{ADDRESS}:{port}/ and is not served under another name.")
    if headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none") and not _opens_page(headers):
        return Refusal(403, "This page answers its own requests only, not those of other pages.")
    return None


def _opens_page(headers: Mapping[str, str]) -> bool:
    """Whether somebody follows a link: the answer is a page of its own, which the one with the link cannot read."""
    return (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")) == ("navigate", "document")
