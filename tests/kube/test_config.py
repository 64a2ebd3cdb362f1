"""How the API server is reached: kubeconfigs as kubectl takes them, service accounts, exec plugins."""

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from apiclients.kube import config, exec_plugin
from apiclients.kube.config import Login, load_login
from apiclients.kube.errors import ConfigurationError
from apiclients.kube.impersonation import Impersonation


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


async def login_of(path: Path | None, context: str | None) -> Login:
    """As a person's program logs in."""
    return await load_login(path, context, service_account_first=False)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a kubeconfig, outside of any cluster."""
    proxies = ("http_proxy", "https_proxy", "no_proxy")
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", *proxies, *(name.upper() for name in proxies)):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


async def test_the_option_wins_over_the_variable_over_the_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="no kubeconfig was found"):
        await login_of(None, None)
    (home / ".kube").mkdir()
    for path, server in ((home / ".kube" / "config", "home"), (home / "env", "variable"), (home / "opt", "option")):
        write(path, clusters=[{"name": "c", "cluster": {"server": f"http://{server}"}}])
    assert (await login_of(None, None)).server == "http://home"
    monkeypatch.setenv("KUBECONFIG", str(home / "env"))
    assert (await login_of(None, None)).server == "http://variable"
    assert (await login_of(home / "opt", None)).server == "http://option"
    with pytest.raises(ConfigurationError, match="is not there"):
        await login_of(home / "absent", None)


async def test_several_files_are_merged_and_the_first_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "a", user={"token": "first"})
    second = [{"name": "two", "context": {"cluster": "c", "user": "u"}}]
    write(home / "b", contexts=second, user={"token": "second"}, **{"current-context": "two"})
    monkeypatch.setenv("KUBECONFIG", f"{home / 'a'}:{home / 'absent'}:{home / 'b'}")
    login = await login_of(None, None)
    assert (await login.authorization(False), login.namespace) == ("Bearer first", "team-a")
    login = await login_of(None, "two")
    assert (await login.authorization(False), login.namespace) == ("Bearer first", "default")


async def test_an_unknown_context_names_the_known_ones(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="no context nine; it has: one"):
        await login_of(write(home / "a"), "nine")


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
        await login_of(write(home / "a", **parts), None)


async def test_text_that_is_no_yaml_is_not_quoted(home: Path) -> None:
    (home / "a").write_text("token: [secret-canary")
    with pytest.raises(ConfigurationError, match="cannot be read") as told:
        await login_of(home / "a", None)
    assert "canary" not in str(told.value)


async def test_a_token_file_is_found_beside_the_kubeconfig(home: Path) -> None:
    (home / "token").write_text("from-file\n")
    login = await login_of(write(home / "a", user={"tokenFile": "token"}), None)
    assert await login.authorization(False) == "Bearer from-file"


async def test_whom_to_act_as_is_in_the_kubeconfig_or_said(home: Path) -> None:
    user = {
        "token": "t",
        "as": "jane",
        "as-uid": "1-2",
        "as-groups": ["dev", "ops"],
        "as-user-extra": {"example.com/reason 1": ["on call", "müde"]},
    }
    path = write(home / "a", user=user)
    extra = [("Impersonate-Extra-example.com%2Freason%201", value) for value in ("on call", "müde")]
    rest = (("Impersonate-Uid", "1-2"), ("Impersonate-Group", "dev"), ("Impersonate-Group", "ops"), *extra)
    assert (await login_of(path, None)).impersonation == (("Impersonate-User", "jane"), *rest)
    said = Impersonation(user="joe", groups=("qa",))
    mixed = (("Impersonate-User", "joe"), ("Impersonate-Uid", "1-2"), ("Impersonate-Group", "qa"), *extra)
    assert (await load_login(path, None, act_as=said)).impersonation == mixed
    assert (await login_of(write(home / "b"), None)).impersonation == ()


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"as-groups": ["dev"]}, "and no user"),
        ({"as": "jane", "as-groups": "dev"}, "is no list"),
        ({"as": "jane\nX-Other: y"}, "control character"),
    ],
)
async def test_half_an_impersonation_is_refused(home: Path, user: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await login_of(write(home / "a", user={"token": "t", **user}), None)


@pytest.mark.parametrize(
    ("user", "words"),
    [({"auth-provider": {}}, "use an exec plugin"), ({"username": "u", "password": "p"}, "no longer")],
)
async def test_what_kubernetes_has_removed_is_refused(home: Path, user: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await login_of(write(home / "a", user=user), "one")


def plugin(home: Path, script: str, **more: Any) -> Path:
    """A kubeconfig whose user is an exec plugin: a script beside it."""
    path = home / "plugin"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    content = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin", "interactiveMode": "Never"}
    return write(home / "a", user={"exec": content | more})


def answering(**status: str) -> str:
    return f"cat <<'EOF'\n{json.dumps({'status': status})}\nEOF\n"


def an_authority() -> str:
    """Some certificate authority, as PEM."""
    return ssl.DER_cert_to_PEM_cert(ssl.create_default_context().get_ca_certs(binary_form=True)[0])


async def test_an_exec_plugin_beside_the_kubeconfig_is_run_as_asked(home: Path) -> None:
    script = f'echo "$KUBERNETES_EXEC_INFO" > {home}/info; echo "$1 $ACCOUNT" > {home}/asked; ' + answering(
        token="from-plugin"
    )
    path = plugin(home, script, args=["get-token"], env=[{"name": "ACCOUNT", "value": "me"}], provideClusterInfo=True)
    login = await login_of(path, None)
    assert await login.authorization(False) == "Bearer from-plugin"
    assert (home / "asked").read_text() == "get-token me\n"
    info = json.loads((home / "info").read_text())
    assert (info["kind"], info["spec"]["interactive"]) == ("ExecCredential", False)
    assert info["spec"]["cluster"] == {"server": "http://127.0.0.1:1"}


async def test_a_plugin_is_told_of_the_cluster_with_its_authority_and_its_settings(home: Path) -> None:
    pem = an_authority()
    (home / "ca.crt").write_text(pem)
    settings = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    cluster = {
        "server": "https://127.0.0.1:1",
        "tls-server-name": "api",
        "certificate-authority": "ca.crt",
        "proxy-url": "http://proxy:3128",
        "extensions": [{"name": "other", "extension": 1}, settings],
    }
    path = plugin(home, f'echo "$KUBERNETES_EXEC_INFO" > {home}/info; ' + answering(token="t"), provideClusterInfo=True)
    content = json.loads(path.read_text()) | {"clusters": [{"name": "c", "cluster": cluster}]}
    path.write_text(json.dumps(content))
    login = await login_of(path, None)
    assert json.loads((home / "info").read_text())["spec"]["cluster"] == {
        "server": "https://127.0.0.1:1",
        "tls-server-name": "api",
        "certificate-authority-data": base64.b64encode(pem.encode()).decode(),
        "proxy-url": "http://proxy:3128",
        "config": {"audience": "x"},
    }
    assert login.proxy == "http://proxy:3128"


async def test_an_expired_credential_of_a_plugin_is_fetched_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "_REFUSED_SECONDS", 0.0)
    count = f"n=$(cat {home}/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > {home}/n; "
    expired = '{"status": {"token": "t%s", "expirationTimestamp": "2020-01-01T00:00:00Z"}}'
    login = await login_of(plugin(home, count + f"printf '{expired}' $n"), None)
    assert [await login.authorization(False) for _ in range(2)] == ["Bearer t2", "Bearer t3"]


async def test_a_credential_that_lasts_is_kept_until_it_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "_REFUSED_SECONDS", 0.0)
    count = f"n=$(cat {home}/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > {home}/n; "
    login = await login_of(plugin(home, count + 'printf \'{"status": {"token": "t%s"}}\' $n'), None)
    assert [await login.authorization(refused) for refused in (False, False, True)] == [
        "Bearer t1",
        "Bearer t1",
        "Bearer t2",
    ]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "echo secret-canary; exit 3",
            r"exec plugin .*/plugin failed with exit status 3\. The kubeconfig says: Get it",
        ),
        ("kill -9 $$", "was killed by signal 9"),
        ("yes", "answers without end"),
        ("echo secret-canary", "did not answer with an ExecCredential"),
        ("echo '{\"status\": {}}'", "gave no credentials"),
        (answering(clientCertificateData="x"), "without its key"),
    ],
)
async def test_a_plugin_that_fails_is_a_sentence_without_its_output(home: Path, script: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        await login_of(plugin(home, script, installHint="Get it\n at example.com.\n"), None)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("later", ["exit 1", "echo '{\"status\": {}}'"])
async def test_a_plugin_that_fails_later_leaves_nobody_without_credentials(
    home: Path, later: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty answer must not turn into requests of nobody, which end in a refusal that names a role."""
    monkeypatch.setattr(exec_plugin, "_REFUSED_SECONDS", 0.0)
    path = plugin(home, f"[ -e {home}/later ] && {{ {later}; exit; }}; " + answering(token="t1"))
    login = await login_of(path, None)
    (home / "later").touch()
    for refused in (True, False, True):
        with pytest.raises(ConfigurationError, match="exec plugin"):
            await login.authorization(refused)
    (home / "later").unlink()
    assert await login.authorization(False) == "Bearer t1"


async def test_a_plugin_that_is_not_there_is_a_sentence(home: Path) -> None:
    content = {"command": "apiclients-no-such-plugin", "installHint": "Get it at example.com."}
    words = (
        r"apiclients-no-such-plugin cannot be run \(No such file .*\)\. The kubeconfig says: Get it at example\.com$"
    )
    with pytest.raises(ConfigurationError, match=words):
        await login_of(write(home / "a", user={"exec": content}), None)


async def test_a_plugin_that_has_to_ask_needs_a_terminal(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="has to ask somebody"):
        await login_of(plugin(home, answering(token="t"), interactiveMode="Always"), None)


async def test_a_pod_uses_its_account_and_a_person_a_kubeconfig(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    monkeypatch.setattr(config, "SERVICE_ACCOUNT", home)
    with pytest.raises(ConfigurationError, match="the pod's service account cannot be used"):
        await load_login()
    (home / "ca.crt").write_text(an_authority())
    (home / "token").write_text("of-the-pod\n")
    (home / "namespace").write_text("team-p\n")
    login = await load_login()
    assert (login.server, login.namespace) == ("https://[fd00::1]:6443", "team-p")
    assert await login.authorization(False) == "Bearer of-the-pod"
    (home / ".kube").mkdir()
    write(home / ".kube" / "config")
    assert (await load_login()).namespace == "team-p"
    assert (await login_of(None, None)).namespace == "team-a"


async def test_a_proxy_is_used_unless_no_proxy_covers_the_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def at(server: str, **more: str) -> Path:
        return write(home / "a", clusters=[{"name": "c", "cluster": {"server": server, **more}}])

    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,.svc")
    assert (await login_of(at("https://192.0.2.1:6443"), None)).proxy == "http://proxy:3128"
    assert (await login_of(at("https://10.1.2.3:6443"), None)).proxy is None
    assert (
        await login_of(at("https://10.1.2.3:6443", **{"proxy-url": "http://other:1"}), None)
    ).proxy == "http://other:1"
    with pytest.raises(ConfigurationError, match="SOCKS is not supported"):
        await login_of(at("https://10.1.2.3", **{"proxy-url": "socks5://other:1"}), None)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setattr(config, "SERVICE_ACCOUNT", home)
    (home / "ca.crt").write_text(an_authority())
    assert (await load_login()).proxy is None


async def test_broken_certificates_are_a_sentence(home: Path) -> None:
    data = base64.b64encode(b"no certificate").decode()
    (home / "empty.crt").touch()
    for cluster in (
        {"certificate-authority-data": data},
        {"certificate-authority": "absent.crt"},
        {"certificate-authority": "empty.crt"},
    ):
        clusters = [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **cluster}}]
        with pytest.raises(ConfigurationError, match="certificates or tokens cannot be used"):
            await login_of(write(home / "a", clusters=clusters), None)


async def test_verification_is_off_only_where_it_is_asked_for(home: Path) -> None:
    for skip, mode in ((True, ssl.CERT_NONE), (False, ssl.CERT_REQUIRED)):
        cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": skip, "tls-server-name": "api"}
        login = await login_of(write(home / "a", clusters=[{"name": "c", "cluster": cluster}]), None)
        assert login.tls is not None
        assert (login.tls.current().verify_mode, login.server_hostname) == (mode, "api")


async def test_half_a_client_certificate_is_refused(home: Path) -> None:
    (home / "tls.crt").write_text(an_authority())
    clusters = [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]
    with pytest.raises(ConfigurationError, match="without its key"):
        await login_of(write(home / "a", user={"client-certificate": "tls.crt"}, clusters=clusters), None)


async def test_a_token_in_the_kubeconfig_is_read_again_when_it_is_refused(home: Path) -> None:
    path = write(home / "a", user={"token": "t1"})
    login = await login_of(path, None)
    assert await login.authorization(False) == "Bearer t1"
    write(path, user={"token": "t2"})
    assert await login.authorization(True) == "Bearer t2"
    assert await login.authorization(False) == "Bearer t2"


async def test_a_kubeconfig_that_changes_moves_nobody_to_another_cluster(home: Path) -> None:
    other = {"name": "two", "context": {"cluster": "c", "user": "two"}}
    contexts = [{"name": "one", "context": {"cluster": "c", "user": "u"}}, other]
    users = [{"name": "u", "user": {"token": "t1"}}, {"name": "two", "user": {"token": "of-two"}}]
    path = write(home / "a", contexts=contexts, users=users)
    login = await login_of(path, None)
    changed = json.loads(path.read_text()) | {"current-context": "two"}
    path.write_text(json.dumps(changed))
    assert await login.authorization(True) == "Bearer t1"
    write(path, user={"token": "t2"}, clusters=[{"name": "c", "cluster": {"server": "http://127.0.0.1:2"}}])
    assert await login.authorization(True) == "Bearer t1"
    path.write_text("nonsense: [")
    assert await login.authorization(True) == "Bearer t1"
    path.unlink()
    assert await login.authorization(True) == "Bearer t1"
    write(path, user={"token": "t3"})
    assert await login.authorization(True) == "Bearer t3"


@pytest.mark.parametrize("in_pod", [True, False])
async def test_nobody_needs_a_home(home: Path, in_pod: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(nowhere))
    if not in_pod:
        with pytest.raises(ConfigurationError, match="no kubeconfig was found"):
            await login_of(None, None)
        return
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setattr(config, "SERVICE_ACCOUNT", home)
    (home / "ca.crt").write_text(an_authority())
    (home / "token").write_text("of-the-pod\n")
    for first in (True, False):
        assert (await load_login(service_account_first=first)).server == "https://10.0.0.1:443"
