"""The wheels of the runtime, downloaded for the image's Python and platform, each checked against the lock's hashes."""

import shutil
import subprocess
import sys
from pathlib import Path

from image.errors import ImageError

LOCK = Path("requirements-runtime.lock")
WHEELS = Path("build/wheels")
#: Wheels for these run on every Linux with glibc 2.28 or newer.
_PLATFORMS = {
    "amd64": ("manylinux_2_28_x86_64", "manylinux2014_x86_64"),
    "arm64": ("manylinux_2_28_aarch64", "manylinux2014_aarch64"),
}
_SECONDS = 900


def download(root: Path, python: str, architecture: str) -> Path:
    """Download all wheels for a Python such as ``3.13`` into ``build/wheels``, anew; returns the folder.

    Raises ImageError.
    """
    if architecture not in _PLATFORMS:
        raise ImageError(f"No wheels are known for {architecture}: it must be one of {', '.join(_PLATFORMS)}.")
    target = root / WHEELS
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    platforms = [f"--platform={platform}" for platform in _PLATFORMS[architecture]]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary=:all:", "--require-hashes", f"--requirement={root / LOCK}"),
        *(f"--python-version={python}", *platforms, f"--dest={target}"),
    ]
    done = subprocess.run(command, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        raise ImageError(
            f"The wheels for Python {python} on {architecture} could not be downloaded: see pip's message."
        )
    return target
