"""npm packages for tests, installed from a lock file once per machine."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from cluster.binaries import cache_folder
from cluster.build import exclusively

_SECONDS = 600


class NpmError(Exception):
    """The packages cannot be installed; the message says why."""


def npm_packages(sources: Path) -> Path:
    """The folder node_modules with what ``package-lock.json`` in ``sources`` pins; no script of a package is run.

    Raises NpmError.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NpmError("npm is not on PATH: install Node 20")
    lock = (sources / "package-lock.json").read_bytes()
    folder = cache_folder().parent.parent / sources.name / hashlib.sha256(lock).hexdigest()[:12]
    with exclusively(folder):
        if not (folder / "complete").is_file():
            shutil.copytree(sources, folder, dirs_exist_ok=True)
            _install(npm, folder)
            (folder / "complete").touch()
    return folder / "node_modules"


def _install(npm: str, folder: Path) -> None:
    command = [npm, "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NpmError(f"npm ci took longer than {_SECONDS} s") from None
    if done.returncode != 0:
        raise NpmError(f"npm ci failed: {done.stderr.strip()[-500:]}")
