"""Kubeconfigs: merged and chosen as kubectl does; what needs the official library is left to it."""

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from apiclients.cli import kubeconfig
from apiclients.kube.errors import ConfigurationError
from apiclients.kube.login import Login


def write(path: Path, *, user: dict[str, Any] | None = None, **parts: Any) -> Path:
    """A kubeconfig with one of everything."""
    content = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "team-a"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user or {"token": "t1"}}],
        **parts,
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a kubeconfig, outside of any cluster."""
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


async def test_the_option_wins_over_the_variable_over_the_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="no kubeconfig was found"):
        await kubeconfig.login(None, None)
    (home / ".kube").mkdir()
    for path, server in ((home / ".kube" / "config", "home"), (home / "env", "variable"), (home / "opt", "option")):
        write(path, clusters=[{"name": "c", "cluster": {"server": f"http://{server}"}}])
    assert (await kubeconfig.login(None, None))[0].server == "http://home"
    monkeypatch.setenv("KUBECONFIG", str(home / "env"))
    assert (await kubeconfig.login(None, None))[0].server == "http://variable"
    assert (await kubeconfig.login(home / "opt", None))[0].server == "http://option"
    with pytest.raises(ConfigurationError, match="is not there"):
        await kubeconfig.login(home / "absent", None)


async def test_several_files_are_merged_and_the_first_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "a", user={"token": "first"})
    second = [{"name": "two", "context": {"cluster": "c", "user": "u"}}]
    write(home / "b", contexts=second, user={"token": "second"}, **{"current-context": "two"})
    monkeypatch.setenv("KUBECONFIG", f"{home / 'a'}:{home / 'absent'}:{home / 'b'}")
    login, namespace = await kubeconfig.login(None, None)
    assert (await login.authorization(False), namespace) == ("Bearer first", "team-a")
    login, namespace = await kubeconfig.login(None, "two")
    assert (await login.authorization(False), namespace) == ("Bearer first", "default")


async def test_an_unknown_context_names_the_known_ones(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="no context nine; it has: one"):
        await kubeconfig.login(write(home / "a"), "nine")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"current-context": ""}, "no current context"),
        ({"clusters": []}, "no cluster c"),
        ({"users": []}, "no user u"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "names no server"),
        ({"clusters": [{"cluster": {}}]}, "cannot be read"),
        ({"contexts": "nonsense"}, "cannot be read"),
    ],
)
async def test_what_is_wrong_is_said(home: Path, parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await kubeconfig.login(write(home / "a", **parts), None)


async def test_text_that_is_no_yaml_is_not_quoted(home: Path) -> None:
    (home / "a").write_text("token: [secret-canary")
    with pytest.raises(ConfigurationError, match="cannot be read") as told:
        await kubeconfig.login(home / "a", None)
    assert "canary" not in str(told.value)


async def test_a_token_file_is_found_beside_the_kubeconfig(home: Path) -> None:
    (home / "token").write_text("from-file\n")
    login, _ = await kubeconfig.login(write(home / "a", user={"tokenFile": "token"}), None)
    assert await login.authorization(False) == "Bearer from-file"


async def test_acting_as_somebody_else_is_refused(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="acts as somebody else"):
        await kubeconfig.login(write(home / "a", user={"token": "t", "as": "admin"}), None)


@pytest.mark.parametrize(
    "user", [{"exec": {"command": "x"}}, {"auth-provider": {}}, {"username": "u", "password": "p"}]
)
async def test_the_library_does_what_is_rare(home: Path, monkeypatch: pytest.MonkeyPatch, user: dict[str, Any]) -> None:
    async def load(path: Path | None, context: str | None) -> Login:
        async def header(refused: bool) -> str | None:
            return f"{path} {context}"

        return Login("http://library", None, None, None, header)

    monkeypatch.setattr(kubeconfig, "load_login", load)
    login, namespace = await kubeconfig.login(write(home / "a", user=user), "one")
    assert (login.server, namespace) == ("http://library", "team-a")


async def test_broken_certificates_are_a_sentence(home: Path) -> None:
    data = base64.b64encode(b"no certificate").decode()
    for cluster in ({"certificate-authority-data": data}, {"certificate-authority": "absent.crt"}):
        clusters = [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **cluster}}]
        with pytest.raises(ConfigurationError, match="certificates or tokens cannot be used"):
            await kubeconfig.login(write(home / "a", clusters=clusters), None)


async def test_verification_is_off_only_where_it_is_asked_for(home: Path) -> None:
    for skip, mode in ((True, ssl.CERT_NONE), (False, ssl.CERT_REQUIRED)):
        cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": skip, "tls-server-name": "api"}
        login, _ = await kubeconfig.login(write(home / "a", clusters=[{"name": "c", "cluster": cluster}]), None)
        assert login.ssl_context is not None
        assert (login.ssl_context.verify_mode, login.server_hostname) == (mode, "api")
