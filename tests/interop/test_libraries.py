"""Client and verifier libraries as their users use them, against a real gate on a real API server."""

import shutil
import subprocess

import pytest

from tests.interop.dialogue import Dialogue
from tests.interop.programs import INTEROP, OTHERS, PYTHON, cases
from tests.interop.scene import Scene
from tests.interop.steps import Step


@pytest.mark.parametrize(("program", "step"), [*cases(PYTHON), *cases(OTHERS, *INTEROP)], indirect=["program"])
def test_the_library(scene: Scene, program: Dialogue, step: Step) -> None:
    step(scene, program)


@pytest.mark.interop
@pytest.mark.parametrize("way", ["basic", "form"])
def test_curl_offers_http2(scene: Scene, way: str) -> None:
    """In clear text the offer is ignored (RFC 9110 section 7.8): curl goes on in HTTP/1.1, and the body is not lost."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not on PATH: install curl to test its offer of HTTP/2")
    client = scene.client
    told = {
        "basic": ("--user", f"{client.client_id}:{client.client_secret}"),
        "form": ("--data", f"client_id={client.client_id}", "--data", f"client_secret={client.client_secret}"),
    }[way]
    options = ("--silent", "--http2", "--max-time", "10", "--write-out", "%{stderr}%{http_code} %{http_version}")
    done = subprocess.run(
        [curl, *options, *told, "--data", "grant_type=client_credentials", f"{scene.cleartext}/token"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "200 1.1"), done.stdout
