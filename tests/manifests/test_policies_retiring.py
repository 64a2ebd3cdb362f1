"""Retiring a client or an Api: what is warned of, and what strict refuses, by the real API server and kubectl."""

import pytest
import yaml

from apiclients.resources.yaml_text import flow_list
from tests.manifests.policies import Kubectl, denied, is_forbidden, warning
from tests.manifests.samples import FINAL, api, api_status, client, client_status
from tests.toolkit.admin import APPLY, MERGE, Admin
from tests.toolkit.objects import JsonObject

pytestmark = pytest.mark.rule(27)


def test_what_is_to_be_pasted_is_read_back_as_the_names_of_contracts(kubectl: Kubectl, admin: Admin, team: str) -> None:
    names = ["3.0", "6063e25", "billing-orders", "on", "y"]
    admin.with_status("apiclients", client("billing-1.0", team), client_status(*names))
    _, err = kubectl("apply", "-f", "-", "--dry-run=server", body=client("billing-1.0", team, "Retired"))
    advice = next(line for line in err.splitlines() if "set in spec: " in line).partition("set in spec: ")[2]
    assert advice == f"retirement: {{acknowledgedContracts: {flow_list(names)}}}", "the same as everywhere"
    _, err = kubectl("apply", "-f", "-", body=client("billing-1.0", team, "Retired", **yaml.safe_load(advice)))
    assert "acknowledgedContracts" not in err


def test_retiring_a_client_warns_of_what_is_not_acknowledged(kubectl: Kubectl, admin: Admin, team: str) -> None:
    admin.with_status("apiclients", client("billing-1.0", team), client_status("billing-orders", "billing-tax"))
    retired = client("billing-1.0", team, "Retired", retirement={"acknowledgedContracts": ["billing-orders"]})
    lines = [
        "Warning: "
        + warning(
            "retire-apiclients",
            "billing-1.0 is not retired: 1 of 2 active contract(s) not in spec.retirement.acknowledgedContracts: "
            "billing-tax",
        ),
        "Warning: "
        + warning(
            "retire-apiclients",
            "To retire it, set in spec: retirement: {acknowledgedContracts: [billing-orders, billing-tax]}",
        ),
    ]
    for options in (["--dry-run=server"], ["--dry-run=server", "--server-side", "--force-conflicts"], []):
        out, err = kubectl("apply", "-f", "-", *options, body=retired)
        assert [line for line in err.splitlines() if "last-applied" not in line] == lines
        assert out.startswith("apiclient.apiclients.dev/billing-1.0 ")
    assert all(len(line) < 256 for line in lines), "the API server may cut longer ones"
    # The advice, taken by its word.
    pasted = yaml.safe_load(lines[1].partition("set in spec: ")[2])
    out, err = kubectl("apply", "-f", "-", body=client("billing-1.0", team, "Retired", **pasted))
    assert (out, err) == ("apiclient.apiclients.dev/billing-1.0 configured", "")


@pytest.mark.parametrize(
    ("old", "status", "new"),
    [
        pytest.param("Available", {"observedGeneration": 1}, "Retired", id="status of no contracts"),
        pytest.param("Available", client_status(), "Retired", id="no active contracts"),
        pytest.param("Available", client_status("a"), "Suspended", id="something else"),
        pytest.param("Retired", client_status("a"), "Available", id="taken back"),
        pytest.param("Available", client_status("a", desired="Retired"), "Retired", id="retired already"),
        pytest.param("Retired", client_status("a"), "Retired", id="asked before"),
    ],
)
def test_other_changes_of_a_client_are_no_matter(
    admin: Admin, team: str, old: str, status: JsonObject, new: str
) -> None:
    made = admin.with_status("apiclients", client("c", team, old), status)
    made["spec"] = {**made["spec"], "desiredStatus": new, "displayName": "changed"}
    answer = admin.ask("PUT", "apiclients", team, "c", made)
    assert (answer.status, answer.warnings) == (200, ())


def test_an_incomplete_acknowledgement_of_what_is_held_warns_again(admin: Admin, team: str) -> None:
    made = admin.with_status("apiclients", client("c", team, "Retired"), client_status("a", "b"))
    made["spec"]["retirement"] = {"acknowledgedContracts": ["a"]}
    assert len(admin.ask("PUT", "apiclients", team, "c", made, dryRun="All").warnings) == 2
    made["spec"]["retirement"] = {"acknowledgedContracts": ["b", "once", "a"]}
    assert admin.ask("PUT", "apiclients", team, "c", made).warnings == ()


def test_many_contracts_are_named_in_part_and_counted(admin: Admin, team: str) -> None:
    admin.with_status("apiclients", client("c", team), client_status(*(f"n{i:03}" for i in range(256))))
    body = {"spec": {"desiredStatus": "Retired"}}
    first, second = admin.ask("PATCH", "apiclients", team, "c", body, content=MERGE).warnings
    assert first.endswith("not in spec.retirement.acknowledgedContracts: n000, n001, n002, n003, n004 and 251 more")
    assert second.endswith("To retire it, name them all; they are in status.contracts.activeNames")


def test_strict_refuses_an_unacknowledged_retirement(strict: None, kubectl: Kubectl, admin: Admin, team: str) -> None:
    admin.with_status("apiclients", client("billing-1.0", team), client_status("billing-orders"))
    admin.with_status("apis", api("orders-v1", team), api_status(5))
    _, err = kubectl("apply", "-f", "-", body=client("billing-1.0", team, "Retired"))
    text = (
        "billing-1.0 is not retired: 1 of 1 active contract(s) not in spec.retirement.acknowledgedContracts: "
        "billing-orders"
    )
    assert "Error from server (Forbidden)" in err
    assert err.endswith(denied("retire-apiclients", text, "retire-apiclients-strict"))
    assert "retirement: {acknowledgedContracts: [billing-orders]}" in err, "the warnings stand beside it"
    _, err = kubectl("apply", "-f", "-", body=api("orders-v1", team, "Retired"))
    text = (
        "orders-v1 is not retired: it has 5 active contract(s), 0 acknowledged. "
        "To retire it, set in spec: retirement: {acknowledgedContractCount: 5}"
    )
    assert err.endswith(denied("retire-apis", text, "retire-apis-strict"))
    body = {"spec": {"desiredStatus": "Retired"}}
    assert is_forbidden(admin.ask("PATCH", "apiclients", team, "billing-1.0", body, content=MERGE), "retire-apiclients")
    assert is_forbidden(admin.ask("PATCH", "apis", team, "orders-v1", body, content=MERGE), "retire-apis")


def test_strict_lets_through_what_is_acknowledged_or_unchanged(strict: None, admin: Admin, team: str) -> None:
    # Both were asked for before strict was there.
    held: list[tuple[str, JsonObject, JsonObject, JsonObject]] = [
        ("apiclients", client("c", team, "Retired"), client_status("a"), {"acknowledgedContracts": ["a"]}),
        ("apis", api("a", team, "Retired"), api_status(1), {"acknowledgedContractCount": 1}),
    ]
    for kind, body, status, acknowledgement in held:
        made = admin.with_status(kind, body, status)
        name = made["metadata"]["name"]
        made["metadata"]["labels"] = {"tier": "one"}
        made = admin.done("PUT", kind, team, name, made)
        plain = {key: made[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": name}}
        assert (
            admin.ask("PATCH", kind, team, name, plain, content=APPLY, fieldManager="git", force="true").status == 200
        )
        body = {"spec": {"retirement": acknowledgement}}
        assert admin.ask("PATCH", kind, team, name, body, content=MERGE).status == 200


def test_retiring_an_api_warns_of_its_contracts(kubectl: Kubectl, admin: Admin, team: str) -> None:
    admin.with_status("apis", api("orders-v1", team), api_status(5))
    retired = api("orders-v1", team, "Retired", retirement={"acknowledgedContractCount": 2})
    out, err = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", body=retired)
    assert out == "api.apiclients.dev/orders-v1 serverside-applied"
    assert err == "Warning: " + warning(
        "retire-apis",
        "orders-v1 is not retired: it has 5 active contract(s), 2 acknowledged. "
        "To retire it, set in spec: retirement: {acknowledgedContractCount: 5}",
    )
    retired["spec"] |= yaml.safe_load(err.partition("set in spec: ")[2])
    assert kubectl("apply", "--server-side", "-f", "-", body=retired)[1] == ""


@pytest.mark.parametrize(
    ("old", "status", "new"),
    [
        pytest.param("Published", {"observedGeneration": 1}, "Retired", id="status of no contracts"),
        pytest.param("Published", api_status(0), "Retired", id="no active contracts"),
        pytest.param("Published", api_status(9), "Published", id="something else"),
        pytest.param("Retired", api_status(9), "Published", id="taken back"),
        pytest.param("Published", api_status(9, "Retired"), "Retired", id="retired already"),
        pytest.param("Retired", api_status(9), "Retired", id="asked before"),
        pytest.param(
            "Retired", api_status(0, "Retired", retirement={**FINAL, "final": False}), "Published", id="within its time"
        ),
        pytest.param("Retired", api_status(0, "Retired", retirement=FINAL), "Retired", id="stays retired"),
        pytest.param("Published", api_status(0, "Retired", retirement=FINAL), "Published", id="published before"),
    ],
)
def test_other_changes_of_an_api_are_no_matter(admin: Admin, team: str, old: str, status: JsonObject, new: str) -> None:
    made = admin.with_status("apis", api("a", team, old), status)
    made["spec"] = {**made["spec"], "desiredStatus": new, "displayName": "changed"}
    answer = admin.ask("PUT", "apis", team, "a", made)
    assert (answer.status, answer.warnings) == (200, ())


@pytest.mark.rule(13)
def test_an_api_is_not_published_again_after_the_end(kubectl: Kubectl, admin: Admin, team: str) -> None:
    admin.with_status("apis", api("orders-v1", team, "Retired"), api_status(0, "Retired", retirement=FINAL))
    text = "the retirement of orders-v1 is final: publish the API under another name"
    for options in ([], ["--server-side", "--force-conflicts"], ["--dry-run=server"]):
        _, err = kubectl("apply", *options, "-f", "-", body=api("orders-v1", team))
        assert err.endswith(denied("republish-apis", text))
    body = {"spec": {"desiredStatus": "Published"}}
    assert is_forbidden(admin.ask("PATCH", "apis", team, "orders-v1", body, content=MERGE), "republish-apis")
    assert kubectl("delete", "api", "orders-v1")[1] == ""
