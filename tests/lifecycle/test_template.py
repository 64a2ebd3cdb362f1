"""Which labels and annotations of a template get onto the Secret, and what is told of the others."""

from __future__ import annotations

from typing import Any

import pytest

from apiclients.lifecycle.template import (
    DEFAULT_TEMPLATE_KEYS,
    TemplateKeys,
    key_problem,
    no_keys,
    permitted,
    refusal,
    refused,
)
from apiclients.resources.apiclient import SecretTemplate
from tests.lifecycle.world import DAY, World, available

pytestmark = pytest.mark.rule(6)

#: Keys that other controllers obey: they copy the Secret elsewhere, or take it for their own.
OBEYED = [
    "argocd.argoproj.io/secret-type",
    "app.kubernetes.io/instance",
    "reflector.v1.k8s.emberstack.com/reflection-auto-enabled",
    "replicator.v1.mittwald.de/replicate-to",
    "kubed.appscode.com/sync",
    "jenkins.io/credentials-type",
    "sealedsecrets.bitnami.com/managed",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.sh/hook",
    "grafana_datasource",
    "owner",
    "apiclients.dev/credential",
    "app.kubernetes.io/managed-by",
]
COPIED = {"annotations": {"kubed.appscode.com/sync": "", "note": "n"}, "labels": {"owner": "helm", "team": "a"}}


def metadata(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.secrets["billing-credentials"]["metadata"]
    return found


@pytest.mark.parametrize("key", OBEYED)
def test_what_other_controllers_obey_is_not_allowed_by_default(key: str) -> None:
    assert not DEFAULT_TEMPLATE_KEYS.allow(key)


@pytest.mark.parametrize(
    ("patterns", "key", "allowed"),
    [
        (("team",), "team", True),
        (("team",), "team-a", False),
        (("team",), "example.com/team", False),
        (("example.com/*",), "example.com/team", True),
        (("example.com/*",), "example.com.evil.org/team", False),
        (("example.com/*",), "example.com", False),
        (("*",), "anything/at-all", True),
        ((), "team", False),
    ],
)
def test_patterns(patterns: tuple[str, ...], key: str, allowed: bool) -> None:
    assert TemplateKeys(patterns).allow(key) is allowed


def test_a_template_is_cut_to_what_is_allowed() -> None:
    template = SecretTemplate.model_validate(COPIED)
    assert refused(template, DEFAULT_TEMPLATE_KEYS) == ("kubed.appscode.com/sync", "owner")
    left = permitted(template, DEFAULT_TEMPLATE_KEYS)
    assert (left.labels, left.annotations) == ({"team": "a"}, {"note": "n"})
    assert permitted(left, DEFAULT_TEMPLATE_KEYS) is left


def test_a_refusal_names_a_few() -> None:
    told = refusal(SecretTemplate(labels={f"x{number}": "" for number in range(9)}), TemplateKeys(()))
    assert told is not None
    assert told.startswith("spec.secret.template may not set x0, x1, x2, x3, x4 and 4 more")
    assert "--secret-template-keys" in told


@pytest.mark.rule(24)
def test_a_refused_key_is_told_and_hinders_nothing() -> None:
    world = World().edit(secret__template=COPIED)
    world.settle()
    assert (world.told("Stalled"), world.told("Active")) == ("True/TemplateRefused", "True/Available")
    stalled = world.condition("Stalled")
    assert stalled is not None
    assert "kubed.appscode.com/sync, owner" in stalled.message
    assert (metadata(world)["labels"].get("owner"), metadata(world)["labels"]["team"]) == (None, "a")
    assert "kubed.appscode.com/sync" not in metadata(world)["annotations"]
    world.wait(80 * DAY).settle()
    assert world.credential_ids == [2, 1], "it rotates all the same"
    steps = len(world.steps)
    world.settle()
    assert len(world.steps) == steps
    world.edit(secret__template={"labels": {"team": "a"}}).settle()
    assert world.told("Ready") == "True/Available"


def test_what_was_on_the_secret_before_goes_when_it_is_no_longer_allowed() -> None:
    world = World(template_keys=TemplateKeys(("*",))).edit(secret__template=COPIED)
    world.settle()
    assert metadata(world)["labels"]["owner"] == "helm"
    world.template_keys = DEFAULT_TEMPLATE_KEYS
    world.settle()
    assert "owner" not in metadata(world)["labels"]
    assert len(world.issued) == 1


def test_of_a_retired_client_nothing_is_told() -> None:
    world = available().desire("Retired").edit(secret__template=COPIED)
    world.settle()
    assert (world.told("Ready"), world.told("Stalled")) == ("True/Retired", "-")


# What is no key at all.


@pytest.mark.parametrize(
    "key",
    ["team", "Team_1", "example.com/team", "example.com/a.b-c", "a" * 63, f"{'a' * 63}.b/{'c' * 63}", "1/2"],
)
def test_keys_that_the_api_server_takes(key: str) -> None:
    assert no_keys(SecretTemplate(labels={key: ""}, annotations={key: ""})) == ()


@pytest.mark.parametrize(
    "key",
    [
        "",
        "te am",
        "-team",
        "team-",
        "a" * 64,
        "a/b/c",
        "/team",
        "example.com/",
        "example..com/team",
        "-a.b/c",
        "t\u00e9",
        "a\n",
    ],
)
def test_keys_that_it_refuses(key: str) -> None:
    assert no_keys(SecretTemplate(labels={key: ""})) == (key,)
    assert no_keys(SecretTemplate(annotations={key: ""})) == (key,)


def test_only_annotations_may_have_upper_case_before_the_slash() -> None:
    assert no_keys(SecretTemplate(labels={"Example.com/team": ""})) == ("Example.com/team",)
    assert no_keys(SecretTemplate(annotations={"Example.com/team": ""})) == ()


@pytest.mark.rule(24)
def test_what_is_no_key_is_told_and_hinders_no_rotation() -> None:
    world = World(template_keys=TemplateKeys(("*",)))
    world.edit(secret__template={"labels": {"te am": "a", "tier": "gold"}, "annotations": {"a/b/c": ""}}).settle()
    assert (world.told("Stalled"), world.told("Active")) == ("True/InvalidSpec", "True/Available")
    stalled = world.condition("Stalled")
    assert stalled is not None
    assert "spec.secret.template has 'a/b/c', 'te am'" in stalled.message
    world.wait(80 * DAY).settle()
    assert world.credential_ids == [2, 1], "it rotates all the same"
    assert metadata(world)["labels"].get("tier") == "gold"
    assert key_problem(SecretTemplate(labels={"tier": "gold"})) is None
