"""Runs `kubectl kustomize`. It runs no program of the folder: kubectl has plugins and Helm switched off."""

import subprocess
from pathlib import Path

from apiclients.cli.errors import CliError

_SECONDS = 120


def rendered(folder: Path) -> bytes:
    """The objects that a kustomization makes, as YAML. Raises CliError."""
    command = ["kubectl", "kustomize", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise CliError("kubectl is not there: install it, or pass what kustomize makes with -f -") from None
    except subprocess.TimeoutExpired:
        raise CliError(f"kubectl kustomize {folder} did not end within {_SECONDS} s") from None
    if done.returncode != 0:
        reason = " ".join(done.stderr.decode(errors="replace").split()).removeprefix("error: ")
        raise CliError(f"kubectl kustomize {folder} failed: {reason}")
    return done.stdout
