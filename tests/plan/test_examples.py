"""The files for CI in ``pipelines/``: they are YAML, and every command in them is one that the plugin takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.cli.cluster import live_state
from apiclients.cli.main import build_parser
from apiclients.kube.kinds import ALL_KINDS
from apiclients.plan.render import markdown
from tests.plan.golden_scene import golden_plan

FOLDER = Path(__file__).parents[2] / "pipelines"
#: release.yaml is for the product itself, and calls no plugin.
FILES = sorted(set(FOLDER.glob("*.yaml")) - {FOLDER / "release.yaml"})


def texts(value: Any) -> Iterator[str]:
    """Every text in a YAML value."""
    if isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
    elif isinstance(value, str):
        yield value


def commands(path: Path) -> list[list[str]]:
    """The plugin's command lines in a file."""
    found = []
    for text in texts(yaml.safe_load(path.read_text())):
        for line in text.replace("\\\n", " ").splitlines():
            if line.strip().startswith("kubectl-apiclient"):
                found.append(shlex.split(line.split("||")[0])[1:])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_command_is_one_that_the_plugin_takes(path: Path) -> None:
    found = commands(path)
    assert found or path.name == "plan-role.yaml"
    for arguments in found:
        wanted = ["--no-live" if argument == "$LIVE" else argument for argument in arguments]
        assert build_parser(wanted[0]).parse_args(wanted).func


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "plan-role.yaml"], ids=lambda path: path.name)
def test_nothing_is_installed_by_a_name_that_anybody_can_claim(path: Path) -> None:
    installed = re.findall(r"pip install (?:--quiet )?(\S+)", path.read_text())
    assert installed == ['"$APICLIENT_OPERATOR"']
    assert re.search(r"APICLIENT_OPERATOR: git\+https://\S+@[0-9a-f]{40}$", path.read_text(), re.MULTILINE)


def test_what_is_invalid_does_not_pass() -> None:
    for name in ("github-actions.yaml", "gitlab-ci.yaml"):
        path = next(path for path in FILES if path.name == name)
        (plan,) = [words for words in commands(path) if words[0] == "plan"]
        assert {plan[number + 1] for number, word in enumerate(plan) if word == "--fail-on"} == {
            "invalid",
            "unacknowledged",
        }


def test_the_comment_is_found_again_by_its_marker() -> None:
    marker = markdown.render(golden_plan()).splitlines()[0]
    for name in ("github-actions.yaml", "gitlab-ci.yaml"):
        text = next(path for path in FILES if path.name == name).read_text()
        assert re.findall(r"<!-- apiclient-plan:\S+ -->", text) == [marker]


def test_the_role_is_what_is_read_and_holds_no_secret() -> None:
    (role,) = [yaml.safe_load(path.read_text()) for path in FILES if path.name == "plan-role.yaml"]
    granted = {
        (group, resource) for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]
    }
    read = {(kind.group, kind.plural) for kind in (*ALL_KINDS, *live_state.WORKLOADS)} | {("", "namespaces")}
    assert granted == read
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} <= {"get", "list"}


def test_actions_of_a_release_are_pinned_by_commit() -> None:
    """A tag can be moved by whoever takes over the action's repository, and this job holds the right to publish."""
    workflow = yaml.safe_load((FOLDER / "release.yaml").read_text())
    used = [step["uses"] for step in workflow["jobs"]["release"]["steps"] if "uses" in step]
    assert len(used) >= 6
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action


def test_a_release_calls_targets_and_changes_values_that_are_there() -> None:
    text = (FOLDER / "release.yaml").read_text()
    makefile = (FOLDER.parent / "Makefile").read_text()
    for target in set(re.findall(r"\bmake (\w+)", text)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    values = (FOLDER.parent / "manifests/chart/values.yaml").read_text().splitlines()
    for line in re.findall(r"s\|\^([^|]*)\$\|", text):
        assert values.count(line.replace('\\"', '"')) == 1, line
