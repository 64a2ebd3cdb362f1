"""What a gateway learns of a plan: headers of an allowed call, made once for each plan."""

from apiclients.gate.http.replies import Headers
from apiclients.lifecycle.api_view import Route

#: Plans come and go as Apis are edited; beyond so many all are made again as they are asked for.
_MOST_PLANS = 10_000


class PlanHeaders:
    """Headers by route: the same object for all contracts under a plan."""

    def __init__(self) -> None:
        self._headers: dict[Route, Headers] = {}

    def of(self, route: Route) -> Headers:
        """The headers of a route."""
        found = self._headers.get(route)
        if found is None:
            if len(self._headers) >= _MOST_PLANS:
                self._headers.clear()
            found = self._headers[route] = _headers(route)
        return found


def _headers(route: Route) -> Headers:
    requests, seconds = (b"%d" % number for number in route.rate_limit) if route.rate_limit is not None else (b"", b"")
    return plan_headers(route.plan.encode(), requests, seconds)


def plan_headers(plan: bytes, requests: bytes, seconds: bytes) -> Headers:
    """All of them, empty where there is nothing: a gateway may replace only what is there, and let a caller's pass."""
    return [(b"x-client-plan", plan), (b"x-ratelimit-limit", requests), (b"x-ratelimit-window", seconds)]


#: Where nobody asked about an Api.
NO_PLAN = plan_headers(b"", b"", b"")
