"""Images for tests, built by buildah on a base of Debian's packages: no registry is needed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image import debian

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/python:debian"
FLAGS = "--network=host --pull-never --no-cache"


@contextmanager
def private_storage(folder: Path) -> Iterator[Path]:
    """Let buildah keep its images in ``folder``: nothing of the machine's is seen or changed."""
    debian.install_tools()
    config = folder / "storage.conf"
    config.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n')
    before = dict(os.environ)
    os.environ |= {"CONTAINERS_STORAGE_CONF": str(config), "BUILDAH_ISOLATION": "chroot"}
    try:
        yield folder
    finally:
        subprocess.run(("buildah", "rmi", "--all", "--force"), check=False, capture_output=True, timeout=300)
        os.environ.clear()
        os.environ |= before


def buildah(*arguments: str) -> str:
    """What buildah prints."""
    done = subprocess.run(("buildah", *arguments), capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


def build_image(name: str, root: Path = ROOT) -> None:
    """Build the image of the sources in ``root`` as ``make image`` does, on the base of Debian's packages."""
    options = ["--builder=buildah", f"--base={BASE}", f"--python={debian.PYTHON}", f"--tag={name}", f"--flags={FLAGS}"]
    command = [sys.executable, "-m", "image", *options]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
