"""A report can be read by its owner alone, whatever was there before."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from apiclients.cli.actions import reporting
from apiclients.cli.errors import CliError

REPORT = {"time": "2026-03-01T10:00:00Z", "versions": {}}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_private(tmp_path: Path) -> None:
    reporting.write_report(REPORT, tmp_path / "report.json")
    assert mode(tmp_path / "report.json") == 0o600


def test_a_file_that_was_there_is_private_too(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    target.chmod(0o644)
    with target.open() as earlier:
        reporting.write_report(REPORT, target)
        assert earlier.read() == "old", "who has it open already sees nothing new"
    assert mode(target) == 0o600
    assert '"versions"' in target.read_text()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    reporting.write_report(REPORT, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert mode(tmp_path / "real.json") == 0o600


def test_what_is_no_file_is_written_to_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        reporting.write_report(REPORT, tmp_path / "pipe")
        assert b"versions" in os.read(reader, 4096)
    finally:
        os.close(reader)


def test_nothing_is_left_behind_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CliError, match="cannot be written"):
        reporting.write_report(REPORT, tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []
