"""What the admission policies let through, and what they bound in the metadata of all kinds."""

import pytest

from tests.manifests.policies import Kubectl
from tests.manifests.samples import EXAMPLE, api, api_status, client, client_status
from tests.toolkit.admin import APPLY, MERGE, Admin
from tests.toolkit.objects import KINDS, JsonObject

pytestmark = pytest.mark.rule(27)


@pytest.mark.parametrize("kind", KINDS)
def test_applying_the_same_again_is_silent(kubectl: Kubectl, admin: Admin, team: str, kind: str) -> None:
    body = EXAMPLE[kind]("x", team)
    for options in ([], ["--server-side", "--force-conflicts"]):
        for _ in range(2):
            _, err = kubectl("apply", *options, "-f", "-", body=body)
            assert "Warning: Validation" not in err
            assert "Error" not in err
        assert kubectl("apply", *options, "--dry-run=server", "-f", "-", body=body)[1] == ""


def test_what_is_held_can_be_applied_again(kubectl: Kubectl, admin: Admin, team: str) -> None:
    for kind, body, status in (
        ("apiclients", client("c", team, "Retired"), client_status("a")),
        ("apis", api("a", team, "Retired"), api_status(1)),
    ):
        admin.with_status(kind, body, status)
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", body=body)
        assert kubectl("apply", "--server-side", "-f", "-", body=body)[1] == ""
        assert kubectl("diff", "--server-side", "--force-conflicts", "-f", "-", body=body) == ("", "")


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FULL = {f"l{number}": "x" * 60 for number in range(64)}  # 4 KiB


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"labels": FULL, "annotations": {"a": "x" * 4000}}, ""),
        ({"labels": FULL | {"more": ""}}, "has 65 labels and 0 annotations: at most 64 of each"),
        ({"annotations": {f"a{number}": "" for number in range(65)}}, "has 0 labels and 65 annotations"),
        ({"annotations": {"a": "x" * 8191}}, ""),
        ({"annotations": {"a": "x" * 8192}}, "have 8193 bytes: at most 8192"),
        ({"annotations": {"a": "\u00e4" * 4096}}, "have 8193 bytes: at most 8192"),
        ({"labels": FULL, "annotations": {"a": "x" * 5000}}, "at most 8192"),
        ({"annotations": {LAST_APPLIED: "x" * 81920, "a": "x" * 8000}}, ""),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_metadata_is_bounded(admin: Admin, team: str, kind: str, metadata: JsonObject, told: str) -> None:
    body = EXAMPLE[kind]("x", team)
    body = {**body, "metadata": {**body["metadata"], **metadata}}
    answer = admin.ask("POST", kind, team, "", body, dryRun="All")
    assert (answer.status, told in str(answer)) == (403 if told else 201, True), answer


def test_the_last_applied_configuration_of_a_client_is_bounded(admin: Admin, team: str) -> None:
    body = client("x", team)
    body = {**body, "metadata": {**body["metadata"], "annotations": {LAST_APPLIED: "x" * 81921}}}
    assert admin.ask("POST", "apiclients", team, "", body, dryRun="All").status == 403


AUTHOR = "apiclients.dev/created-by"


@pytest.mark.parametrize(("author", "status"), [("system:admin", 201), ("", 201), ("jane", 403), (None, 201)])
def test_who_placed_a_hold_is_who_creates_it(admin: Admin, team: str, author: str | None, status: int) -> None:
    body = EXAMPLE["apiclientholds"]("leak", team)
    me = admin.done("POST", "selfsubjectreviews", None, body={})["status"]["userInfo"]["username"]
    if author is not None:
        body["metadata"]["annotations"] = {AUTHOR: me if author == "system:admin" else author}
    answer = admin.ask("POST", "apiclientholds", team, body=body, dryRun="All")
    assert answer.status == status, answer
    assert status == 201 or "is the user who created the hold" in str(answer)


def test_who_placed_a_hold_never_changes(admin: Admin, team: str) -> None:
    body = EXAMPLE["apiclientholds"]("leak", team)
    admin.done("POST", "apiclientholds", team, body=body)
    for value in ("jane", admin.done("POST", "selfsubjectreviews", None, body={})["status"]["userInfo"]["username"]):
        change = {"metadata": {"annotations": {AUTHOR: value}}}
        assert admin.ask("PATCH", "apiclientholds", team, "leak", change, content=MERGE).status == 403
    harmless = {"metadata": {"annotations": {"note": "x"}}}
    assert admin.ask("PATCH", "apiclientholds", team, "leak", harmless, content=MERGE).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_may_be_null_or_go(admin: Admin, team: str, kind: str) -> None:
    body = EXAMPLE[kind]("x", team)
    nulls = {"labels": None, "annotations": None, "ownerReferences": None, "finalizers": None}
    assert admin.ask("POST", kind, team, "", {**body, "metadata": {**body["metadata"], **nulls}}).status == 201
    changes: list[JsonObject] = [
        {"labels": {"a": "b"}, "annotations": {"a": "b"}},
        {"labels": {}, "annotations": {}},
        nulls,
        {},
    ]
    for metadata in changes:
        for content in (APPLY, MERGE):
            sent = {**body, "metadata": {**body["metadata"], **metadata}}
            query = {"fieldManager": "x", "force": "true"} if content == APPLY else {}
            answer = admin.ask("PATCH", kind, team, "x", sent, content=content, **query)
            assert answer.status == 200, answer
