"""What is asked of a program, and what it has to answer: the same of every library."""

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.interop.dialogue import Dialogue
from tests.interop.scene import CONSUMER, SCOPE, Scene
from tests.toolkit.waiting import eventually

Step = Callable[[Scene, Dialogue], None]


def finds_the_token_endpoint(scene: Scene, program: Dialogue) -> None:
    """RFC 8414, or OpenID Connect Discovery."""
    assert program.ask("metadata") == scene.client.token_endpoint


def gets_a_token_by_basic(scene: Scene, program: Dialogue) -> None:
    """RFC 6749 section 2.3.1."""
    _is_for_all(scene, program.token("basic", scene.client.client_secret))


def gets_a_token_by_form(scene: Scene, program: Dialogue) -> None:
    """The same section; Java and Go libraries try one after the other."""
    _is_for_all(scene, program.token("form", scene.client.client_secret))


def gets_a_token_for_one_api(scene: Scene, program: Dialogue) -> None:
    """RFC 8707, and the scope of RFC 6749 section 3.3."""
    claims = _claims(program.token("basic", scene.client.client_secret, resource=scene.resource, scope=SCOPE))
    assert claims["aud"] == [scene.resource, scene.api_url]
    assert claims["scope"] == SCOPE


def is_told_the_error(scene: Scene, program: Dialogue) -> None:
    """RFC 6749 section 5.2 and RFC 8707 section 2, whatever of challenge and status goes with them."""
    right = scene.client.client_secret
    assert program.token("basic", "wrong") == "invalid_client"
    assert program.token("form", "wrong") == "invalid_client"
    assert program.token("basic", right, resource=scene.resource, scope="orders.burn") == "invalid_scope"
    assert program.token("basic", right, resource=f"{scene.resource}-of-others") == "invalid_target"


def is_refused_while_suspended(scene: Scene, program: Dialogue) -> None:
    """And with the same token served afterwards: the program asks for none."""
    assert program.ask("call") == "200"
    with scene.suspension():
        eventually("the suspended client is refused", lambda: program.ask("call") == "401")
        assert program.token("basic", scene.client.client_secret) == "invalid_client"
    eventually("the resumed client is served", lambda: program.ask("call") == "200")


def verifies_a_token(scene: Scene, program: Dialogue) -> None:
    """Signature by JWKS (RFC 7517), type, issuer, audience."""
    assert program.ask("verify", scene.token(scene.resource)) == scene.client.client_id


def refuses_other_tokens(scene: Scene, program: Dialogue) -> None:
    """Changed, signed by nobody, or meant for somebody else."""
    good = scene.token(scene.resource)
    for bad in (_changed(good), _unsigned(good), scene.token(scene.stage.issuer)):
        assert program.ask("verify", bad) == "refused"


def introspects(scene: Scene, program: Dialogue) -> None:
    """RFC 7662, with the credentials of the API's own client: what is told follows a suspension."""
    token = scene.token(scene.resource)
    assert program.ask("introspect", token) == "true"
    assert program.ask("introspect", _changed(token)) == "false"
    with scene.suspension():
        eventually("the token is told to be dead", lambda: program.ask("introspect", token) == "false")
    eventually("the token is told to live", lambda: program.ask("introspect", token) == "true")


def goes_from_the_api_to_its_issuer(scene: Scene, program: Dialogue) -> None:
    """RFC 9728."""
    assert program.ask("from-api") == scene.stage.issuer


def gets_a_token_by_its_own_key(scene: Scene, program: Dialogue) -> None:
    """private_key_jwt (RFC 7523 section 2.2): a client without a secret."""
    _is_of_a_client_without_secret(scene, program.ask("key", scene.stage.issuer), "keyed")
    assert program.ask("key", f"{scene.stage.issuer}/token") == "invalid_client", "the issuer is the only audience"


def gets_a_token_by_its_service_account(scene: Scene, program: Dialogue) -> None:
    """The same with what the kubelet puts into a pod, as often as it likes."""
    for _ in range(2):
        _is_of_a_client_without_secret(scene, program.ask("token"), "pod")
    assert program.ask("call") == "200"


def offers_an_upgrade(scene: Scene, program: Dialogue) -> None:
    """HTTP/2 in clear text is offered with the request (RFC 9110 section 7.8), and answered in HTTP/1.1."""
    assert program.ask("cleartext") == "200 HTTP_1_1"


DISCOVERY: tuple[Step, ...] = (finds_the_token_endpoint,)
CLIENT: tuple[Step, ...] = (
    gets_a_token_by_basic,
    gets_a_token_by_form,
    gets_a_token_for_one_api,
    is_told_the_error,
    is_refused_while_suspended,
)
VERIFIER: tuple[Step, ...] = (verifies_a_token, refuses_other_tokens)
INTROSPECTION: tuple[Step, ...] = (introspects,)
FROM_API: tuple[Step, ...] = (goes_from_the_api_to_its_issuer,)
CLEARTEXT: tuple[Step, ...] = (offers_an_upgrade,)
KEY: tuple[Step, ...] = (gets_a_token_by_its_own_key,)
POD: tuple[Step, ...] = (gets_a_token_by_its_service_account,)
ALL = (*DISCOVERY, *CLIENT, *VERIFIER, *INTROSPECTION, *FROM_API, *CLEARTEXT, *KEY, *POD)


def _is_of_a_client_without_secret(scene: Scene, token: str, name: str) -> None:
    claims = _claims(token)
    assert claims["client_id"].startswith(f"{CONSUMER}.{name}.")
    assert claims["aud"] == [scene.resource, scene.api_url]


def _is_for_all(scene: Scene, token: str) -> None:
    assert set(_claims(token)["aud"]) == {scene.stage.issuer, scene.resource, scene.api_url}


def _claims(token: str) -> dict[str, Any]:
    assert token.count(".") == 2, f"no token, but {token}"
    found: dict[str, Any] = json.loads(_decoded(token.split(".")[1]))
    return found


def _changed(token: str) -> str:
    """The same with another client in it."""
    head, payload, signature = token.split(".")
    claims = json.loads(_decoded(payload)) | {"client_id": "consumer.other.12345678"}
    return ".".join((head, _encoded(json.dumps(claims).encode()), signature))


def _unsigned(token: str) -> str:
    """The same with the algorithm ``none`` (RFC 8725 section 2.1)."""
    payload = token.split(".")[1]
    return f"{_encoded(json.dumps({'alg': 'none', 'typ': 'at+jwt'}).encode())}.{payload}."


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
