"""The rules of ``access`` as aiohttp middleware, and the security headers of every response."""

from collections.abc import Awaitable, Callable
from html import escape

from aiohttp import web
from aiohttp.typedefs import Middleware

from apiclients.cli.dashboard.web.access import Access, cookie_name, follows_link, refusal

OPEN_PATH = "/open"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Same-origin scripts, styles and requests only; no embedding, framing, sniffing, caching or referrer.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Server": "kubectl-apiclient",
}


def guarding(access: Access, port: int) -> Middleware:
    """The middleware that admits requests of the dashboard's own pages, in the browser that opened the link."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = refusal(request.method, request.headers, request.headers.getall("Host", []), port)
        if refused is not None:
            headers = {"Allow": "GET"} if refused.status == 405 else {}
            return web.Response(status=refused.status, text=f"{refused.reason}\n", headers=headers)
        if request.path != OPEN_PATH and not access.admits(request.cookies.get(cookie_name(port))):
            if follows_link(request.headers):
                return web.Response(status=401, text=continue_to(request.path_qs), content_type="text/html")
            return web.Response(status=401, text="Open the link that `kubectl apiclient dashboard` printed.\n")
        return await handler(request)

    return guard


async def secure(_: web.Request, response: web.StreamResponse) -> None:
    """Signal ``on_response_prepare``: set the headers on every response, also on errors and streams."""
    response.headers.update(HEADERS)


def opening(access: Access, port: int) -> Handler:
    """The handler of the link: exchanges its token, once, for an HttpOnly, SameSite=Strict cookie.

    It answers with a page that refreshes instead of a redirect: after a link on another site, browsers do not send a
    SameSite=Strict cookie along a redirect.
    """

    async def open_link(request: web.Request) -> web.StreamResponse:
        session = access.open(request.query.get("token", ""))
        if session is None:
            return web.Response(
                status=403,
                text="This link is invalid, expired or already used. Run `kubectl apiclient dashboard` again.\n",
            )
        response = web.Response(text=continue_to("/"), content_type="text/html")
        response.set_cookie(cookie_name(port), session, path="/", httponly=True, samesite="Strict")
        return response

    return open_link


def continue_to(path: str) -> str:
    """A page that opens another one as the dashboard's own, so that the browser sends the cookie."""
    path = escape("/" + path.lstrip("/\\"))  # two slashes, also backslashes, would name another host
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>API clients</title>
<link rel="icon" href="/static/icon.svg"><meta http-equiv="refresh" content="0;url={path}"></head>
<body><p><a href="{path}">Continue</a></p></body></html>
"""
