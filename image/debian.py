"""A base image made of Debian packages, for building and testing where no registry of images can be reached."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from image.errors import ImageError

#: Debian's release and the Python that it has.
RELEASE, PYTHON = "bookworm", "3.11"
_BUILDER_PACKAGES = "python3,python3-pip,ca-certificates"
_SECONDS = 900
_NEEDED = ("buildah", "mmdebstrap")


def install_tools() -> None:
    """Install what making images needs, where that may be done. Raises ImageError that says what is missing."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ImageError(f"{' and '.join(missing)} must be installed first, e.g. apt-get install {' '.join(missing)}.")
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        subprocess.run(("apt-get", "--quiet", *command), check=True, timeout=_SECONDS, stdout=subprocess.DEVNULL)


def make_base(tag: str) -> None:
    """Make an image with Python and pip. Raises ImageError."""
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        include = f"--include={_BUILDER_PACKAGES}"
        _run("mmdebstrap", "--quiet", "--variant=minbase", include, RELEASE, str(context / "base.tar"))
        (context / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
        _run("buildah", "build", "--quiet", f"--tag={tag}", folder)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        raise ImageError(f"{command[0]} failed: {done.stderr.strip()[-1000:]}")
