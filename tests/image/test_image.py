"""The image: both programs start in it as any user, and the same sources give the same image."""

from __future__ import annotations

import json

import pytest

from tests.image.conftest import Image, build
from tests.toolkit.images import buildah

pytestmark = [pytest.mark.image, pytest.mark.timeout(1500)]

_IMPORT_ALL = (
    "import pkgutil, importlib, apiclients\n"
    "names = [found.name for found in pkgutil.walk_packages(apiclients.__path__, 'apiclients.')\n"
    "         if not found.name.endswith('__main__')]\n"
    "[importlib.import_module(name) for name in names]\n"
    "print(len(names))\n"
)


@pytest.mark.parametrize("user", ["65532", "1000700000"])
@pytest.mark.parametrize("program", ["operator", "gate"])
def test_both_programs_start_as_any_user(image: Image, program: str, user: str) -> None:
    done = image.run("python3", "-m", "apiclients", program, "--help", user=user)
    assert done.returncode == 0, done.stderr
    assert f"usage: apiclient-{program}" in done.stdout


def test_every_module_can_be_imported_with_the_runtime_s_requirements_alone(image: Image) -> None:
    done = image.run("python3", "-c", _IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 150


def test_nothing_is_compiled_at_a_start_nor_can_be_written(image: Image) -> None:
    found = image.run("find", "/app", "-name", "*.py", "-newermt", "@0", "-writable")
    assert (found.returncode, found.stdout) == (0, "")
    compiled = image.run("ls", "/app/apiclients/__pycache__")
    assert "operator.cpython-" in compiled.stdout


def test_no_tool_of_the_developers_is_in_it(image: Image) -> None:
    found = image.run("ls", "/app").stdout.split()
    assert "apiclients" in found
    assert not {"pytest", "mypy", "ruff", "tests", "bin", "pip"} & set(found)


def test_what_it_says_of_itself(image: Image) -> None:
    config = json.loads(buildah("inspect", "--type=image", image.name))["OCIv1"]["config"]
    assert (config["User"], config["Entrypoint"]) == ("65532:65532", ["python3", "-m", "apiclients"])
    assert config["Labels"]["org.opencontainers.image.title"] == "apiclient-operator"


def test_the_same_sources_give_the_same_image(image: Image) -> None:
    again = build("localhost/apiclient-operator:again")
    assert again.digest == image.digest
