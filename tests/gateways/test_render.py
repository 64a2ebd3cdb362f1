"""Filling in the templates: nothing can change what a configuration means, and every placeholder is explained."""

import os
import re
from pathlib import Path

import pytest

from examples.gateways.render import (
    EXAMPLES,
    GATEWAYS,
    LIMITERS,
    NGINX,
    SHARED_LIMITER,
    Gateway,
    GatewayError,
    Places,
)

TEMPLATES = sorted(EXAMPLES.rglob("*.template"))


def _places(folder: Path, gate: str = "gate:8080", upstream: str = "api:80") -> Places:
    return Places(
        "127.0.0.1:8000", [gate, "other:8080"], upstream, folder, ("shop", "orders"), "127.0.0.1:9001", "store:6379"
    )


@pytest.mark.parametrize("address", ["", "gate", "http://gate:8080", "gate:8080; root /", "a b:1", "gate:8080\n"])
def test_an_address_cannot_change_the_configuration(tmp_path: Path, address: str) -> None:
    with pytest.raises(GatewayError, match="GATE_A must be host:port"):
        NGINX.write(_places(tmp_path, gate=address))


def test_a_folder_or_an_api_cannot_change_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="cannot be told of the folder"):
        NGINX.write(_places(tmp_path / 'a"b'))
    with pytest.raises(GatewayError, match="named by namespace and name"):
        NGINX.write(Places("a:1", ["b:2"], "c:3", tmp_path, ("shop", "orders; return 200")))


def test_a_third_gate_is_not_forgotten(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="two gates, not 3"):
        NGINX.write(Places("a:1", ["b:2", "c:3", "d:4"], "e:5", tmp_path))


@pytest.mark.parametrize("gateway", [*GATEWAYS, *LIMITERS, SHARED_LIMITER], ids=lambda gateway: gateway.folder)
def test_all_is_filled_in(tmp_path: Path, gateway: Gateway) -> None:
    gateway.write(_places(tmp_path))
    written = sorted(tmp_path.iterdir())
    assert (tmp_path / gateway.main) in written
    assert not [path for path in written if "${" in path.read_text()]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_placeholder_is_explained(template: Path) -> None:
    text = "".join(path.read_text() for path in template.parent.glob("*.template"))
    named = re.findall(r"^#   ([A-Z_]+(?:, [A-Z_]+)*)  ", text, re.MULTILINE)
    explained = {name for names in named for name in names.split(", ")}
    assert set(re.findall(r"\$\{(\w+)\}", template.read_text())) <= explained


@pytest.mark.parametrize("gateway", GATEWAYS, ids=lambda gateway: gateway.name)
def test_the_program_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert os.access(gateway.find(), os.X_OK), "the one of the wheel"
    own = tmp_path / gateway.program
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert gateway.find() == own
