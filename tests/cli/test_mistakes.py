"""Mistakes that people make: what they meant is guessed, and what to write instead is said."""

from __future__ import annotations

import argparse
import io
from types import SimpleNamespace

import pytest

from apiclients.cli import main as program
from apiclients.cli.actions.targets import require_one_way
from apiclients.cli.cluster.absent import meant, nothing_named
from apiclients.cli.commands.contracts import api_fields
from apiclients.cli.commands.get import known_status
from apiclients.cli.errors import CliError
from apiclients.cli.git.manifest_sources import read_sides, read_stdin
from apiclients.cli.git.versions import new_version
from tests.cli import samples

NAMES = ["billing-1.0", "billing-2.0", "catalog-1.0", "mobile"]


@pytest.mark.parametrize(
    ("typed", "guessed"),
    [
        ("billing", ["billing-1.0", "billing-2.0"]),
        ("catalogue-1.0", ["catalog-1.0"]),
        ("Mobile", ["mobile"]),
        ("nothing-like-it", []),
    ],
)
def test_what_was_meant_is_guessed(typed: str, guessed: list[str]) -> None:
    assert meant(typed, NAMES) == guessed


def test_what_is_not_there_is_said_with_what_is() -> None:
    told = nothing_named("billing", "team-a", NAMES)
    assert told.startswith(
        "there is no ApiClient billing in namespace team-a. Did you mean billing-1.0 or billing-2.0?"
    )
    assert "kubectl apiclient get -n team-a" in nothing_named("x", "team-a", NAMES)


@pytest.mark.parametrize(("typed", "words"), [("stauts", "Did you mean status?"), ("frobnicate", "--help")])
def test_a_misspelt_command_is_guessed(typed: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.run([typed])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert f"there is no command {typed}" in told
    assert words in told


def test_no_command_at_all_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.run([])
    assert "list clients, by what people look for" in capsys.readouterr().err


def test_a_status_that_there_is_not_is_refused() -> None:
    assert known_status("available") == "available"
    with pytest.raises(CliError, match=r"--status Availble is no status: choose one of .*Held.*Available"):
        known_status("Availble")


def test_an_api_without_its_namespace_is_told_how_to_write_it() -> None:
    assert api_fields("shop/orders") == ["spec.api.namespace=shop", "spec.api.name=orders"]
    with pytest.raises(CliError, match="use --api NAMESPACE/orders"):
        api_fields("orders")


def test_a_version_that_is_there_already_is_said_to_be() -> None:
    raw = samples.client()
    with pytest.raises(CliError, match=r"billing-1\.0 is version 1\.0 already: name another version"):
        new_version(raw, [], "1.0")


def test_release_says_all_its_ways() -> None:
    with pytest.raises(CliError, match=r"give names of clients, a selector \(-l\), or --hold HOLD$"):
        require_one_way(argparse.Namespace(names=[], selector=None), "release", more="--hold HOLD")
    with pytest.raises(CliError, match=r"give names of clients or a selector \(-l\)$"):
        require_one_way(argparse.Namespace(names=[], selector=None), "hold")


def test_an_empty_standard_input_is_no_empty_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed before the pipe must not read as: delete everything."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b" \n")))
    with pytest.raises(CliError, match="standard input is empty"):
        read_stdin()


@pytest.mark.parametrize(("name", "fetch"), [("./nothing", False), ("/nothing/at/all", False), ("no-such-ref", True)])
def test_only_what_can_be_a_revision_is_to_be_fetched(name: str, fetch: bool) -> None:
    with pytest.raises(CliError) as told:
        read_sides(name, name)
    assert ("git fetch" in str(told.value)) is fetch
