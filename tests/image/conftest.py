"""The image of both programs, built once, from Debian's packages: no registry of images is needed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from image import debian
from tests.toolkit.images import BASE, build_image, buildah, private_storage


@dataclass(frozen=True)
class Image:
    """A built image, by its name, and a container of it."""

    name: str
    container: str = ""

    @property
    def digest(self) -> str:
        """What it consists of, as one hash."""
        return buildah("inspect", "--type=image", "--format={{.FromImageID}}", self.name).strip()

    def run(self, *arguments: str, user: str = "65532") -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        command = ("buildah", "run", f"--user={user}", self.container, "--", *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def build(name: str) -> Image:
    """Build the image under a name."""
    build_image(name)
    return Image(name)


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Images of the tests alone."""
    with private_storage(tmp_path_factory.mktemp("images")) as folder:
        yield folder


@pytest.fixture(scope="session")
def image(storage: Path) -> Image:
    """The image as ``make image`` builds it, on a base of Debian's packages."""
    debian.make_base(BASE)
    made = build("localhost/apiclient-operator:test")
    return Image(made.name, buildah("from", "--pull-never", made.name).strip())
