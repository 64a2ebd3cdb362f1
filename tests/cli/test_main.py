"""The program around the commands: which one is meant, what is imported for it, and how it fails."""

import argparse
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from apiclients.cli import main as program
from apiclients.cli.cluster.problems import sentence
from apiclients.cli.docs import subparser
from apiclients.cli.errors import CliError
from apiclients.cli.main import COMMANDS, command_first, command_module
from apiclients.cli.options import duration
from apiclients.kube.errors import ConflictError, ForbiddenError, UnreachableError, api_error

#: What takes long to import, or belongs to the other programs.
HEAVY = ("kopf", "kubernetes", "aiohttp", "pydantic", "asyncio", "uvloop", "prometheus_client")


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        (["get", "-n", "a"], ["get", "-n", "a"]),
        (["-n", "a", "get"], ["get", "-n", "a"]),
        (["--context=x", "-A", "get", "b"], ["get", "--context=x", "-A", "b"]),
        (["-n", "a", "--color", "never", "status", "b"], ["status", "-n", "a", "--color", "never", "b"]),
        (["--help"], ["--help"]),
        ([], []),
        (["-n"], ["-n"]),
    ],
)
def test_options_may_stand_before_the_command(typed: list[str], understood: list[str]) -> None:
    assert command_first(typed) == understood


@pytest.mark.parametrize("words", [["--help"], ["status", "--help"], ["rotate", "--help"], ["--version"], ["nonsense"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    script = (
        "import sys; from apiclients.cli.main import run\n"
        f"try: run({words!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_command_imports_neither_operator_nor_gate_nor_the_official_library() -> None:
    script = (
        "import sys, apiclients.cli.screens.screen\n"
        "from apiclients.cli.actions import holding, reporting, rotating\n"
        "heavy = ('kopf', 'kubernetes', 'uvloop', 'apiclients.gate', 'apiclients.controllers')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_keeps_the_convention(name: str) -> None:
    module = command_module(name)
    assert inspect.iscoroutinefunction(module.run)
    parser = subparser(name)
    assert parser.prog == f"kubectl apiclient {name}"
    assert parser.get_default("func") is module.run
    assert parser.description
    assert parser.description.endswith(".")
    options = parser._option_string_actions
    assert {"-n", "--context", "--kubeconfig", "--color"} <= options.keys()
    assert all(action.help for action in parser._actions)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_one_says(name: str) -> None:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    command_module(name).register(subparsers)
    assert [action.help for action in subparsers._choices_actions] == [COMMANDS[name]]


@pytest.mark.parametrize("name", ["hold", "release", "rotate", "suspend", "resume", "retire"])
def test_whatever_changes_something_has_a_dry_run(name: str) -> None:
    assert subparser(name)._option_string_actions["--dry-run"].choices == ("none", "client", "server")


@pytest.mark.parametrize("words", [["nonsense"], ["status"], ["get", "--nonsense"], ["get", "-o", "xml"], []])
def test_a_wrong_command_line_is_exit_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.run(words)
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "usage: kubectl apiclient" in shown.err


def test_no_kubeconfig_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert program.run(["get"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error: no kubeconfig was found. Choose another with --kubeconfig or --context\n"


def test_a_bug_is_told_as_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def broken(args: argparse.Namespace) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(command_module("get"), "run", broken)
    assert program.run(["get"]) == 1
    shown = capsys.readouterr()
    assert "ZeroDivisionError" in shown.err
    assert "this is a bug in kubectl apiclient" in shown.err


def test_interruption_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def interrupted(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_module("get"), "run", interrupted)
    assert program.run(["get"]) == 130
    assert capsys.readouterr().err == ""


def test_errors_of_the_edge_are_sentences() -> None:
    refused = api_error(
        403, {"reason": "Forbidden", "message": 'User "x" cannot list'}, request="list contracts team-a"
    )
    assert isinstance(refused, ForbiddenError)
    assert "you may not list contracts team-a" in str(sentence(refused))
    causes = {"causes": [{"message": "deleting billing ends 2 contracts"}]}
    body = {"reason": "Forbidden", "message": "deleting billing ends 2 contracts", "details": causes}
    policy = api_error(403, body, request="delete x")
    assert sentence(policy) == "deleting billing ends 2 contracts"
    unknown = api_error(404, None, request="list apiclients team-a")
    assert "Install the CRDs" in str(sentence(unknown))
    gone = api_error(404, {"reason": "NotFound", "message": 'apiclients "x" not found'}, request="get apiclients a/x")
    assert sentence(gone) == 'apiclients "x" is not there. Check the name and the namespace (-n)'
    assert "did not answer" in str(sentence(UnreachableError("get x: TimeoutError")))
    assert "changed by somebody else" in str(
        sentence(ConflictError(409, "Conflict", "", request="patch apiclients a/b"))
    )
    assert sentence(ValueError("x")) is None


def test_durations_have_days() -> None:
    assert duration("14d").days == 14
    assert duration("1h30m").total_seconds() == 5400
    for text in ("", "5", "3x", "1m1h", "-1h"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a duration"):
            duration(text)


def test_errors_of_ours_are_shown_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def failing(args: argparse.Namespace) -> int:
        raise CliError("specify which clients to hold")

    monkeypatch.setattr(command_module("get"), "run", failing)
    assert program.run(["get"]) == 1
    assert capsys.readouterr().err == "error: specify which clients to hold\n"
