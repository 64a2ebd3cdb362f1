"""The credentials Secret: the one object that holds a secret, and nothing of it anywhere else."""

from __future__ import annotations

import base64
import json

import pytest

from apiclients.lifecycle.manifest import metadata_right, new_secret_object, secret_object
from apiclients.lifecycle.template import TemplateKeys
from apiclients.resources.apiclient import SecretTemplate
from apiclients.resources.names import CREDENTIAL_ANNOTATION
from tests.lifecycle.stored_secret import ISSUER
from tests.lifecycle.world import World, available


def live(world: World) -> dict[str, object]:
    secret: dict[str, object] = world.secrets["billing-credentials"]
    return secret


def test_a_secret_holds_all_that_a_program_needs_to_log_in() -> None:
    world = available()
    data = {
        key: base64.b64decode(value).decode() for key, value in world.secrets["billing-credentials"]["data"].items()
    }
    assert data == {
        "client-id": "team-a.billing.11111111",
        "client-secret": "secret-1",
        "issuer": "https://tokens.example.com",
        "token-endpoint": "https://tokens.example.com/token",
    }
    assert live(world)["type"] == "apiclients.dev/credentials"


@pytest.mark.rule(22)
def test_a_secret_is_owned_by_its_client_so_that_it_goes_with_it() -> None:
    (owner,) = available().secrets["billing-credentials"]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
        "ApiClient",
        "billing",
        "11111111-aaaa",
        True,
    )


@pytest.mark.rule(21)
def test_a_changed_template_or_issuer_is_applied_around_the_same_bytes() -> None:
    world = available().edit(secret__template={"labels": {"tier": "gold"}, "annotations": {"note": "x"}})
    world.settle()
    meta = world.secrets["billing-credentials"]["metadata"]
    assert meta["labels"] == {"tier": "gold", "app.kubernetes.io/managed-by": "apiclient-operator"}
    assert meta["annotations"]["note"] == "x"
    assert world.issued == [world.secret_bytes()]
    world.edit(secret__template=None).settle()
    assert "tier" not in world.secrets["billing-credentials"]["metadata"]["labels"]
    assert len(world.issued) == 1


@pytest.mark.rule(21)
def test_what_others_add_to_the_metadata_is_left_alone() -> None:
    world = available()
    world.secrets["billing-credentials"]["metadata"]["labels"]["theirs"] = "x"
    world.edit_secret().settle()
    assert len(world.steps) > 1
    assert world.secrets["billing-credentials"]["metadata"]["labels"]["theirs"] == "x"
    steps = len(world.steps)
    world.settle()
    assert len(world.steps) == steps


@pytest.mark.rule(6)
@pytest.mark.parametrize("key", ["apiclients.dev/credential", "apiclients.dev/applied"])
def test_a_template_cannot_take_over_what_the_operator_writes(key: str) -> None:
    """Also where the operator allows any key."""
    world = World(template_keys=TemplateKeys(("*",)))
    world.edit(secret__template={"annotations": {key: "x"}, "labels": {"app.kubernetes.io/managed-by": "me"}})
    world.settle()
    assert world.told("Ready") == "True/Available"
    assert world.secrets["billing-credentials"]["metadata"]["annotations"][key] != "x"
    steps = len(world.steps)
    world.settle()
    assert len(world.steps) == steps


@pytest.mark.rule(23)
def test_the_secret_stands_in_the_data_of_the_secret_and_nowhere_else() -> None:
    world = available()
    secret = world.secrets["billing-credentials"]
    for text in (json.dumps(world.status), json.dumps(secret["metadata"]), repr(world.steps), repr(world.observe())):
        assert "secret-1" not in text
        assert base64.b64encode(b"secret-1").decode() not in text
        assert b"secret-1".hex() not in text


@pytest.mark.rule(23)
def test_what_was_read_of_a_secret_does_not_show_its_digests_when_printed() -> None:
    world = available()
    digest = world.typed_status.credentials[0].digest
    assert digest not in repr(world._read("billing-credentials"))


def test_a_created_secret_differs_from_an_applied_one_only_by_the_template() -> None:
    world = available()
    stamp = world.steps[0].stamp  # type: ignore[union-attr]
    rest = ("n", stamp, b"s", world.peppers[0])
    template = SecretTemplate(labels={"tier": "gold"})
    created = new_secret_object(world.client(), ISSUER, *rest)
    assert created == secret_object(world.client(), ISSUER, SecretTemplate(), *rest)
    applied = secret_object(world.client(), ISSUER, template, *rest)
    assert "tier" not in created["metadata"]["labels"]
    assert applied["metadata"]["labels"]["tier"] == "gold"
    assert (
        created["metadata"]["annotations"][CREDENTIAL_ANNOTATION]
        == applied["metadata"]["annotations"][CREDENTIAL_ANNOTATION]
    )


@pytest.mark.rule(21)
def test_metadata_of_a_settled_secret_is_right_without_reading_its_bytes() -> None:
    world = available(secret__template={"labels": {"tier": "gold"}})
    observed = world.observe()
    assert metadata_right(world.client(), ISSUER, observed.template, observed.secret)  # type: ignore[arg-type]
    steps = len(world.steps)
    world.settle()
    assert len(world.steps) == steps
