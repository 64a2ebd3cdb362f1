"""Without a base: what applying the files now would do to what is live."""

from __future__ import annotations

from typing import Any

import pytest

from apiclients.plan.live import LiveState, from_snapshot, live_state, to_snapshot
from tests.plan.folder import Folder
from tests.plan.support import NOW, JsonObject, api, client, contract, live_of, raw, world_after


def applied(manager: str, operation: str, *fields: str) -> JsonObject:
    """An entry of managedFields that owns fields of spec, and the label team."""
    spec: JsonObject = {}
    for field in fields:
        below = spec
        for part in field.split("."):
            below = below.setdefault(f"f:{part}", {})
    owned = {"f:spec": spec, "f:metadata": {"f:labels": {".": {}, "f:team": {}}}}
    return {"manager": manager, "operation": operation, "fieldsV1": owned}


def live_with(obj: JsonObject, *managers: JsonObject) -> LiveState:
    """A live state with one object of these managers."""
    found = [raw(one) for one in world_after((), (obj,), None, NOW).objects.values()]
    for one in found:
        one["metadata"]["managedFields"] = list(managers)
    state = live_state(found, source="cluster test", taken_time=NOW, namespace_labels={})
    return from_snapshot(to_snapshot(state), "live.json")


def planned(folder: Folder, live: LiveState, *objects: JsonObject) -> Any:
    (folder.path / "live.json").write_bytes(to_snapshot(live))
    folder.put("teams/a.yaml", *objects)
    return folder.json("-f", "teams", "--state", "live.json")


def fields(body: Any) -> dict[str, tuple[str | None, str | None]]:
    (change,) = body["changes"]
    return {field["path"]: (field["before"], field["after"]) for field in change["fields"]}


def test_what_is_applied_already_changes_nothing(empty: Folder) -> None:
    """Defaults that the API server filled in are no difference, nor are objects of others."""
    live = live_of(api(), client(), contract(), client("others", namespace="team-b"))
    body = planned(empty, live, api(), client(), contract())
    assert (body["changes"], body["drift"], body["base"]) == ([], [], "live")


def test_changes_and_new_objects_are_planned_and_nothing_is_deleted(empty: Folder) -> None:
    live = live_of(api(), client(), contract(), client("left-out"))
    body = planned(empty, live, client(status="Suspended"), client("new"))
    assert {change["object"]["name"]: change["change"] for change in body["changes"]} == {
        "billing": "suspend",
        "new": "create",
    }
    assert fields(planned(empty, live, client(status="Suspended"))) == {
        "spec.desiredStatus": ("Available", "Suspended")
    }
    assert body["notices"][0] == "Compared with what is live: what the files leave out stays."


@pytest.mark.parametrize(
    ("manager", "operation", "goes"),
    [
        ("kubectl-client-side-apply", "Update", True),
        ("kustomize-controller", "Apply", True),
        ("kubectl-edit", "Update", False),
    ],
)
def test_a_field_that_is_left_out_goes_if_it_was_applied(
    empty: Folder, manager: str, operation: str, goes: bool
) -> None:
    was = client(owner="a@example.com", secret={"lifetime": "24h", "revision": 2})
    live = live_with(was, applied(manager, operation, "desiredStatus", "owner", "secret.lifetime"))
    body = planned(empty, live, client(secret={"revision": 2}))
    found = fields(body) if body["changes"] else {}
    left = {"spec.owner": ("a@example.com", None), "spec.secret.lifetime": ("24h", None)}
    assert found == (left if goes else {})


def test_a_label_of_others_stays_and_one_that_was_applied_goes(empty: Folder) -> None:
    was = client()
    was["metadata"]["labels"] = {"team": "a", "flux": "its own"}
    body = planned(empty, live_with(was, applied("argocd", "Apply", "desiredStatus")), client())
    assert fields(body) == {"metadata.labels.team": ("a", None)}


def test_a_request_to_rotate_is_told(empty: Folder) -> None:
    asked = client()
    asked["metadata"]["annotations"] = {"apiclients.dev/rotate-requested": "now", "example.com/note": "x"}
    assert [change["change"] for change in planned(empty, live_of(client()), asked)["changes"]] == ["rotate"]


def test_folders_are_taken_as_kubectl_takes_them(empty: Folder) -> None:
    (empty.path / "live.json").write_bytes(to_snapshot(live_of(client())))
    empty.put("teams/a/b.yaml", client(status="Suspended"))
    empty.put("teams/c.yaml", client("new"))
    sides = ("--state", "live.json")

    def names(*options: str, stdin: str = "") -> list[str]:
        return sorted(change["object"]["name"] for change in empty.json(*sides, *options, stdin=stdin)["changes"])

    assert names("-f", "teams") == ["new"]
    assert names("-R", "-f", "teams") == ["billing", "new"]
    assert names("-f", "teams/c.yaml", "-f", "teams/a") == ["billing", "new"]
    assert names("-f", "-", stdin=(empty.path / "teams/c.yaml").read_text()) == ["new"]
    empty.commit("one")
    assert names("--head", "HEAD:teams") == ["billing", "new"]


def test_a_kustomization_is_rendered(empty: Folder, kubectl_on_path: str) -> None:
    (empty.path / "live.json").write_bytes(to_snapshot(live_of(client("prod-billing"))))
    empty.put("base/a.yaml", client(status="Suspended"))
    empty.write("base/kustomization.yaml", "namePrefix: prod-\nresources: [a.yaml]\n")
    done = empty.plan("-k", "base", "--state", "live.json", "-o", "github", PATH=kubectl_on_path)
    assert done.returncode == 0, done.stderr
    done = empty.plan("-k", "base", "--state", "live.json", PATH=kubectl_on_path)
    assert "ApiClient team-a/prod-billing" in done.stdout
    done = empty.plan("-k", "nowhere", "--state", "live.json", PATH=kubectl_on_path)
    assert (done.returncode, "nowhere is not there" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "one of the arguments --head -f/--filename -k/--kustomize is required"),
        (("-f", "teams"), "without --base the plan compares with what is live: name a kubeconfig, or --state"),
        (("-f", "teams", "--no-live"), "leave out --no-live, or say --base"),
        (("-f", "teams", "--base", "main"), "name what is to be applied with --head"),
        (("-f", "nowhere", "--state", "x"), "nowhere is not there"),
        (("-f", "https://example.com/a.yaml", "--state", "x"), "is a URL"),
        (("--head", "teams", "-R", "--state", "x"), "-R goes with -f"),
        (("--head", "teams", "--merge-base", "--state", "x"), "--merge-base needs --base"),
    ],
)
def test_what_does_not_go_together_is_said(empty: Folder, options: tuple[str, ...], told: str) -> None:
    empty.put("teams/a.yaml", client())
    done = empty.plan(*options)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
