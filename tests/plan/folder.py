"""A folder with manifests, in which the plugin is run as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.plan.support import JsonObject

ROOT = Path(__file__).parents[2]
TIME = ("--time", "2026-03-01T10:00:00Z")


class Folder:
    """A folder with manifests, where commands are run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, name: str, *objects: JsonObject) -> Path:
        """Write manifests."""
        return self.write(name, yaml.safe_dump_all(objects))

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def commit(self, message: str) -> str:
        """Commit everything; returns the commit."""
        if not (self.path / ".git").exists():
            self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        """Run git, without anybody's configuration."""
        settings = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        command = ["git", *settings, *arguments]
        return subprocess.run(
            command, cwd=self.path, env=environment, check=True, capture_output=True, text=True, timeout=30
        ).stdout

    def plan(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command, with no cluster configured."""
        return self.run("plan", *TIME, *arguments, stdin=stdin, **environment)

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the plugin."""
        known = {k: v for k, v in os.environ.items() if not k.startswith("KUBE") and k not in ("NO_COLOR", "COLUMNS")}
        known |= {"HOME": str(self.path), "PYTHONPATH": str(ROOT / "operator")} | environment
        command = [sys.executable, "-m", "apiclients.cli.main", *arguments]
        return subprocess.run(
            command, cwd=self.path, env=known, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def json(self, *arguments: str, stdin: str = "") -> Any:
        """The plan as JSON."""
        done = self.plan(*arguments, "-o", "json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
