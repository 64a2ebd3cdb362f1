"""What the image is said to be made from, without building one."""

import pytest

from image.__main__ import _git


def test_sources_without_git_have_no_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert _git("rev-parse", "HEAD") == ""
