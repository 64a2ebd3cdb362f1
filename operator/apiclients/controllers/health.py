"""/healthz, /readyz and /metrics of the operator, on one port."""

import logging
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from apiclients.settings.sockets import listen, place

logger = logging.getLogger(__name__)


async def serve(
    host: str | None, port: int, registry: CollectorRegistry, problem: Callable[[], str | None]
) -> web.AppRunner:
    """Start serving; ``problem`` says why the operator is not ready, or None. Raises OSError like `listen`."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reason = problem()
        return web.Response(text="ok\n") if reason is None else web.Response(status=503, text=f"{reason}\n")

    async def metrics(request: web.Request) -> web.Response:
        """All metrics, or those that ``name[]`` asks for, as Prometheus' own clients answer it."""
        names = request.query.getall("name[]", [])
        wanted = registry.restricted_registry(names) if names else registry
        return web.Response(body=generate_latest(wanted), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listening = listen(host, port)
    await web.SockSite(runner, listening).start()
    logger.info("serving health and metrics on %s", place(listening))
    return runner
