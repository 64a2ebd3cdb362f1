"""Kubeconfigs, read without the official library, which takes longer to import than a command may take to answer.

Clusters, contexts, tokens, token files and client certificates are read here. What needs more (credential plugins,
providers, basic authentication) is left to the library.
"""

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apiclients.kube.errors import ConfigurationError
from apiclients.kube.login import Login, environment_proxy, load_login, token_file_source

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_NEEDS_LIBRARY = ("exec", "auth-provider", "username", "password")
_IMPERSONATES = ("as", "as-uid", "as-groups", "as-user-extra")


@dataclass(frozen=True, slots=True)
class Entry:
    """A cluster or user, and the folder that its relative paths start from."""

    content: Mapping[str, Any]
    folder: Path


@dataclass(slots=True)
class Kubeconfig:
    """One or more kubeconfigs, merged as kubectl does: what stands in an earlier file wins."""

    current: str = ""
    contexts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    clusters: dict[str, Entry] = field(default_factory=dict)
    users: dict[str, Entry] = field(default_factory=dict)


def files(option: Path | None) -> list[Path]:
    """The files to read: the option, else ``$KUBECONFIG``, else ``~/.kube/config``; those that are there.

    Raises ConfigurationError when the option names a file that is not there.
    """
    if option is not None:
        if not option.is_file():
            raise ConfigurationError(f"kubeconfig {option} is not there")
        return [option]
    variable = os.environ.get("KUBECONFIG")
    paths = [Path(part) for part in variable.split(os.pathsep) if part] if variable else [_default()]
    return [path for path in paths if path.is_file()]


def read(paths: list[Path]) -> Kubeconfig:
    """Read and merge kubeconfigs. Raises ConfigurationError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    merged = Kubeconfig()
    for path in paths:
        try:
            content = yaml.load(path.read_bytes(), Loader=loader) or {}  # noqa: S506 - a safe one
            _merge(merged, content, path.absolute().parent)
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"kubeconfig {path} cannot be read ({type(error).__name__})") from error
    return merged


def _merge(into: Kubeconfig, content: Mapping[str, Any], folder: Path) -> None:
    into.current = into.current or content.get("current-context") or ""
    for item in content.get("contexts") or []:
        into.contexts.setdefault(item["name"], item.get("context") or {})
    for item in content.get("clusters") or []:
        into.clusters.setdefault(item["name"], Entry(item.get("cluster") or {}, folder))
    for item in content.get("users") or []:
        into.users.setdefault(item["name"], Entry(item.get("user") or {}, folder))


def context_of(config: Kubeconfig, name: str | None) -> Mapping[str, Any]:
    """The chosen context, or the current one. Raises ConfigurationError."""
    wanted = name or config.current
    if not wanted:
        raise ConfigurationError("the kubeconfig has no current context")
    if wanted not in config.contexts:
        known = ", ".join(sorted(config.contexts)) or "none"
        raise ConfigurationError(f"the kubeconfig has no context {wanted}; it has: {known}")
    return config.contexts[wanted]


def in_cluster_namespace() -> str | None:
    """The namespace of the pod that this runs in, if it runs in one."""
    path = _SERVICE_ACCOUNT / "namespace"
    return path.read_text().strip() if path.is_file() else None


async def login(option: Path | None, context: str | None) -> tuple[Login, str]:
    """How to reach the API server, and the namespace that holds unless another is named. Raises ConfigurationError."""
    paths = files(option)
    if not paths:
        if context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            return await load_login(), in_cluster_namespace() or "default"
        raise ConfigurationError("no kubeconfig was found")
    config = read(paths)
    chosen = context_of(config, context)
    namespace = str(chosen.get("namespace") or "default")
    cluster = _entry(config.clusters, chosen.get("cluster"), "cluster")
    user = _entry(config.users, chosen.get("user"), "user") if chosen.get("user") else Entry({}, Path())
    if any(key in user.content for key in _IMPERSONATES):
        raise ConfigurationError("the kubeconfig acts as somebody else (as:), which this program cannot do")
    if any(key in user.content for key in _NEEDS_LIBRARY):
        return await load_login(option, context), namespace
    return _login(cluster, user), namespace


def _entry(entries: Mapping[str, Entry], name: object, what: str) -> Entry:
    if not isinstance(name, str) or name not in entries:
        raise ConfigurationError(f"the kubeconfig has no {what} {name}")
    return entries[name]


def _login(cluster: Entry, user: Entry) -> Login:
    server = str(cluster.content.get("server") or "").rstrip("/")
    if not server:
        raise ConfigurationError("the kubeconfig names no server")
    try:
        return Login(
            server=server,
            ssl_context=_tls(cluster, user) if server.startswith("https") else None,
            server_hostname=cluster.content.get("tls-server-name"),
            proxy=cluster.content.get("proxy-url") or environment_proxy(server),
            authorization=_authorization(user),
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the kubeconfig's certificates or tokens cannot be used: {error}") from error


def _authorization(user: Entry) -> Any:
    if file := user.content.get("tokenFile"):
        return token_file_source(user.folder / file)
    token = user.content.get("token")

    async def header(refused: bool) -> str | None:  # noqa: ARG001 - there is no other one
        return f"Bearer {token}" if token else None

    return header


def _tls(cluster: Entry, user: Entry) -> ssl.SSLContext:
    authority = _bytes(cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = _bytes(user, "client-certificate"), _bytes(user, "client-key")
    if certificate and key:
        _load_pair(context, certificate, key)
    if cluster.content.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _bytes(entry: Entry, key: str) -> bytes | None:
    """What stands in ``<key>-data``, else in the file that ``<key>`` names."""
    if data := entry.content.get(f"{key}-data"):
        try:
            return base64.b64decode(data, validate=False)
        except binascii.Error as error:
            raise ConfigurationError(f"{key}-data of the kubeconfig is no base64") from error
    path = entry.content.get(key)
    return (entry.folder / path).read_bytes() if path else None


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # OpenSSL takes them from files only; these are readable by their owner alone, and gone at once.
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder) / "pair.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(certificate.rstrip() + b"\n" + key)
        context.load_cert_chain(pair)


def _default() -> Path:
    return Path.home() / ".kube" / "config"
