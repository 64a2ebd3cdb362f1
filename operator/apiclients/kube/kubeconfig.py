"""Kubeconfigs, merged and chosen as kubectl does, and read again when they change; no credentials are used here."""

import base64
import binascii
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apiclients.kube.errors import ConfigurationError
from apiclients.kube.impersonation import Impersonation

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A cluster or user, and the folder that its relative paths start from."""

    content: Mapping[str, Any]
    folder: Path

    def bytes_of(self, key: str) -> bytes | None:
        """What stands in ``<key>-data``, else in the file that ``<key>`` names. Raises ConfigurationError, OSError."""
        if data := self.content.get(f"{key}-data"):
            try:
                return base64.b64decode(data, validate=False)
            except binascii.Error as error:
                raise ConfigurationError(f"{key}-data of the kubeconfig is no base64") from error
        path = self.content.get(key)
        return (self.folder / path).read_bytes() if path else None


@dataclass(slots=True)
class Kubeconfig:
    """One or more kubeconfigs, merged as kubectl does: what stands in an earlier file wins."""

    current: str = ""
    contexts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    clusters: dict[str, Entry] = field(default_factory=dict)
    users: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """A context with its cluster and user."""

    context: str
    cluster: Entry
    user: Entry
    namespace: str
    impersonation: Impersonation

    @property
    def server(self) -> str:
        """The URL of the API server; empty if none is named."""
        return str(self.cluster.content.get("server") or "").rstrip("/")

    @property
    def authority(self) -> bytes | None:
        """Who signs the server's certificate, as PEM. Raises ConfigurationError, OSError."""
        return self.cluster.bytes_of("certificate-authority")

    @property
    def pair(self) -> tuple[bytes, bytes] | None:
        """The client certificate and its key, as PEM. Raises ConfigurationError, OSError."""
        certificate, key = self.user.bytes_of("client-certificate"), self.user.bytes_of("client-key")
        if bool(certificate) != bool(key):
            raise ConfigurationError(
                "the kubeconfig's user has a client certificate without its key, or a key without its certificate"
            )
        return (certificate, key) if certificate and key else None


class LiveChoice:
    """The choice, as its files say it now.

    Certificates and tokens follow the files; context and server stay, so that nobody who chooses another context for
    himself moves a running program to another cluster.
    """

    def __init__(self, paths: list[Path], context: str | None) -> None:
        """Raises ConfigurationError."""
        self._paths = paths
        self._contents = _contents(paths)
        self.choice = choose(_merged(paths, self._contents), context)

    def reread(self) -> Choice:
        """The choice, read again; what cannot be used is told in the log, and leaves what was known."""
        try:
            self._follow()
        except ConfigurationError as error:
            logger.warning("the changed kubeconfig is not used: %s", error)
        return self.choice

    def _follow(self) -> None:
        contents = _contents(self._paths)
        if contents == self._contents:
            return
        found = choose(_merged(self._paths, contents), self.choice.context)
        if found.server != self.choice.server:
            raise ConfigurationError(f"context {found.context} has another server now: start anew to use it")
        self.choice, self._contents = found, contents


def files(option: Path | None) -> list[Path]:
    """The files to read: the option, else ``$KUBECONFIG``, else ``~/.kube/config``; those that are there.

    Raises ConfigurationError when the option names a file that is not there.
    """
    if option is not None:
        if not option.is_file():
            raise ConfigurationError(f"kubeconfig {option} is not there")
        return [option]
    if variable := os.environ.get("KUBECONFIG"):
        return [path for part in variable.split(os.pathsep) if part and (path := Path(part)).exists()]
    return _default()


def _default() -> list[Path]:
    """``~/.kube/config``; nothing for a user who has no home, or not that one, as in many containers."""
    try:
        path = Path.home() / ".kube" / "config"
        return [path] if path.is_file() else []
    except (RuntimeError, OSError):
        return []


def read(paths: list[Path]) -> Kubeconfig:
    """Read and merge kubeconfigs. Raises ConfigurationError, which quotes nothing of them."""
    return _merged(paths, _contents(paths))


def _contents(paths: list[Path]) -> list[bytes]:
    try:
        return [path.read_bytes() for path in paths]
    except OSError as error:
        raise ConfigurationError(f"kubeconfig {error.filename} cannot be read ({error.strerror})") from error


def _merged(paths: list[Path], contents: list[bytes]) -> Kubeconfig:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    merged = Kubeconfig()
    for path, content in zip(paths, contents, strict=True):
        try:
            _merge(merged, yaml.load(content, Loader=loader) or {}, path.absolute().parent)  # noqa: S506 - a safe one
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
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


def context_of(config: Kubeconfig, name: str | None) -> tuple[str, Mapping[str, Any]]:
    """The name and the content of the chosen context, or of the current one. Raises ConfigurationError."""
    wanted = name or config.current
    if not wanted:
        raise ConfigurationError("the kubeconfig has no current context")
    if wanted not in config.contexts:
        known = ", ".join(sorted(config.contexts)) or "none"
        raise ConfigurationError(f"the kubeconfig has no context {wanted}; it has: {known}")
    return wanted, config.contexts[wanted]


def choose(config: Kubeconfig, name: str | None) -> Choice:
    """The chosen context, or the current one, with its cluster and user. Raises ConfigurationError."""
    chosen, context = context_of(config, name)
    cluster = _entry(config.clusters, context.get("cluster"), "cluster")
    user = _entry(config.users, context.get("user"), "user") if context.get("user") else Entry({}, Path())
    if "auth-provider" in user.content:
        raise ConfigurationError(
            "the kubeconfig has an auth-provider, which Kubernetes has removed: use an exec plugin"
        )
    if "username" in user.content:
        raise ConfigurationError("the kubeconfig has a user name and a password, which the API server takes no longer")
    namespace = str(context.get("namespace") or "default")
    return Choice(chosen, cluster, user, namespace, Impersonation.of(user.content))


def _entry(entries: Mapping[str, Entry], name: object, what: str) -> Entry:
    if not isinstance(name, str) or name not in entries:
        raise ConfigurationError(f"the kubeconfig has no {what} {name}")
    return entries[name]
