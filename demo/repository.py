"""The Git repository of the demonstration: commits are the only way in which anything changes."""

import os
import subprocess
from pathlib import Path

from cluster import Cluster

_AUTHOR = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false")


class Repository:
    """A working copy whose folder ``teams/``, with a folder per team, is applied to the cluster as it is."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder = folder
        self._cluster = cluster
        (folder / "teams").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        """Run git here, without the configuration of whoever runs the demonstration. Raises CalledProcessError."""
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            ["git", *_AUTHOR, *arguments],
            cwd=self.folder,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout

    def commit(self, message: str, files: dict[str, str]) -> None:
        """Write files below ``teams/`` and commit them."""
        for name, text in files.items():
            path = self.folder / "teams" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def edit(self, message: str, name: str, old: str, new: str) -> None:
        """Replace a piece of a file and commit. Raises ValueError when the piece is not there exactly once."""
        path = self.folder / "teams" / name
        text = path.read_text()
        if text.count(old) != 1:
            raise ValueError(f"{name} does not hold {old!r} exactly once")
        self.commit(message, {name: text.replace(old, new)})

    def revert(self) -> None:
        """Undo the latest commit by another one."""
        self.git("revert", "--no-edit", "HEAD")

    def apply(self) -> str:
        """Apply the folder with kubectl, as a pipeline would; returns what kubectl said, warnings included."""
        done = self._cluster.kubectl("apply", "-R", "-f", str(self.folder / "teams"))
        return done.stdout + done.stderr

    def log(self) -> str:
        """The history, oldest first."""
        return self.git("log", "--reverse", "--format=%s")
