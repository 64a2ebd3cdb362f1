"""The plugin on the PATH of the real kubectl."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cluster.kubeconfig import find_kubectl

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 90


@dataclass(frozen=True)
class Plugin:
    """Runs ``kubectl apiclient`` against one kubeconfig, in one namespace."""

    folder: Path
    kubeconfig: Path
    namespace: str = "default"
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a shell in which the plugin is installed."""
        path = f"{self.folder}{os.pathsep}{find_kubectl().parent}{os.pathsep}{os.environ['PATH']}"
        home = {"HOME": str(self.folder), "KUBECACHEDIR": str(self.folder / "cache")}
        ours = {"PYTHONPATH": f"{ROOT / 'operator'}", "COLUMNS": "100"}
        return {**os.environ, **home, **ours, "PATH": path, "KUBECONFIG": str(self.kubeconfig), **self.variables}

    def command(self, *words: str) -> list[str]:
        """The command line."""
        return [str(find_kubectl()), "apiclient", "-n", self.namespace, *words]

    def run(
        self, *words: str, folder: Path | None = None, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, without a terminal."""
        return subprocess.run(
            self.command(*words),
            env=self.environment,
            cwd=folder,
            input=input or "",
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def ok(self, *words: str, folder: Path | None = None) -> str:
        """Run it, expecting exit status 0; returns what it printed."""
        done = self.run(*words, folder=folder)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def fails(self, *words: str, status: int = 1) -> str:
        """Run it, expecting an error; returns what it said."""
        done = self.run(*words)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done.stderr

    def complete(self, *words: str) -> list[str]:
        """What kubectl offers for the last word."""
        command = [str(find_kubectl()), "__complete", "apiclient", *words]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
        *candidates, directive = done.stdout.splitlines()
        assert directive == ":4", done.stdout
        return candidates


def install(folder: Path) -> Path:
    """Put the plugin's two programs into a folder, as the console scripts of the distribution would be."""
    for name, module in (("kubectl-apiclient", "main"), ("kubectl_complete-apiclient", "completion")):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m apiclients.cli.{module} "$@"\n')
        script.chmod(0o755)
    return folder
