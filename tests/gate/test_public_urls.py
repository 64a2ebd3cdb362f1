"""``Api.spec.publicURL``: what strict clients and other verifiers go by, and whose it is."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from apiclients.lifecycle.api_view import api_view
from apiclients.lifecycle.public_urls import claim
from apiclients.resources.objects import Api
from tests.gate.objects import API, api_object, contract_object
from tests.gate.support import FORM, ISSUER, START, Caller, World

URL = "https://api.example.com/orders"
AUDIENCE = f"{ISSUER}/apis/team-b/orders"
METADATA = "/.well-known/oauth-protected-resource/apis/team-b/orders"
PATH = "/authz/team-b/orders"


@pytest.fixture
def world() -> World:
    found = World()
    found.tell("api", api_object(public_url=URL, created=START - 100))
    found.tell("contract", contract_object())
    return found


def audience(world: World, body: dict[str, Any]) -> Any:
    assert world.keys.verifier is not None
    return world.keys.verifier.verify(body["access_token"].encode()).audience


async def resource(call: Caller, path: str = METADATA) -> Any:
    return orjson.loads((await call("GET", path))[2])["resource"]


async def test_a_client_that_starts_from_the_url(world: World, call: Caller) -> None:
    """RFC 9728 section 5, then RFC 8707."""
    status, headers = await call.check(None, PATH)
    assert (status, headers["WWW-Authenticate"]) == (
        401,
        f'Bearer realm="apiclients", resource_metadata="{ISSUER}{METADATA}"',
    )
    assert await resource(call) == URL, "it is what the client has called"
    status, _, body = await call.token(FORM | {"resource": URL})
    assert (status, audience(world, body)) == (200, (AUDIENCE, URL))
    assert (await call.check(body["access_token"], PATH))[0] == 200


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([], (ISSUER, AUDIENCE, URL)),
        ([AUDIENCE], (AUDIENCE, URL)),
        ([URL, AUDIENCE], (AUDIENCE, URL)),
        ([ISSUER, URL], (ISSUER, AUDIENCE, URL)),
    ],
)
async def test_tokens_for_the_api_name_it(
    world: World, call: Caller, resources: list[str], expected: tuple[str, ...]
) -> None:
    _, _, body = await call.token([*FORM.items(), *(("resource", one) for one in resources)])
    assert audience(world, body) == expected


@pytest.mark.rule(20)
async def test_introspection_tells_the_provider_both(world: World, call: Caller) -> None:
    """Whoever verifies an answer may check either, as with the token itself."""
    world.put(name="provider", namespace="team-b", uid="22222222-0000-4000-8000-000000000001")
    _, _, body = await call.token(FORM | {"resource": URL})
    told = (await call.introspect(body["access_token"], client="team-b.provider.22222222"))[1]
    assert told["aud"] == [AUDIENCE, URL]
    _, body = await call.introspect(world.token(aud=[ISSUER, AUDIENCE]), client="team-b.provider.22222222")
    assert body["aud"] == AUDIENCE, "a token from before the URL does not name it"


async def test_only_the_whole_url_is_its_resource(call: Caller) -> None:
    for other in (f"{URL}/", f"{URL}/v1", "https://api.example.com", URL.upper()):
        status, _, body = await call.token(FORM | {"resource": other})
        assert (status, body["error"]) == (400, "invalid_target")


@pytest.mark.rule(1)
async def test_the_url_of_an_api_is_not_to_be_had_by_another(
    world: World, call: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a contract with one of them would give tokens that verifiers of the other take."""
    other = ("team-c", "copy")
    world.tell("api", api_object(other, public_url=URL, created=START - 50))
    world.tell("contract", contract_object(("team-a", "billing-copy"), uid="copy", api=other))
    assert "publicURL of api team-c/copy belongs to the issuer or to an older Api" in caplog.text
    _, _, body = await call.token(FORM | {"resource": f"{ISSUER}/apis/team-c/copy"})
    assert audience(world, body) == f"{ISSUER}/apis/team-c/copy"
    _, _, body = await call.token(FORM | {"resource": URL})
    assert audience(world, body) == (AUDIENCE, URL)
    world.gone("contract", "team-a", "billing-orders")
    assert (await call.token(FORM | {"resource": URL}))[0] == 400
    world.gone("api", *API)
    _, _, body = await call.token(FORM | {"resource": URL})
    assert audience(world, body) == (f"{ISSUER}/apis/team-c/copy", URL), "it is free again"


async def test_it_follows_the_spec(world: World, call: Caller) -> None:
    world.tell("api", api_object(public_url=f"{URL}/v2", created=START - 100))
    assert await resource(call) == f"{URL}/v2"
    assert (await call.token(FORM | {"resource": URL}))[0] == 400
    world.tell("api", api_object(created=START - 100))
    assert await resource(call) == AUDIENCE
    assert "resource_metadata" not in (await call.check(None, PATH))[1]["WWW-Authenticate"]


@pytest.mark.rule(1)
@pytest.mark.parametrize("url", [ISSUER, f"{ISSUER}/", AUDIENCE, f"{ISSUER}/apis/team-a/x"])
async def test_the_audiences_of_the_gate_are_nobodys(world: World, call: Caller, url: str) -> None:
    world.tell("api", api_object(public_url=url, created=START - 100))
    _, _, body = await call.token(FORM | {"resource": AUDIENCE})
    assert audience(world, body) == AUDIENCE
    assert (await call.check(body["access_token"]))[0] == 401


def test_the_oldest_claim_counts() -> None:
    def claimed(namespace: str, created: float) -> Any:
        body = api_object((namespace, "orders"), public_url=URL, created=created)
        body["metadata"]["resourceVersion"] = "1"
        return claim(api_view(Api.from_object(body)), ISSUER)

    assert claimed("b", START) < claimed("a", START + 1), "age goes before"
    assert claimed("a", START) < claimed("b", START), "and then the name"
