"""Calls to single Apis over real HTTP: every verdict, and paths that try to choose another Api."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from apiclients.engine.contract_index import contract_key
from apiclients.gate.state.problems import Problem
from tests.gate.objects import (
    API,
    CONTRACT,
    GOLD,
    STANDARD,
    api_object,
    approval_object,
    contract_object,
    hold_object,
)
from tests.gate.support import CLIENT_ID, ISSUER, START, UID, Caller, World, calling, hours
from tests.toolkit.scraping import SCRAPERS, labels_in

AUDIENCE = f"{ISSUER}/apis/team-b/orders"
PATH = "/authz/team-b/orders"
METADATA = f"{ISSUER}/.well-known/oauth-protected-resource/apis/team-b/orders"


@pytest.fixture
def world() -> World:
    """With one Api and one contract for it."""
    found = World()
    found.tell("api", api_object())
    found.tell("contract", contract_object())
    return found


def good(world: World, scope: str = "orders.read", **claims: Any) -> str:
    return world.token(**({"aud": AUDIENCE, "scope": scope} | claims))


class TestAllowed:
    @pytest.mark.rule(1)
    async def test_what_the_gateway_is_told(self, world: World, call: Caller) -> None:
        status, headers = await call.check(good(world, "orders.read orders.gone"), PATH)
        assert status == 200
        found = {name.lower(): value for name, value in headers.items()}
        found.pop("date", None)
        assert found.pop("content-length") == "0"
        assert found == {
            "x-client-id": CLIENT_ID,
            "x-client-scope": "orders.read",
            "x-client-plan": "standard",
            "x-ratelimit-limit": "100",
            "x-ratelimit-window": "60",
            "x-token-expires": str(int(START) + 12 * 3600),
            "cache-control": "no-store",
        }

    async def test_a_plan_without_a_rate_limit_says_none(self, world: World, call: Caller) -> None:
        world.tell("api", api_object(plans=({"name": "standard"},)))
        status, headers = await call.check(good(world, ""), PATH)
        assert (status, headers["X-Client-Scope"]) == (200, "")
        assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Window"]) == ("", "")

    @pytest.mark.parametrize("path", [PATH, "/check"])
    async def test_all_headers_are_there_to_take_the_place_of_the_callers(
        self, world: World, call: Caller, path: str
    ) -> None:
        """Envoy replaces those headers of a caller that the gate answers, and lets the others through."""
        world.tell("api", api_object(plans=({"name": "standard"},)))
        _, headers = await call.check(world.token(aud=[ISSUER, AUDIENCE]), path)
        names = {name.lower() for name in headers if name.lower().startswith(("x-client-", "x-ratelimit-"))}
        assert names == {"x-client-id", "x-client-scope", "x-client-plan", "x-ratelimit-limit", "x-ratelimit-window"}
        assert headers["X-Token-Expires"] == str(int(START) + 12 * 3600)

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "HEAD", "PROPFIND"])
    async def test_any_method_and_whatever_is_appended(self, world: World, call: Caller, method: str) -> None:
        for rest in ("", "/", "/v1/orders?x=1", "//", "/../../team-c/secret", "/%2e%2e/x", "/./", "?/authz/x/y"):
            bearer = {"Authorization": f"Bearer {good(world)}"}
            assert (await call(method, PATH + rest, headers=bearer))[0] == 200, rest

    @pytest.mark.rule(1)
    @pytest.mark.parametrize("audience", [[AUDIENCE], [ISSUER, AUDIENCE], [f"{ISSUER}/apis/x/y", AUDIENCE]])
    async def test_audiences(self, world: World, call: Caller, audience: Any) -> None:
        assert (await call.check(good(world, aud=audience), PATH))[0] == 200

    async def test_uses_are_noted(self, world: World, call: Caller) -> None:
        await call.check(good(world), PATH)
        assert world.tally.last_uses() == {UID: START}
        uses = list(world.access.contract_uses(world.picture.by_uid))
        assert [(contract_key(view), used) for view, used in uses] == [(CONTRACT, START)]


def _no_contract(world: World) -> None:
    world.gone("contract", *CONTRACT)


def _rejected(world: World) -> None:
    world.tell("approval", approval_object(plan="standard", decision="Rejected"))


FORBIDDEN: dict[str, Callable[[World], None]] = {
    "contract deleted": _no_contract,
    "contract on its way out": lambda world: world.tell("contract", contract_object(deleting=True)),
    "contract pending": lambda world: world.tell("contract", contract_object(observed="Pending", in_force=None)),
    "contract rejected": lambda world: world.tell("contract", contract_object(observed="Rejected", in_force=None)),
    "contract inactive": lambda world: world.tell("contract", contract_object(observed="Inactive")),
    "contract without status": lambda world: world.tell("contract", contract_object(in_force=None)),
    "contract edited to another api": lambda world: world.tell(
        "contract", contract_object(api=("team-b", "other"), granted={"api": {"namespace": "team-b", "name": "orders"}})
    ),
    "contract edited from another api": lambda world: world.tell(
        "contract", contract_object(granted={"api": {"namespace": "team-b", "name": "other"}})
    ),
    "contract edited to another client": lambda world: world.tell(
        "contract", contract_object(client="other", granted={"clientName": "billing"})
    ),
    "contract of an earlier client of the name": lambda world: world.tell(
        "contract", contract_object(client_uid="ffffffff-0000-4000-8000-000000000002")
    ),
    "contract unreadable": lambda world: world.tell("contract", contract_object() | {"status": {"observedStatus": 7}}),
    "plan removed": lambda world: world.tell("api", api_object(plans=(GOLD,))),
    "rejected at once": _rejected,
    "approval unreadable": lambda world: world.tell(
        "approval", {**approval_object(), "spec": {**approval_object()["spec"], "decision": "Perhaps"}}
    ),
    "api deleted": lambda world: world.gone("api", *API),
    "api on its way out": lambda world: world.tell("api", api_object(deleting=True)),
    "api unreadable": lambda world: world.tell("api", api_object() | {"spec": {"desiredStatus": "Open"}}),
}


class TestRefused:
    @pytest.mark.rule(1, 14, 15)
    @pytest.mark.parametrize("name", FORBIDDEN)
    async def test_without_a_contract(self, world: World, call: Caller, name: str) -> None:
        token = good(world)
        assert (await call.check(token, PATH))[0] == 200
        FORBIDDEN[name](world)
        status, headers = await call.check(token, PATH)
        assert (status, headers.get("WWW-Authenticate")) == (403, None)
        assert headers["Cache-Control"] == "no-store"
        (_, reason), *more = [key for key in world.tally.calls if key[0] == "deny"]
        assert (reason, more) == ("no_contract", [])

    @pytest.mark.rule(15)
    async def test_not_there_and_not_contracted_read_the_same(self, world: World, call: Caller) -> None:
        world.tell("api", api_object(("team-b", "there")))
        answers = []
        for name in ("there", "absent"):
            path, audience = f"/authz/team-b/{name}/x", f"{ISSUER}/apis/team-b/{name}"
            for token in (None, "garbage", good(world), world.token(), good(world, aud=audience)):
                status, headers = await call.check(token, path)
                told = {key: value.replace(name, "NAME") for key, value in headers.items() if key != "date"}
                answers.append((status, told))
        assert answers[:5] == answers[5:]
        assert [status for status, _ in answers[:5]] == [401, 401, 403, 403, 403]

    @pytest.mark.rule(13, 15)
    @pytest.mark.parametrize("desired", ["Retired", "Published"])
    async def test_a_retired_api_is_gone_for_those_who_had_it(self, world: World, call: Caller, desired: str) -> None:
        """At once by spec; and by status, also when spec asks for the impossible return."""
        token = good(world)
        accepted = "Published" if desired == "Retired" else "Retired"
        world.tell("api", api_object(desired=desired, accepted=accepted, acknowledged=1))
        status, headers = await call.check(token, PATH)
        assert (status, headers["Cache-Control"], headers.get("WWW-Authenticate")) == (410, "no-store", None)
        world.tell("contract", contract_object(observed="Inactive"))  # as the operator leaves it
        assert (await call.check(token, PATH))[0] == 410
        world.gone("contract", *CONTRACT)
        assert (await call.check(token, PATH))[0] == 403

    @pytest.mark.rule(13, 15)
    async def test_a_token_of_before_the_api_was_made_is_for_another_one(self, world: World, call: Caller) -> None:
        """Deleted and made again under the same name, an Api takes no token that was issued for the one before it."""
        old, other = good(world), {"token": good(world, aud=[AUDIENCE, ISSUER])}
        world.tell("api", api_object(created=START))
        status, headers = await call.check(old, PATH)
        assert (status, 'error="invalid_token"' in headers["WWW-Authenticate"]) == (401, True)
        assert world.tally.calls["deny", "token_before_api"] == 1
        assert (await call.check(other["token"]))[0] == 200, "it is for the issuer as well"
        _, _, answer = await call.token({"grant_type": "client_credentials", "resource": AUDIENCE})
        assert (await call.check(answer["access_token"], PATH))[0] == 200, "a new one of the same second"
        world.gone("contract", *CONTRACT)
        assert (await call.check(old, PATH))[0] == 403, "strangers are told nothing of its age"

    @pytest.mark.rule(9, 13)
    async def test_a_retirement_that_is_held_changes_nothing(self, world: World, call: Caller) -> None:
        token, second = good(world), "cccccccc-0000-4000-8000-000000000002"
        world.tell("contract", contract_object(("team-c", "other"), uid=second, client_uid="another"))
        world.tell("api", api_object(desired="Retired", acknowledged=1))
        assert (await call.check(token, PATH))[0] == 200
        world.gone("contract", "team-c", "other")
        assert (await call.check(token, PATH))[0] == 410
        world.tell("contract", contract_object(("team-c", "other"), uid=second, client_uid="another"))
        assert (await call.check(token, PATH))[0] == 200

    async def test_without_a_public_url_challenges_name_no_metadata(self, call: Caller) -> None:
        """They could not name the URL that was called, and strict clients refuse them (RFC 9728 section 3.3)."""
        assert (await call.check(None, PATH))[1]["WWW-Authenticate"] == 'Bearer realm="apiclients"'

    async def test_challenges_name_the_metadata(self, world: World, call: Caller) -> None:
        world.tell("api", api_object(public_url="https://api.example.com/orders"))
        for token, error in (
            (None, ""),
            ("garbage", 'error="invalid_token", error_description="The access token is not valid for this API.", '),
            (world.token(), 'error="invalid_token", error_description="The access token is not valid for this API.", '),
        ):
            status, headers = await call.check(token, PATH)
            assert status == 401
            assert headers["WWW-Authenticate"] == f'Bearer realm="apiclients", {error}resource_metadata="{METADATA}"'

    @pytest.mark.rule(1)
    @pytest.mark.parametrize(
        "audience", [ISSUER, f"{AUDIENCE}x", f"{AUDIENCE}/", f"{ISSUER}/apis/team-b/order", f"{ISSUER}/apis/team-b"]
    )
    async def test_another_audience(self, world: World, call: Caller, audience: str) -> None:
        assert (await call.check(good(world, aud=audience), PATH))[0] == 401

    @pytest.mark.rule(1, 15)
    async def test_a_new_token_is_asked_for_only_where_it_would_pass(self, world: World, call: Caller) -> None:
        """403 while the contract waits; then 401, upon which a client asks for the token that passes."""
        before = world.token()  # for the issuer alone, as one that was issued before the contract came into force
        world.tell("contract", contract_object(observed="PendingApproval", in_force=None))
        status, headers = await call.check(before, PATH)
        assert (status, "WWW-Authenticate" in headers) == (403, False)
        assert world.tally.calls["deny", "no_contract"] == 1
        world.tell("contract", contract_object())
        status, headers = await call.check(before, PATH)
        assert (status, 'error="invalid_token"' in headers["WWW-Authenticate"]) == (401, True)
        assert world.tally.calls["deny", "wrong_audience"] == 1
        assert (await call.check(good(world), PATH))[0] == 200

    @pytest.mark.rule(1)
    async def test_a_token_for_an_api_is_none_for_the_issuer(self, world: World, call: Caller) -> None:
        assert (await call.check(good(world)))[0] == 401
        assert world.tally.checks["deny", "wrong_audience"] == 1
        assert (await call.check(good(world, aud=[ISSUER, AUDIENCE])))[0] == 200

    @pytest.mark.rule(1, 11, 16)
    @pytest.mark.parametrize(
        "fields",
        [{"desired": "Suspended"}, {"observed": "Suspended"}, {"deleting": True}, {"not_before": START + 1}],
    )
    async def test_the_client_comes_first(self, world: World, call: Caller, fields: dict[str, Any]) -> None:
        token = good(world)
        world.put(**fields)
        assert (await call.check(token, PATH))[0] == 401
        world.gone("contract", *CONTRACT)
        assert (await call.check(token, PATH))[0] == 401

    @pytest.mark.rule(1)
    async def test_a_hold_and_a_late_token(self, world: World, call: Caller) -> None:
        token = good(world)
        world.tell("hold", hold_object())
        assert (await call.check(token, PATH))[0] == 401
        world.gone("hold", "team-a", "stop")
        assert (await call.check(token, PATH))[0] == 200
        world.clock.advance(hours(12))
        assert (await call.check(token, PATH))[0] == 401

    @pytest.mark.rule(17, 26)
    async def test_a_stale_gate_decides_nothing(self, world: World, call: Caller) -> None:
        world.evidence.why = Problem.STALE
        for path in (PATH, "/authz/team-b/absent", "/authz/..", "/authz"):
            for token in (None, good(world)):
                assert (await call.check(token, path))[0] == 503
        assert world.tally.calls == {("unavailable", "stale"): 8}


class TestScopes:
    @pytest.mark.rule(1)
    @pytest.mark.parametrize(
        ("scope", "required", "status"),
        [
            ("", None, 200),
            ("orders.read", None, 200),
            ("orders.read orders.write", "orders.write", 200),
            ("orders.read orders.write", "orders.write orders.read", 200),
            ("orders.read", "orders.write", 403),
            ("orders.read", "orders.read orders.write", 403),
            ("", "orders.read", 403),
            ("elsewhere", None, 403),
            ("orders.admin", "orders.admin", 403),
            ("orders.read", "orders.read,orders.write", 403),
            ("orders.read", "", 200),
        ],
    )
    async def test_what_is_required(
        self, world: World, call: Caller, scope: str, required: str | None, status: int
    ) -> None:
        headers = {"Authorization": f"Bearer {good(world, scope)}"}
        if required is not None:
            headers["X-Required-Scope"] = required
        found, answer, _ = await call("GET", PATH, headers=headers)
        assert found == status
        if status == 403:
            assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
            assert (f'scope="{required}"' in answer["WWW-Authenticate"]) == (required is not None)

    async def test_adding_a_header_makes_nothing_easier(self, world: World, call: Caller) -> None:
        headers = [("Authorization", f"Bearer {good(world)}"), ("X-Required-Scope", "orders.write")]
        for more in ("orders.read", ""):
            for order in ([*headers, ("X-Required-Scope", more)], [("X-Required-Scope", more), *headers]):
                assert (await call("GET", PATH, headers=order))[0] == 403

    async def test_what_no_scope_can_be_is_not_repeated(self, world: World, call: Caller) -> None:
        headers = {"Authorization": f"Bearer {good(world)}", "X-Required-Scope": 'x", realm="y'}
        status, answer, _ = await call("GET", PATH, headers=headers)
        assert status == 403
        assert "scope=" not in answer["WWW-Authenticate"]
        assert answer["WWW-Authenticate"].count("realm") == 1

    async def test_scopes_of_other_apis_are_none_here(self, world: World, call: Caller) -> None:
        """A plan that knows no scopes is reached with a token that has some for another Api; none is passed on."""
        world.tell("api", api_object(plans=(STANDARD | {"scopes": []},)))
        status, headers = await call.check(good(world, "elsewhere"), PATH)
        assert (status, headers["X-Client-Scope"]) == (200, "")

    @pytest.mark.rule(1)
    async def test_a_plan_that_loses_a_scope(self, world: World, call: Caller) -> None:
        token = good(world, "orders.read orders.write")
        world.tell("api", api_object(plans=(STANDARD | {"scopes": ["orders.write"]},)))
        assert (await call.check(token, PATH))[1]["X-Client-Scope"] == "orders.write"


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "/authz",
            "/authz/",
            "/authz//",
            "/authz/team-b",
            "/authz/team-b/",
            "/authz//orders",
            "/authz//team-b/orders",
            "/authz/team-b//orders",
            "/authz/./team-b/orders",
            "/authz/../check",
            "/authz/team-b/..",
            "/authz/team-b/../orders",
            "/authz/team%2db/orders",
            "/authz/team-b/%6frders",
            "/authz/team-b%2forders",
            "/authz/team-b/orders%2f",
            "/authz/team-b/orders%00",
            "/authz/team-b/orders;x",
            "/authz/team-b/orders,x",
            "/authz/team-b/orders*",
            "/authz/team-b/orders%20",
            "/authz/Team-b/orders",
            "/authz/team-b/Orders",
            "/authz/team-b./orders",
            "/authz/team-b/orders.",
            "/authz/team.b/orders",
            f"/authz/{'x' * 64}/orders",
            f"/authz/team-b/{'x' * 64}",
            "/authz/team-b/orders\\..\\x",
        ],
    )
    async def test_what_names_no_api_is_refused(self, world: World, call: Caller, path: str) -> None:
        for token in (None, good(world, aud=[ISSUER, AUDIENCE])):
            status, headers = await call.check(token, path)
            assert (status, headers.get("WWW-Authenticate")) == (403, None)
        assert world.tally.calls == {("deny", "bad_path"): 2}

    @pytest.mark.parametrize("name", ["orders-2", "orders.v2", "order", "ordersx", "x" * 63])
    async def test_similar_names_are_other_apis(self, world: World, call: Caller, name: str) -> None:
        assert (await call.check(good(world), f"/authz/team-b/{name}"))[0] == 403
        assert (await call.check(good(world), "/authz/team-c/orders"))[0] == 403

    @pytest.mark.parametrize("path", ["/authzx/team-b/orders", "//authz/team-b/orders", "/%61uthz/team-b/orders"])
    async def test_other_paths_do_not_exist(self, world: World, call: Caller, path: str) -> None:
        assert (await call.check(good(world), path))[0] == 404


class TestMetadata:
    @pytest.mark.rule(15)
    @pytest.mark.parametrize("name", ["orders", "absent"])
    async def test_it_is_there_for_every_name(self, world: World, call: Caller, name: str) -> None:
        path = f"/.well-known/oauth-protected-resource/apis/team-b/{name}"
        status, headers, body = await call("GET", path)
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert orjson.loads(body) == {
            "resource": f"{ISSUER}/apis/team-b/{name}",
            "authorization_servers": [ISSUER],
            "bearer_methods_supported": ["header"],
        }
        assert (await call("HEAD", path))[0::2] == (200, b"")
        assert (await call("POST", path))[0] == 405

    @pytest.mark.parametrize("rest", ["", "team-b", "team-b/", "team-b/Orders", "team-b/orders/x", "../x", "a/%2e"])
    async def test_nothing_else_is(self, call: Caller, rest: str) -> None:
        assert (await call("GET", f"/.well-known/oauth-protected-resource/apis/{rest}"))[0] == 404

    async def test_an_issuer_with_a_path(self) -> None:
        world = World(issuer="https://example.com/auth")
        async with calling(world) as call:
            for path in (
                "/.well-known/oauth-protected-resource/apis/team-b/orders",
                "/.well-known/oauth-protected-resource/auth/apis/team-b/orders",
            ):
                status, _, body = await call("GET", path)
                assert status == 200
                assert orjson.loads(body)["resource"] == "https://example.com/auth/apis/team-b/orders"


class TestMetrics:
    async def test_calls_by_api_and_last_uses(self, world: World, call: Caller) -> None:
        await call.check(good(world), PATH)
        await call.check(None, PATH)
        await call.check(None, "/authz/team-b/absent")
        text = (await call("GET", "/metrics"))[2].decode()
        for line in (
            'apiclient_gate_checks_total{handler="authz",reason="accepted",verdict="allow"} 1.0',
            'apiclient_gate_checks_total{handler="authz",reason="no_credentials",verdict="deny"} 2.0',
            'apiclient_gate_api_calls_total{api="orders",api_namespace="team-b",verdict="allow"} 1.0',
            'apiclient_gate_api_calls_total{api="orders",api_namespace="team-b",verdict="deny"} 1.0',
            'contract_last_use_timestamp_seconds{contract="billing-orders",contract_namespace="team-a"} 1.8e+09',
        ):
            assert line in text, text
        assert "absent" not in text
        assert not labels_in(text) & SCRAPERS

    async def test_series_go_with_their_objects(self, world: World, call: Caller) -> None:
        await call.check(good(world), PATH)
        world.tell("contract", contract_object(in_force="gold"))  # the same contract, edited
        assert "contract_last_use_timestamp_seconds{" in (await call("GET", "/metrics"))[2].decode()
        world.gone("contract", *CONTRACT)
        text = (await call("GET", "/metrics"))[2].decode()
        assert "contract_last_use_timestamp_seconds{" not in text
        assert "api_calls_total{" in text
        world.gone("api", *API)
        assert "api_calls_total{" not in (await call("GET", "/metrics"))[2].decode()
        assert world.access.known() == []
