"""The form of a manifest, judged as the API server judges it. ``tests/cluster/test_accepted.py`` asks it."""

from typing import Any

import pytest

from apiclients.plan.schema_check import check

META = {"name": "billing", "namespace": "team-a"}


def refused(kind: str, spec: dict[str, Any], **metadata: str) -> list[str]:
    problems = check(kind, {"apiVersion": "x", "kind": kind, "metadata": META | metadata, "spec": spec})
    return [problem.message for problem in problems if problem.refused]


@pytest.mark.parametrize("field", ["name", "namespace"])
def test_a_name_that_ends_in_a_line_break_is_refused(field: str) -> None:
    assert refused("ApiClient", {"desiredStatus": "Available"}, **{field: "billing\n"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client", "billing\n"),
        ("secret", {"name": "billing\n"}),
        ("secret", {"lifetime": "12h\n"}),
        ("secret", {"template": {"labels": {"team": "a\n"}}}),
        ("tokens", {"notBefore": "2026-01-01T00:00:00Z\n"}),
        ("retirement", {"acknowledgedContracts": ["orders\n"]}),
    ],
)
def test_a_text_that_ends_in_a_line_break_is_refused(field: str, value: Any) -> None:
    assert refused("ApiClient", {"desiredStatus": "Available", field: value})


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00z", "2026-01-01t00:00:00.5+01:00", "2024-02-29T00:00:00Z"])
def test_times_that_the_api_server_takes_are_not_refused(text: str) -> None:
    assert refused("ApiClient", {"desiredStatus": "Available", "tokens": {"notBefore": text}}) == []


@pytest.mark.parametrize("text", ["0000-01-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01", "2026-01-01T24:00:00Z"])
def test_times_that_no_program_could_read_are_refused(text: str) -> None:
    assert refused("ApiClient", {"desiredStatus": "Available", "tokens": {"notBefore": text}})


def test_a_time_that_is_too_long_is_refused() -> None:
    text = f"2026-01-01T00:00:00.{'0' * 64}Z"
    assert refused("ApiClient", {"desiredStatus": "Available", "tokens": {"notBefore": text}})


@pytest.mark.parametrize(
    ("member", "taken"), [('"d": 1', False), ('"dq" :1', False), ('"kid": "d"', True), ('"kd": 1', True)]
)
def test_a_private_key_is_refused_and_not_shown(member: str, taken: bool) -> None:
    found = refused("ApiClient", {"desiredStatus": "Available", "keys": {"jwks": f'{{"keys": [{{{member}}}]}}'}})
    assert (found == []) is taken
    assert member not in str(found)


def test_null_is_as_if_it_were_not_there() -> None:
    named = {"clientName": "billing", "selector": None, "reason": "test"}
    assert refused("ApiClientHold", named) == []
    assert refused("ApiClientHold", named | {"clientName": None})


@pytest.mark.parametrize(
    ("whom", "taken"),
    [
        ({"allClients": True}, True),
        ({"allClients": False}, False),
        ({"allClients": "true"}, False),
        ({"allClients": False, "clientName": "billing"}, True),
        ({"allClients": True, "clientName": "billing"}, False),
        ({"allClients": True, "selector": {}}, False),
    ],
)
def test_a_hold_says_in_one_way_whom_it_stops(whom: dict[str, Any], taken: bool) -> None:
    assert (refused("ApiClientHold", whom | {"reason": "test"}) == []) is taken


@pytest.mark.parametrize(
    ("annotations", "warned"),
    [
        ({"kustomize.toolkit.fluxcd.io/force": "enabled"}, True),
        ({"kustomize.toolkit.fluxcd.io/force": "Enabled"}, True),
        ({"kustomize.toolkit.fluxcd.io/force": "disabled"}, False),
        ({"argocd.argoproj.io/sync-options": "Replace=true,Force=true"}, True),
        ({"argocd.argoproj.io/sync-options": "Force=false, Prune=false"}, False),
        ({"argocd.argoproj.io/sync-options": ["Force=true"]}, False),
        ({"team": "Force=true"}, False),
        (None, False),
    ],
)
def test_whoever_may_delete_and_make_anew_is_warned_of(annotations: Any, warned: bool) -> None:
    content = {"metadata": {**META, "annotations": annotations}, "spec": {"desiredStatus": "Available"}}
    found = [problem for problem in check("ApiClient", content) if problem.rule.id == "APIC028"]
    assert len(found) == warned
    assert not any(problem.refused for problem in found)
