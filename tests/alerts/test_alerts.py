"""Alerts begin, speak and end as the files beside this one say: promtool evaluates them as Prometheus does."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.errors import ClusterError
from tests.manifests.rendered import MANIFESTS
from tests.toolkit.go_programs import go_program

HERE = Path(__file__).parent
RULES = MANIFESTS / "monitoring" / "rules.yaml"
STORIES = sorted(HERE.glob("*.yaml"))

#: promtool reads configurations of service discovery too, which takes the clients of all clouds: not needed here.
_WITHOUT_CLOUDS = "remove_all_sd"


@pytest.fixture(scope="session")
def promtool() -> Path:
    """promtool, built first if need be: some minutes."""
    try:
        return go_program(HERE / "promtool", "github.com/prometheus/prometheus/cmd/promtool", tags=_WITHOUT_CLOUDS)
    except (ClusterError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"promtool cannot be built here: {error}")


def _run(promtool: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False, timeout=60)


def _looks() -> list[dict[str, Any]]:
    """Every look at an alert, of all files."""
    tests = [test for story in STORIES for test in yaml.safe_load(story.read_text())["tests"]]
    return [look for test in tests for look in test["alert_rule_test"]]


@pytest.mark.alerts
@pytest.mark.timeout(1900)
def test_promtool_finds_nothing_to_say(promtool: Path) -> None:
    done = _run(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.alerts
@pytest.mark.timeout(1900)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_alerts_begin_speak_and_end(promtool: Path, story: Path) -> None:
    done = _run(promtool, "test", "rules", "--diff", story)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_to_fire_and_to_be_silent() -> None:
    alerts = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    assert {look["alertname"] for look in _looks() if look["exp_alerts"]} == alerts
    assert {look["alertname"] for look in _looks() if not look["exp_alerts"]} == alerts
