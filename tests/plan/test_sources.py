"""Base and head are the same place, so that nothing reads as deleted because nobody looked there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plan.folder import ROOT, Folder
from tests.plan.support import client

EXAMPLE = ROOT / "examples" / "repository"


def names(body: Any) -> dict[str, str]:
    return {change["object"]["name"]: change["change"] for change in body["changes"]}


@pytest.fixture
def teams(empty: Folder) -> Folder:
    """A repository of two folders; on the branch something changes in one of them."""
    empty.put("teams/a.yaml", client("one"))
    empty.put("overlays/prod/b.yaml", client("two"))
    empty.commit("one")
    empty.git("checkout", "-q", "-b", "feature")
    empty.put("overlays/prod/b.yaml", client("two", "Suspended"))
    empty.commit("two")
    return empty


@pytest.mark.parametrize("head", ["overlays/prod", "overlays/prod/", "overlays/prod/b.yaml", ".", "HEAD:overlays/prod"])
def test_base_is_where_head_is(teams: Folder, head: str) -> None:
    assert names(teams.json("--base", "main", "--head", head)) == {"two": "suspend"}
    assert names(teams.json("--base", "main", "--head", head, "--merge-base")) == {"two": "suspend"}


def test_head_is_where_base_is(teams: Folder) -> None:
    assert names(teams.json("--base", "main:overlays", "--head", "HEAD")) == {"two": "suspend"}


def test_a_subfolder_is_compared_with_itself(teams: Folder) -> None:
    inside = Folder(teams.path / "overlays")
    assert names(inside.json("--base", "main", "--head", ".")) == {"two": "suspend"}
    assert names(inside.json("--base", "main", "--head", "../teams")) == {}


def test_all_of_a_revision_can_be_asked_for(teams: Folder) -> None:
    body = teams.json("--base", "main:", "--head", "overlays/prod")
    assert names(body) == {"two": "suspend", "one": "delete"}
    assert body["notices"][0] == "Two different folders are compared: all of base and overlays/prod of head."


def test_standard_input_against_a_whole_revision_is_told(teams: Folder) -> None:
    body = teams.json("--base", "main", "--head", "-", stdin=yaml.safe_dump(client("two")))
    assert (
        "what it leaves out reads as deleted. Name the folder that it is made from: main:FOLDER" in body["notices"][0]
    )


def test_a_pull_request_that_adds_the_folder_has_an_empty_base(teams: Folder) -> None:
    teams.put("clients/c.yaml", client("three"))
    teams.commit("three")
    for base, head in (("main:clients", "HEAD:clients"), ("main:clients", "clients"), ("main", "clients")):
        body = teams.json("--base", base, "--head", head)
        assert names(body) == {"three": "create"}
        assert body["notices"][0].endswith("is not there: it counts as empty.")
    assert names(teams.json("--base", "HEAD:clients", "--head", "main:clients")) == {"three": "delete"}


@pytest.mark.parametrize(("base", "head"), [("main:cleints", "teams"), ("main:cleints", "HEAD:cleints")])
def test_a_folder_that_is_nowhere_is_an_error(teams: Folder, base: str, head: str) -> None:
    done = teams.plan("--base", base, "--head", head)
    assert done.returncode == 1
    assert "cleints" in done.stderr


def test_a_kustomization_is_told_each_time(teams: Folder) -> None:
    """Also where base has it: the files alone are not what arrives in the cluster."""
    teams.write("overlays/prod/kustomization.yaml", "namePrefix: prod-\nresources: [b.yaml, ../../teams]\n")
    teams.commit("kustomize")
    sides = ("--base", "HEAD", "--head", "overlays/prod")
    told = [finding["message"] for finding in teams.json(*sides)["findings"]]
    assert sorted(message.partition(":")[0] for message in told) == [
        "this kustomization applies what is not here (../../teams)",
        "this kustomization changes what is applied (namePrefix)",
    ]
    assert teams.plan(*sides).stdout.count("APIC020") == 2
    teams.write("overlays/kustomization.yaml", "resources: [prod/b.yaml, ./prod]\n")
    assert "overlays/kustomization.yaml" not in teams.plan("--base", "HEAD", "--head", "overlays").stdout


def test_the_example_repository_holds_nobody(empty: Folder) -> None:
    """What on-call keeps for the night is not taken for applied."""
    shutil.copytree(EXAMPLE, empty.path, dirs_exist_ok=True)
    empty.commit("one")
    manifest = empty.path / "teams/team-a/storefront.yaml"
    manifest.write_text(manifest.read_text().replace("desiredStatus: Available", "desiredStatus: Suspended"))
    for base, head in (("main", "."), ("main:teams", "teams")):
        body = empty.json("--base", base, "--head", head, "--fail-on", "invalid")
        assert names(body) == {"storefront-1.0": "suspend"}
        assert body["changes"][0]["holds"] == []


def test_the_example_and_its_workflows_have_one_layout() -> None:
    for path in sorted((EXAMPLE.parent / "ci").glob("*.yaml")):
        assert "clients/" not in path.read_text(), path
        assert ":clients" not in path.read_text(), path
    assert {entry.name for entry in EXAMPLE.iterdir() if entry.is_dir()} >= {"teams"}
    assert Path(EXAMPLE, "teams").is_dir()
