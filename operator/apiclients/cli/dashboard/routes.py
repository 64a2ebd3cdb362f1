"""The handlers of the pages."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.gather import gather
from apiclients.cli.cluster.problems import sentence
from apiclients.cli.dashboard.state.board import Board
from apiclients.cli.dashboard.views.approvals import approvable, find_requests, read_approval_query, request_lines
from apiclients.cli.dashboard.views.gates import MOST_NAMED, read_gates
from apiclients.cli.dashboard.views.graph_view import graph_values
from apiclients.cli.dashboard.views.paging import QueryError
from apiclients.cli.dashboard.views.pending import pending_requests
from apiclients.cli.dashboard.views.query import counts, find, read_query
from apiclients.cli.dashboard.views.timeline_view import timeline_values
from apiclients.cli.dashboard.web.access import Access
from apiclients.cli.dashboard.web.guard import OPEN_PATH, guarding, opening, secure
from apiclients.cli.dashboard.web.live import Live
from apiclients.cli.dashboard.web.pages import render
from apiclients.cli.dashboard.what_if.plan_change import plan_change
from apiclients.cli.dashboard.what_if.status_change import Choice, what_if
from apiclients.cli.errors import CliError
from apiclients.cli.git.names import is_name
from apiclients.cli.screens.explain import explain_view
from apiclients.cli.screens.status import status_view
from apiclients.kube.errors import KubeError

_STATIC = Path(__file__).parent / "static"
_TYPES = {"dashboard.css": "text/css", "dashboard.js": "text/javascript", "icon.svg": "image/svg+xml"}
#: The timeout for reading what a page shows.
_PAGE_SECONDS = 30.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share."""

    board: Board
    system_namespace: str
    #: The folder with the manifests.
    root: Path

    @property
    def where(self) -> str:
        """The scope, for people."""
        return f"namespace {self.board.namespace}" if self.board.namespace is not None else "all namespaces"

    def page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """Render a page."""
        seen = self.board.seen()
        shared = {"where": self.where, "notes": seen.notes, "revision": seen.revision, "now": self.board.session.now()}
        return web.Response(text=render(template, **shared, **values), status=status, content_type="text/html")


def application(site: Site, access: Access, port: int) -> web.Application:
    """The application that is served on ``port``."""
    app = web.Application(middlewares=[guarding(access, port), _answering(site)])
    app.on_response_prepare.append(secure)
    routes: list[tuple[str, Handler]] = [
        (OPEN_PATH, opening(access, port)),
        ("/", _clients(site)),
        ("/approvals", _approvals(site)),
        ("/gates", _gates(site)),
        ("/clients/{namespace}/{name}", _client(site)),
        ("/clients/{namespace}/{name}/{choice}", _what_if(site)),
        ("/contracts/{namespace}/{name}/plan", _plan_change(site)),
        ("/timeline", _overview(site, "timeline.html", timeline_values)),
        ("/graph", _overview(site, "graph.html", graph_values)),
        ("/live", Live(site.board).stream),
        *((f"/static/{name}", _static(name)) for name in _TYPES),
    ]
    for path, handler in routes:
        app.router.add_get(path, handler, allow_head=False)
    return app


def _answering(site: Site) -> Middleware:
    """The middleware that turns errors into pages."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return site.page("problem.html", status=error.status, title="Page not found", problem=request.path)
        except QueryError as error:
            return site.page("problem.html", status=400, title="Invalid request", problem=str(error))
        except CliError as error:
            return site.page("problem.html", status=404, title="Not found", problem=str(error))
        except TimeoutError:
            problem = f"The API server did not answer within {_PAGE_SECONDS:g} s. Try again."
            return site.page("problem.html", status=504, title="Timeout", problem=problem)
        except KubeError as error:
            return site.page(
                "problem.html", status=502, title="Cannot read from the cluster", problem=sentence(error) or str(error)
            )
        except Exception:
            traceback.print_exc()
            problem = "The dashboard could not make this page. Its terminal says why."
            return site.page("problem.html", status=500, title="Internal error", problem=problem)

    return answer


def _clients(site: Site) -> Handler:
    async def clients(request: web.Request) -> web.StreamResponse:
        query, seen, now = read_query(request.query), site.board.seen(), site.board.session.now()
        return site.page(
            "clients.html",
            query=query,
            fields=query.fields(),
            counts=counts(query, seen.lines, now),
            found=find(query, seen.lines, now),
            namespaces=sorted({line.namespace for line in seen.lines}),
            owners=sorted({line.owner for line in seen.lines if line.owner}),
            statuses=sorted({line.effective_status for line in seen.lines}),
        )

    return clients


def _approvals(site: Site) -> Handler:
    async def approvals(request: web.Request) -> web.StreamResponse:
        query, relations = read_approval_query(request.query), site.board.relations
        async with asyncio.timeout(_PAGE_SECONDS):
            await relations.synced()
        requests = pending_requests(relations)
        lines = request_lines(requests, site.board.owners())
        found = find_requests(query, lines)
        return site.page(
            "approvals.html",
            query=query,
            requests=requests,
            found=found,
            groups=await asyncio.to_thread(approvable, found.lines, requests, site.root),
            namespaces=sorted({line.api[0] for line in lines}),
            owners=sorted({line.owner for line in lines if line.owner}),
            filtered=bool(lines),
        )

    return approvals


def _gates(site: Site) -> Handler:
    async def gates(_: web.Request) -> web.StreamResponse:
        async with asyncio.timeout(_PAGE_SECONDS):
            found = await read_gates(site.board, site.system_namespace)
        return site.page("gates.html", view=found, most=MOST_NAMED)

    return gates


def _overview(site: Site, template: str, values: Callable[[Mapping[str, str], Board], dict[str, Any]]) -> Handler:
    async def overview(request: web.Request) -> web.StreamResponse:
        async with asyncio.timeout(_PAGE_SECONDS):
            await site.board.relations.synced()
        return site.page(template, **values(request.query, site.board))

    return overview


def _client(site: Site) -> Handler:
    async def client(request: web.Request) -> web.StreamResponse:
        session, name = _subject(site, request)
        system = site.system_namespace
        async with asyncio.timeout(_PAGE_SECONDS):
            around = await gather(session, name, system_namespace=system, gates_in=system)
        return site.page("client.html", view=status_view(around), answer=explain_view(around), choices=list(Choice))

    return client


def _what_if(site: Site) -> Handler:
    async def foresee(request: web.Request) -> web.StreamResponse:
        session, name = _subject(site, request)
        choice = request.match_info["choice"]
        if choice not in list(Choice):
            raise web.HTTPNotFound
        async with asyncio.timeout(_PAGE_SECONDS):
            answer = await what_if(session, name, Choice(choice), site.root)
        return site.page("what_if.html", answer=answer)

    return foresee


def _plan_change(site: Site) -> Handler:
    async def foresee(request: web.Request) -> web.StreamResponse:
        session, name = _subject(site, request)
        async with asyncio.timeout(_PAGE_SECONDS):
            answer = await plan_change(session, name, request.query.get("to", ""), site.root)
        return site.page("plan_change.html", answer=answer)

    return foresee


def _subject(site: Site, request: web.Request) -> tuple[Session, str]:
    """The name that an address holds, and a session in its namespace. Raises HTTPNotFound for what is not a name."""
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    if not (is_name(namespace) and is_name(name)):
        raise web.HTTPNotFound
    return replace(site.board.session, namespace=namespace), name


def _static(name: str) -> Handler:
    async def static(_: web.Request) -> web.StreamResponse:
        return web.Response(body=(_STATIC / name).read_bytes(), content_type=_TYPES[name], charset="utf-8")

    return static
