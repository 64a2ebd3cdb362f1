"""A small API that trusts its gateway: it answers with what the gateway told it about the caller."""

import sys

from aiohttp import web


async def orders(request: web.Request) -> web.Response:
    """Any path but /healthz."""
    return web.json_response(
        {
            "orders": [1, 2, 3],
            "client": request.headers.get("X-Client-Id"),
            "plan": request.headers.get("X-Client-Plan"),
            "tokenSeen": "Authorization" in request.headers,
        }
    )


async def healthz(_: web.Request) -> web.Response:
    """Tells that it runs."""
    return web.Response(text="ok\n")


def main() -> None:
    """Serve on 127.0.0.1 at the port that is the first argument."""
    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.route("*", "/{path:.*}", orders)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
