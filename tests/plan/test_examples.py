"""The files for CI in ``examples/ci/``: they are YAML, and every command in them is one that the plugin takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiclients.cli import live_state
from apiclients.cli.main import build_parser
from apiclients.kube.kinds import ALL_KINDS
from apiclients.plan.render import markdown
from tests.plan.golden_scene import golden_plan

FILES = sorted((Path(__file__).parents[2] / "examples" / "ci").glob("*.yaml"))


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
