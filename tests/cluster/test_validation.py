"""What the API server refuses, what the operator cannot obey, and what people then read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.toolkit.product import Team, current


def secret(**fields: Any) -> dict[str, Any]:
    """A spec with these fields in ``secret``."""
    return {"secret": fields}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"desiredStatsu": "Available"}, 'unknown field "spec.desiredStatsu"'),
        (secret(lifetme="1h"), 'unknown field "spec.secret.lifetme"'),
        ({"desiredStatus": "Deleted"}, 'supported values: "Available", "Suspended", "Retired"'),
        ({"desiredStatus": "Expired"}, 'supported values: "Available", "Suspended", "Retired"'),
        (secret(rotation="Sometimes"), 'supported values: "Automatic", "Manual"'),
        (secret(lifetime="90d"), "spec.secret.lifetime"),
        (secret(lifetime="17521h"), "must be a duration between 1s and 17520h"),
        (secret(lifetime="0s"), "must be a duration between 1s and 17520h"),
        (secret(revision=-1), "spec.secret.revision"),
        (secret(name="Not_A_Name"), "spec.secret.name"),
        ({"tokens": {"lifetime": "73h"}}, "must be a duration between 1s and 72h"),
        ({"tokens": {"notBefore": "yesterday"}}, "spec.tokens.notBefore"),
        ({"owner": "x" * 300}, "spec.owner"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_api_server_refuses_with_a_clear_message(team: Team, spec: dict[str, Any], told: str) -> None:
    client = team.client("billing-1.0", **spec)
    assert told in team.refused("apply", "-f", "-", input=json.dumps(client.manifest))


def test_spec_and_desired_status_have_to_be_there(team: Team) -> None:
    manifest = team.client("billing-1.0").manifest
    for spec, told in (({}, "spec.desiredStatus: Required value"), (None, "spec: Required value")):
        said = team.refused("apply", "-f", "-", input=json.dumps(manifest | {"spec": spec}))
        assert told in said, said


def test_name_of_64_characters_is_refused_and_one_of_63_works(team: Team) -> None:
    said = team.refused("apply", "-f", "-", input=json.dumps(team.client("a" * 64).manifest))
    assert "metadata.name" in said
    longest = team.declare("a" * 63)
    team.product.until_secret_works(longest.credentials())


@pytest.mark.rule(24, 27)
@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (secret(overlap="2160h"), "spec.secret.overlap (2160h) must be less than spec.secret.lifetime (2160h)"),
        (secret(renewBefore="3000h"), "spec.secret.renewBefore (3000h) must be less than spec.secret.lifetime (2160h)"),
        ({"tokens": {"notBefore": "2099-01-01T00:00:00Z"}}, "spec.tokens.notBefore (2099-01-01T00:00:00Z)"),
    ],
    ids=["overlap", "renewBefore", "notBefore"],
)
def test_spec_that_cannot_be_obeyed_is_told_and_the_last_good_state_stays(
    team: Team, spec: dict[str, Any], told: str
) -> None:
    billing = team.declare("billing-1.0")
    credentials, token = billing.credentials(), billing.token()
    billing.apply(**json.loads(json.dumps(spec)))
    stalled = billing.until_condition("Stalled", "True", "InvalidSpec")
    assert told in stalled["message"]
    obj = billing.get()
    ready = billing.condition("Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "InvalidSpec", stalled["message"])
    assert obj["status"]["observedGeneration"] == obj["metadata"]["generation"] == 2
    assert stalled["observedGeneration"] == 2
    assert obj["status"]["observedStatus"] == "Available"
    assert current(obj["status"])["id"] == 1
    team.product.until_secret_works(credentials)
    team.product.until_accepted(token)
    billing.apply(desiredStatus="Suspended")
    team.product.until_refused(token)
    billing.spec.clear()
    billing.apply(desiredStatus="Available")
    billing.until_condition("Ready", "True", "Available")
    assert billing.condition("Stalled") == {}
    team.product.until_accepted(token)


@pytest.mark.rule(24)
def test_kubectl_waits_for_ready_and_for_stalled(team: Team) -> None:
    team.apply(team.client("good-1.0"), team.client("bad-1.0", secret={"lifetime": "1h", "overlap": "1h"}))
    for name, waited in (("good-1.0", "Ready"), ("good-1.0", "Active"), ("bad-1.0", "Stalled")):
        said = team.kubectl("wait", f"apiclient/{name}", f"--for=condition={waited}", "--timeout=60s")
        assert "condition met" in said
    assert "timed out" in team.refused("wait", "apiclient/bad-1.0", "--for=condition=Ready", "--timeout=1s")


@pytest.mark.rule(24)
def test_observed_generation_tells_that_nobody_has_looked_yet(team: Team) -> None:
    team.product.operator.stop()
    billing = team.client("billing-1.0")
    billing.apply()
    assert billing.status() == {"observedGeneration": -1}
    team.product.operator.start()
    billing.until_observed("Available")
    obj = billing.get()
    assert obj["status"]["observedGeneration"] == obj["metadata"]["generation"] == 1


@pytest.mark.rule(10)
def test_not_before_that_lies_in_the_future_is_obeyed_when_its_time_has_come(team: Team) -> None:
    billing = team.declare("billing-1.0")
    token = billing.token()
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    billing.apply(tokens={"notBefore": soon.strftime("%Y-%m-%dT%H:%M:%SZ")})
    billing.until_condition("Stalled", "True", "InvalidSpec")
    team.product.until_accepted(token)
    team.product.until_refused(token)
    assert datetime.now(UTC) >= soon - timedelta(seconds=1), "the present may be rounded up to whole seconds"
    billing.until_condition("Ready", "True", "Available")
    team.product.until_accepted(billing.token())


def test_every_field_explains_itself(team: Team) -> None:
    said = team.kubectl("explain", "apiclient.spec.secret.lifetime")
    assert "How long a secret lives, at most 24 months" in said
    tree = team.kubectl("explain", "apiclient", "--recursive")
    assert "acknowledgedContracts" in tree
    assert "observedGeneration" in tree
    assert "Suspended: refused until resumed" in team.kubectl("explain", "apiclient.spec.desiredStatus")
