"""CORS preflights carry no token: what the examples do with them, and with their lines for CORS in force."""

from pathlib import Path

import pytest

from examples.gateways.render import GATEWAYS, Gateway
from tests.gateways.arena import Arena, running

ORIGIN = ("Origin", "https://app.example.com")
PREFLIGHT = [ORIGIN, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization")]


@pytest.mark.parametrize("recipe", GATEWAYS, ids=lambda gateway: gateway.name)
def test_a_preflight_is_answered_by_the_gateway_and_a_call_still_needs_a_token(
    arena: Arena, tmp_path: Path, recipe: Gateway
) -> None:
    with (
        running(recipe, tmp_path, arena.product, arena.backend, edit=("#cors ", "")) as gateway,
        gateway.caller() as caller,
    ):
        preflight = caller.call(method="OPTIONS", headers=PREFLIGHT)
        assert (preflight.status // 100, preflight.of_api) == (2, False)
        assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN[1]
        assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
        assert caller.call(headers=[ORIGIN]).status == 401
        caller.token = arena.token
        answer = caller.call(headers=[ORIGIN])
        assert (answer.of_api, answer.headers["Access-Control-Allow-Origin"]) == (True, ORIGIN[1])
