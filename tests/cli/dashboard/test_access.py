"""Who gets an answer: the browser that opened the link, asking for pages of the dashboard itself."""

from __future__ import annotations

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.cli.dashboard.serving import listening
from apiclients.cli.dashboard.web import guard
from apiclients.cli.dashboard.web.access import LINK_LIFETIME, Access, cookie_name, refusal
from apiclients.cli.errors import CliError
from tests.cli.dashboard.scene import Browser
from tests.kube.fake import FakeServer

PATHS = ("/", "/approvals", "/gates", "/clients/team-a/billing-1.0", "/live", "/static/dashboard.js", "/nothing")
METHODS = ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")


async def test_the_link_opens_once(stranger: Browser) -> None:
    opened = await stranger.open()
    assert opened.status == 200
    again = await stranger.ask(stranger.link.removeprefix(stranger.origin))
    assert again.status == 403
    assert not again.cookies
    assert (await stranger.ask("/")).status == 200


async def test_the_cookie_is_for_this_page_alone(stranger: Browser) -> None:
    cookie = (await stranger.open()).headers["Set-Cookie"]
    name, _, attributes = cookie.partition("=")
    assert name == cookie_name(stranger.port)
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes.split("; "))
    assert "Domain" not in cookie


async def test_the_token_is_no_cookie(stranger: Browser) -> None:
    token = stranger.link.partition("token=")[2]
    await stranger.open()
    assert token not in stranger.cookies.values()
    assert (await stranger.ask("/", Cookie=f"{cookie_name(stranger.port)}={token}")).status == 401


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_without_the_cookie(stranger: Browser, path: str) -> None:
    await stranger.open()
    assert (await stranger.ask(path, Cookie="")).status == 401
    assert (await stranger.ask(path, Cookie=f"{cookie_name(stranger.port)}=guess")).status == 401


async def test_a_wrong_token_opens_nothing_and_spoils_nothing(stranger: Browser) -> None:
    assert (await stranger.ask("/open?token=guess")).status == 403
    assert (await stranger.ask("/open")).status == 403
    assert (await stranger.open()).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "localhost:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}"]
)
@pytest.mark.parametrize("path", ["/", "/open?token=x"])
async def test_no_other_name_is_answered(browser: Browser, host: str, path: str) -> None:
    """A name that an attacker lets point to 127.0.0.1 (DNS rebinding)."""
    answer = await browser.ask(path, Host=host.format(port=browser.port))
    assert answer.status == 421
    assert "billing" not in await answer.text()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", PATHS)
async def test_get_and_nothing_else(browser: Browser, server: FakeServer, method: str, path: str) -> None:
    asked = len(server.requests)
    answer = await browser.ask(path, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET"
    assert len(server.requests) == asked


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_other_pages_get_nothing(browser: Browser, site: str) -> None:
    """A page on another port of this machine would have the cookie sent: to browsers, that is the same site."""
    headers = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}
    assert (await browser.ask("/", **headers)).status == 403
    framed = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}
    assert (await browser.ask("/", **framed)).status == 403
    assert (await browser.ask("/", Sec_Fetch_Site="same-origin")).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_link_on_another_page_opens_the_page_anew(browser: Browser, site: str) -> None:
    """Browsers do not send the cookie with the first request, but with the one that the answer leads to."""
    followed = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    answer = await browser.ask("/?q=%22a%22&held=1", Cookie="", **followed)
    assert answer.status == 401
    text = await answer.text()
    assert 'content="0;url=/?q=%22a%22&amp;held=1"' in text
    assert "billing" not in text
    own = {**followed, "Sec_Fetch_Site": "same-origin"}
    assert "refresh" not in await (await browser.ask("/", Cookie="", **own)).text()
    assert (await browser.ask("/", **own)).status == 200


@pytest.mark.parametrize("path", ["/", "/?q=a&held=1"])
def test_continuing_stays_on_the_path(path: str) -> None:
    assert f'url={escape(path)}"' in guard.continue_to(path)


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "/\\/evil.example/"])
def test_continuing_leads_to_no_other_host(path: str) -> None:
    assert 'content="0;url=/evil.example/"' in guard.continue_to(path)


@pytest.mark.parametrize("path", ["/open?token=x", *PATHS])
@pytest.mark.parametrize("cookie", ["", None])
async def test_every_answer_is_closed_to_others(browser: Browser, path: str, cookie: str | None) -> None:
    headers = {} if cookie is None else {"Cookie": cookie}
    if path == "/live" and cookie is None:
        async with browser.live() as events:
            found = events.response.headers
    else:
        found = (await browser.ask(path, **headers)).headers
    policy = dict(part.split(" ", 1) for part in found["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert policy["form-action"] == "'self'"
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Referrer-Policy"] == "no-referrer"
    assert found["Cache-Control"] == "no-store"
    assert found["Cross-Origin-Opener-Policy"] == found["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in found
    assert "aiohttp" not in found["Server"]


def test_a_late_link_is_closed() -> None:
    now = 0.0
    access = Access(lambda: now)
    now = LINK_LIFETIME.total_seconds() + 1
    assert access.open(access.token) is None


@given(st.text(), st.text())
def test_no_guess_is_let_in(token: str, session: str) -> None:
    access = Access(lambda: 0.0)
    assert access.open(token) is None
    assert not access.admits(session)
    real = access.open(access.token)
    assert real is not None
    assert access.admits(real)
    assert not access.admits(session)
    assert not access.admits(None)


@given(st.text(), st.lists(st.text(), max_size=3))
def test_only_its_own_name_and_method(method: str, hosts: list[str]) -> None:
    assert refusal(method, {}, ["127.0.0.1:80"], 80) is not None or method == "GET"
    assert refusal("GET", {}, hosts, 80) is not None or hosts == ["127.0.0.1:80"]


def test_the_socket_is_of_this_machine_alone() -> None:
    with listening(0) as listener:
        address, port = listener.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(CliError, match=f"port {port} on 127.0.0.1 is in use.*--port"):
            listening(port)
