"""Nothing that is a secret, or looks like one, gets into a report."""

import base64
import json
import secrets
from typing import Any

import pytest

from apiclients.cli.screens.redact import REDACTED, redact, redact_object, redact_text

SECRET = "kJ3-vQ9_xR2mZ7pL4tW8yB1nC6sD0fGhAeUiOqPwXyZ"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ0ZWFtLWEifQ.c2lnbmF0dXJlc2lnbmF0dXJl"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqG\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"the key is {SECRET}, sorry",
        base64.b64encode(SECRET.encode()).decode(),
        JWT,
        f"curl -H 'Authorization: Bearer {JWT}'",
        PEM,
        "0123456789abcdef" * 4,
        "https://user:hunter2canary@example.com/x",
        "password=hunter2canary",
        "client-secret: hunter2canary",
        'API_KEY = "hunter2canary"',
        "Basic dXNlcjpodW50ZXIy",
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str) -> None:
    cleaned = redact_text(text)
    assert REDACTED in cleaned
    for secret in (SECRET, JWT, "MIGHAgEAMBMGByqGSM49", "hunter2canary", "0123456789abcdef" * 4, "dXNlcjpodW50ZXIy"):
        assert secret not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "The client is available: its tokens are accepted and new ones are issued.",
        "The current secret is valid until 2027-02-20T19:16:33Z.",
        "1a2b3c4d-0000-4000-8000-000000000001",
        "team-a.billing-1.0.1a2b3c4d",
        "apiclients.dev/applied-resource-version",
        "ValidatingAdmissionPolicyBinding",
        "AcknowledgementRequired",
        "registry.example.com/apiclient-operator@sha256:" + "ab12" * 16,
        "apiclient-gate-7d9f8b6c5d-x2x4z",
        "/apis/apiclients.dev/v1alpha1/namespaces/team-a/apiclients",
        "spec.secret.renewBefore (336h) must be less than spec.secret.lifetime (1h)",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.rule(23)
def test_real_secrets_never_pass() -> None:
    for _ in range(20_000):
        text = secrets.token_urlsafe(32)
        assert text not in redact_text(f"x={text};"), text


@pytest.mark.rule(23)
def test_a_canary_in_every_place_of_an_object_is_taken_out() -> None:
    """The canary looks like a secret of ours; short ones stand where names of fields tell that they are secrets."""
    obj: dict[str, Any] = {
        "kind": "Pod",
        "metadata": {
            "name": "x",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": '{"spec": "canary-plain"}',
                "apiclients.dev/credential": '{"mac": "canary-plain"}',
                "note": f"it was {SECRET}",
            },
            "managedFields": [{"manager": "canary-plain"}],
        },
        "spec": {
            "containers": [
                {
                    "env": [{"name": "PASSWORD", "value": "canary-plain"}, "canary-plain"],
                    "args": ["--token=canary-plain", SECRET],
                    "command": ["sh", "-c", f"echo {SECRET}"],
                }
            ],
            "password": "canary-plain",
            "clientSecret": "canary-plain",
        },
        "status": {
            "credentials": [{"digest": "canary-plain", "pepper": "canary-plain", "id": 1}],
            "conditions": [{"message": f"cannot use {SECRET}"}, {"message": PEM}],
        },
    }
    text = json.dumps(redact_object(obj))
    assert "canary-plain" not in text
    assert SECRET not in text
    assert "MIGHAgEA" not in text
    assert "PASSWORD" in text


@pytest.mark.rule(23)
def test_nothing_of_a_secret_object_stays() -> None:
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "b"}}
    assert redact_object(obj) == {"apiVersion": "v1", "kind": "Secret"}


def test_redacting_twice_is_as_once() -> None:
    value = {"a": [SECRET, {"token": "x", "n": 5, "ok": None}], "b": JWT}
    assert redact(redact(value)) == redact(value)
