"""Fetching from other parties: hostile servers cost a bounded time and size, and what they say is told to nobody."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apiclients.controllers import https
from apiclients.controllers.https import MAX_BYTES, FetchError, fetch, is_local
from apiclients.controllers.issuer_keys import IssuerKeys
from apiclients.kube.errors import NotFoundError
from apiclients.lifecycle.issuers import Fetched, FetchedKeys, FetchFailed
from apiclients.resources.objects import TokenIssuer
from tests.toolkit.issuer import AUDIENCE, Documents, ForeignIssuer, served

pytestmark = pytest.mark.rule(31)

ISSUER = ForeignIssuer()
MARKER = b"marker-of-the-body"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Documents]]:
    with served(tmp_path_factory.mktemp("server")) as found:
        found[2].answers["/good"] = ISSUER.jwks()
        yield found


@pytest.fixture
def get(server: tuple[str, str, Documents]) -> Callable[..., Any]:
    place, authority, _ = server

    async def ask(path: str, *, allow_local: bool = True, trust: str | None = authority, at: str = place) -> bytes:
        return await fetch(f"{at}{path}", trust, allow_local=allow_local)

    return ask


async def test_a_document_is_fetched(get: Callable[..., Any]) -> None:
    assert json.loads(await get("/good")) == ISSUER.jwks()


def huge(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    for _ in range(MAX_BYTES // 4096 * 4):
        handler.wfile.write(b"x" * 4096)


def slow(handler: Any) -> None:
    """One byte after the other, for longer than anybody waits."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def silent(_: Any) -> None:
    time.sleep(5)


def redirect(handler: Any) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/good")
    handler.end_headers()


def html(handler: Any) -> None:
    handler.answer(MARKER, "text/html")


def failing(handler: Any) -> None:
    handler.answer(MARKER, status=500)


def cut(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(MARKER)


def no_http(handler: Any) -> None:
    handler.wfile.write(MARKER + b"\r\n\r\n")


HOSTILE = {
    "huge": (huge, f"answers with more than {MAX_BYTES} bytes"),
    "slow": (slow, "took longer than 1s"),
    "silent": (silent, "took longer than 1s"),
    "redirect": (redirect, "answers with a redirect (302), which is not followed"),
    "html": (html, "answers with something else than JSON (Content-Type)"),
    "failing": (failing, "answers 500"),
    "cut": (cut, "broke off, or is no HTTP"),
    "no_http": (no_http, "broke off, or is no HTTP"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_answers(
    name: str, get: Callable[..., Any], server: tuple[str, str, Documents], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "TOTAL_SECONDS", 1.0)
    answer, why = HOSTILE[name]
    server[2].answers[f"/{name}"] = answer
    with pytest.raises(FetchError) as refused:
        await get(f"/{name}")
    assert str(refused.value) == why


async def test_a_redirect_leads_nowhere(get: Callable[..., Any], server: tuple[str, str, Documents]) -> None:
    server[2].answers["/moved"] = redirect
    server[2].asked.clear()
    with pytest.raises(FetchError):
        await get("/moved")
    assert server[2].asked == ["/moved"]


async def test_only_trusted_certificates_for_that_very_name(
    get: Callable[..., Any], server: tuple[str, str, Documents]
) -> None:
    with pytest.raises(FetchError, match="certificate that is not trusted"):
        await get("/good", trust=None)
    with pytest.raises(FetchError, match="certificate that is not trusted"):
        await get("/good", at=server[0].replace("localhost", "127.0.0.1"))
    with pytest.raises(FetchError, match="no certificate in PEM"):
        await get("/good", trust="nonsense")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_names_and_numbers_do_not_lead_into_this_machine(
    host: str, get: Callable[..., Any], server: tuple[str, str, Documents]
) -> None:
    server[2].asked.clear()
    with pytest.raises(FetchError, match="leads to an address of this machine"):
        await get("/good", allow_local=False, at=server[0].replace("localhost", host))
    assert server[2].asked == []


async def test_what_is_not_there(get: Callable[..., Any]) -> None:
    with pytest.raises(FetchError, match="cannot be reached"):
        await get("/good", at="https://localhost:1")
    with pytest.raises(FetchError, match="cannot be resolved"):
        await get("/good", at="https://nowhere.invalid")
    with pytest.raises(FetchError, match="no https"):
        await get("/good", at="http://localhost")


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("169.254.169.254", True),
        ("fe80::1", True),
        ("fe80::1%eth0", True),
        ("fd00:ec2::254", True),
        ("0.0.0.0", True),
        ("::", True),
        ("224.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:169.254.169.254", True),
        ("2002:7f00:1::", True),
        ("10.0.0.1", False),
        ("192.168.1.1", False),
        ("8.8.8.8", False),
        ("2001:4860:4860::8888", False),
        ("fd12:3456::1", False),
    ],
)
def test_which_addresses_are_of_this_machine(address: str, local: bool) -> None:
    assert is_local(address) is local


# What one try for a TokenIssuer comes to


class Kube:
    """ConfigMaps of the operator's namespace, and what the API server publishes."""

    def __init__(self, **config_maps: dict[str, str]) -> None:
        self.config_maps = config_maps
        self.documents: dict[str, Any] = {}

    async def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        assert (resource.kind, namespace) == ("ConfigMap", "apiclients-system")
        if name not in self.config_maps:
            raise NotFoundError(404, "NotFound", "not there")
        return {"data": self.config_maps[name]}

    async def get_document(self, path: str) -> bytes:
        return json.dumps(self.documents[path]).encode()


def issuer(**spec: Any) -> TokenIssuer:
    body = {"issuer": ISSUER.name, "audiences": [AUDIENCE], **spec}
    return TokenIssuer.from_object({"metadata": {"name": "kc", "uid": "u"}, "spec": body, "status": {}})


async def attempt(kube: Kube, **spec: Any) -> Fetched:
    keys = IssuerKeys(kube, "apiclients-system", lambda: datetime(2026, 3, 1, tzinfo=UTC), allow_local=True)  # type: ignore[arg-type]
    return await keys.fetch(issuer(**spec))


def kids(found: Fetched) -> list[str]:
    assert isinstance(found, FetchedKeys), found
    return [key.kid for key in found.keys]


def failure(found: Fetched) -> str:
    assert isinstance(found, FetchFailed), found
    return found.message


async def test_keys_in_a_config_map() -> None:
    place = {"configMap": {"name": "kc", "key": "jwks.json"}}
    assert kids(await attempt(Kube(kc={"jwks.json": json.dumps(ISSUER.jwks())}), keys=place)) == ["first"]
    assert "There is no ConfigMap kc" in failure(await attempt(Kube(), keys=place))
    assert "has no key jwks.json" in failure(await attempt(Kube(kc={"other": "x"}), keys=place))
    refused = failure(await attempt(Kube(kc={"jwks.json": MARKER.decode()}), keys=place))
    assert "is not JSON" in refused
    assert MARKER.decode() not in refused


async def test_keys_by_discovery_and_metadata_of_another_issuer(server: tuple[str, str, Documents]) -> None:
    place, authority, documents = server
    trust = {"certificateAuthority": {"configMap": {"name": "ca", "key": "ca.crt"}}}
    kube = Kube(ca={"ca.crt": authority})
    documents.answers["/metadata"] = {"issuer": ISSUER.name, "jwks_uri": f"{place}/good"}
    found = await attempt(kube, keys={"discoveryURL": f"{place}/metadata"}, **trust)
    assert kids(found) == ["first"]
    assert isinstance(found, FetchedKeys)
    assert (found.source, found.issuer) == (f"discovery {place}/metadata", ISSUER.name)
    documents.answers["/metadata"] = {"issuer": "https://other.example.com", "jwks_uri": f"{place}/good"}
    documents.asked.clear()
    refused = failure(await attempt(kube, keys={"discoveryURL": f"{place}/metadata"}, **trust))
    assert "of another issuer than spec.issuer" in refused
    assert "other.example.com" not in refused
    assert documents.asked == ["/metadata"], "its keys are not looked for"
    documents.answers["/metadata"] = {"issuer": ISSUER.name, "jwks_uri": "http://localhost/keys"}
    assert "no https:// URL" in failure(await attempt(kube, keys={"discoveryURL": f"{place}/metadata"}, **trust))
    assert kids(await attempt(kube, keys={"jwksURL": f"{place}/good"}, **trust)) == ["first"]
    assert "There is no ConfigMap ca" in failure(await attempt(Kube(), keys={"jwksURL": f"{place}/good"}, **trust))


async def test_keys_of_the_cluster() -> None:
    kube = Kube()
    kube.documents["/.well-known/openid-configuration"] = {
        "issuer": "https://k8s",
        "jwks_uri": "https://elsewhere/jwks",
    }
    kube.documents["/openid/v1/jwks"] = ISSUER.jwks()
    found = await attempt(kube, keys={"cluster": {}})
    assert kids(found) == ["first"]
    assert isinstance(found, FetchedKeys)
    assert found.issuer == "https://k8s"


async def test_many_at_once_wait_for_none_that_hangs(
    get: Callable[..., Any], server: tuple[str, str, Documents], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "TOTAL_SECONDS", 2.0)
    server[2].answers["/silent"] = silent
    hanging = [asyncio.create_task(get("/silent")) for _ in range(5)]
    assert json.loads(await get("/good")) == ISSUER.jwks()
    assert not any(task.done() for task in hanging)
    for result in await asyncio.gather(*hanging, return_exceptions=True):
        assert isinstance(result, FetchError)


def test_the_certificate_of_the_tests_is_made_anew(tmp_path: Path) -> None:
    with served(tmp_path) as (place, authority, _):
        assert place.startswith("https://localhost:")
        assert "BEGIN CERTIFICATE" in authority
