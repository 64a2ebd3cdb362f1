"""Completion without a cluster; with one see ``test_with_kubectl.py``."""

import subprocess
import sys
from pathlib import Path

import pytest

from apiclients.cli import completion
from apiclients.cli.completion import complete
from apiclients.cli.main import COMMANDS


@pytest.fixture(autouse=True)
def cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names as a cluster would give them."""
    names = {"NAME": ["billing-1.0", "billing-2.0", "reporting"], "HOLD": ["stop"], "NAMESPACE": ["team-a", "team-b"]}
    monkeypatch.setattr(completion, "_from_cluster", lambda what, args: names.get(what, []))
    monkeypatch.setattr(completion, "_contexts", lambda args: ["prod", "test"])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["sta"], ["status"]),
        (["re"], ["reject", "release", "report", "resume", "retire"]),
        (["--he"], ["--help"]),
        (["status", "bill"], ["billing-1.0", "billing-2.0"]),
        (["status", "billing-1.0", ""], []),
        (["hold", "billing-1.0", ""], ["billing-2.0", "reporting"]),
        (["hold", "--reason", ""], []),
        (["release", "--hold", "s"], ["stop"]),
        (["get", "-o", "y"], ["yaml"]),
        (["get", "--output=j"], ["--output=json"]),
        (["get", "--not"], ["--not-ready"]),
        (["get", "--not-ready", "rep"], ["reporting"]),
        (["status", "-n", ""], ["team-a", "team-b"]),
        (["-n", "team-b"], ["team-b"]),
        (["-n", "team-a", "stat"], ["status"]),
        (["-n", "team-a", "status", "rep"], ["reporting"]),
        (["status", "--context", "p"], ["prod"]),
        (["rotate", "--dry-run", ""], ["client", "none", "server"]),
        (["new-version", "billing-1.0", ""], []),
        (["get", "--status", "Sus"], ["Suspended"]),
    ],
)
def test_candidates(words: list[str], found: list[str]) -> None:
    assert complete(words) == (found, ":4")


def test_revisions_are_offered_and_files_left_to_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "one"), ("tag", "v1")):
        settings = ("-c", "user.name=T", "-c", "user.email=t@example.com")
        subprocess.run(["git", *settings, *words], cwd=tmp_path, check=True, timeout=30)
    monkeypatch.chdir(tmp_path)
    assert complete(["plan", "--base", ""]) == (["main", "v1"], ":0")
    assert complete(["plan", "--base", "main", "--head=m"]) == (["--head=main"], ":0")
    assert complete(["plan", "--base", "teams/"]) == ([], ":0")


def test_everything_is_offered_for_nothing() -> None:
    assert set(complete([""])[0]) == {*COMMANDS, "--help", "--version"}


def test_files_are_left_to_the_shell() -> None:
    assert complete(["get", "--kubeconfig", ""]) == ([], ":0")


def test_whatever_goes_wrong_nothing_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "config"
    broken.write_text("{")
    for words in (["status", "--kubeconfig", str(broken), ""], ["get", "-n", "", ""], ["rotate", "-A", "--all", ""]):
        command = [sys.executable, "-m", "apiclients.cli.completion", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)})
        assert (done.stdout, done.stderr) == (":4\n", "")
