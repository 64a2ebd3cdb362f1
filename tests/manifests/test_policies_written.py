"""How the admission policies are written, and bound."""

import json
from typing import Any

import pytest
import yaml

from cluster import LocalCluster
from tests.manifests.policies import BINDING, POLICY, name_of
from tests.manifests.rendered import MANIFESTS, Object, of_kind, render
from tests.toolkit.waiting import eventually

pytestmark = pytest.mark.rule(27)


@pytest.fixture(scope="module")
def policies() -> list[Object]:
    return of_kind(render(MANIFESTS / "control"), POLICY)


def test_every_policy_is_bound_once_under_its_own_name(policies: list[Object]) -> None:
    bindings = of_kind(render(MANIFESTS / "control"), BINDING)
    assert {name_of(b): b["spec"]["policyName"] for b in bindings} == {name_of(p): name_of(p) for p in policies}
    warns = {name_of(b) for b in bindings if b["spec"]["validationActions"] == ["Warn", "Audit"]}
    denies = {name_of(b) for b in bindings if b["spec"]["validationActions"] == ["Deny", "Audit"]}
    assert warns == {"retire-apiclients", "retire-apis"}
    assert warns | denies == {name_of(p) for p in policies}


def test_strict_adds_refusals_and_takes_nothing_away() -> None:
    base, strict = render(MANIFESTS / "base"), render(MANIFESTS / "overlays/strict")
    assert all(obj in strict for obj in base)
    added = {name_of(obj): obj["spec"] for obj in strict if obj not in base}
    assert added == {
        f"{name}-strict": {"policyName": name, "validationActions": ["Deny"]}
        for name in ("retire-apiclients", "retire-apis")
    }


def test_refusals_are_never_of_the_class_that_tools_answer_with_a_deletion(policies: list[Object]) -> None:
    for policy in policies:
        spec = policy["spec"]
        assert all(validation["reason"] == "Forbidden" for validation in spec["validations"])
        assert all(validation.keys() & {"message", "messageExpression"} for validation in spec["validations"])
        assert "immutable" not in json.dumps(policy)
        # There it is empty, and what is left out there is left out for good.
        assert "namespaceObject" not in json.dumps(spec.get("matchConditions", []))


def test_policies_about_spec_do_not_see_writes_of_status(policies: list[Object]) -> None:
    for policy in policies:
        if name_of(policy) == "keep-clients":  # about kinds of Kubernetes
            continue
        (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
        assert ("*/status" in rule["resources"]) == (name_of(policy) == "apiclients-status")
        assert len(rule["resources"]) == 1


def test_what_decides_over_life_leaves_a_trail(policies: list[Object]) -> None:
    keys = {name_of(p): [a["key"] for a in p["spec"].get("auditAnnotations", [])] for p in policies}
    assert {name: keys[name] for name in keys if name.startswith(("retire", "delete"))} == {
        "retire-apiclients": ["unacknowledged-contracts"],
        "delete-apiclients": ["unacknowledged-contracts"],
        "retire-apis": ["active-contracts"],
        "delete-apis": ["active-contracts"],
    }


def test_their_expressions_have_the_right_types(installed: LocalCluster, policies: list[Object]) -> None:
    # A controller checks them, against the kinds that are there at that time: hence once more, under other names.
    names = [f"again-{name_of(policy)}" for policy in policies]
    again = [{**policy, "metadata": {"name": name}} for policy, name in zip(policies, names, strict=True)]
    wrong = json.loads(json.dumps(again[0]))
    wrong["metadata"]["name"] = "again-wrong"
    wrong["spec"]["validations"] = [{"expression": "object.nothing.of.the.sort == 1"}]
    installed.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([*again, wrong]))

    def verdict(name: str) -> Any:
        text = installed.kubectl("get", "validatingadmissionpolicy", name, "--output=jsonpath={.status}").stdout
        return json.loads(text or "{}").get("typeChecking")

    for name in (*names, "again-wrong"):
        eventually(f"{name} is checked", lambda name=name: verdict(name) is not None)  # type: ignore[misc]
    assert [verdict(name) for name in names] == [{}] * len(names)
    assert "undefined field 'nothing'" in str(verdict("again-wrong"))
    installed.kubectl("delete", "validatingadmissionpolicy", *names, "again-wrong")
