"""Who gets an answer: the browser that opened the one-time link. Pure; the clock is passed in."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

#: The only address that the dashboard listens on, and the only host that it answers to.
ADDRESS = "127.0.0.1"
#: How long the link is valid.
LINK_LIFETIME = timedelta(minutes=10)
_BYTES = 32


class Access:
    """A one-time link, and the session that opening it starts."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """``monotonic`` is a clock in seconds that never goes back."""
        self._monotonic = monotonic
        self._until = monotonic() + LINK_LIFETIME.total_seconds()
        self._session = secrets.token_urlsafe(_BYTES)
        self.token = secrets.token_urlsafe(_BYTES)
        self._opened = False

    def open(self, token: str) -> str | None:
        """The session for the token of the link; None if the token is wrong, used or expired."""
        if self._opened or self._monotonic() > self._until or not _same(token, self.token):
            return None
        self._opened = True
        return self._session

    def admits(self, session: str | None) -> bool:
        """Whether this is the session that the link has started."""
        return self._opened and session is not None and _same(session, self._session)


def _same(given: str, known: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), known.encode())


def cookie_name(port: int) -> str:
    """The cookie's name. It holds the port, since cookies are shared by all ports of a host (RFC 6265, section 8.5)."""
    return f"apiclient-dashboard-{port}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused."""

    status: int
    reason: str


def refusal(method: str, headers: Mapping[str, str], hosts: list[str], port: int) -> Refusal | None:
    """Why a request is refused, whoever sends it; None if it is not. ``hosts`` are its Host headers.

    A name that an attacker points to 127.0.0.1 is another host (DNS rebinding). Browsers mark background requests of
    other pages, also of those on other ports of this machine (Fetch Metadata).
    """
    if method != "GET":
        return Refusal(405, "The dashboard is read-only: GET is the only method.")
    if hosts != [f"{ADDRESS}:{port}"]:
        return Refusal(421, f"The dashboard is served at http://{ADDRESS}:{port}/ only.")
    if headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none") and not _opens_page(headers):
        return Refusal(403, "Requests of other pages are refused.")
    return None


def follows_link(headers: Mapping[str, str]) -> bool:
    """Whether a user follows a link on another site's page: the browser then sends no SameSite=Strict cookie."""
    return headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and _opens_page(headers)


def _opens_page(headers: Mapping[str, str]) -> bool:
    """Whether a user follows a link: the page with the link cannot read the answer."""
    return (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")) == ("navigate", "document")
