"""Where the API server is and how to prove who we are: configuration, TLS and tokens.

The official library loads the configuration. Token files, which are rotated, are read again here: the library reads the
one of a kubeconfig only once and that of a pod at most once a minute, even when its token is refused. The credential of
an exec plugin is renewed as well.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from apiclients.kube.errors import ConfigurationError

if TYPE_CHECKING:  # importing the library takes a quarter of a second, which a program with a Login of its own saves
    from kubernetes.aio.client.configuration import Configuration

TokenSource = Callable[[bool], Awaitable[str | None]]
"""Returns the Authorization header; True asks for a fresh one because the API server refused the last."""

_REREAD_SECONDS = 10.0
_PLUGIN_SECONDS = 60.0
_REFUSED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Login:
    """What a connection needs: the server's URL, the TLS context, the name to verify, a proxy, and the credentials."""

    server: str
    ssl_context: ssl.SSLContext | None
    server_hostname: str | None
    proxy: str | None
    authorization: TokenSource


async def load_login(kubeconfig: Path | None = None, context: str | None = None) -> Login:
    """Load the configuration: the named kubeconfig; else the pod's service account; else $KUBECONFIG or ~/.kube/config.

    A context alone means a kubeconfig. Raises ConfigurationError.
    """
    from kubernetes.aio import config as kube_config
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.config import incluster_config

    try:
        in_cluster = kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ
        configuration = Configuration()
        if in_cluster:
            kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            source = token_file_source(Path(incluster_config.SERVICE_TOKEN_FILENAME))
        else:
            source = await _load_kubeconfig(configuration, kubeconfig, context)
        return _login(configuration, source)
    except (kube_config.ConfigException, OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise ConfigurationError(f"no usable Kubernetes configuration: {error}") from error


async def _load_kubeconfig(configuration: Configuration, path: Path | None, context: str | None) -> TokenSource:
    from kubernetes.aio import config as kube_config

    files = str(path) if path else os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    if path and not path.is_file():  # noqa: ASYNC240 - once, at the start
        raise ConfigurationError(f"kubeconfig {path} is not there")
    loader = await kube_config.load_kube_config(  # type: ignore[no-untyped-call]
        config_file=files, context=context, client_configuration=configuration, persist_config=False
    )
    user = loader._user
    token_file = user.safe_get("tokenFile") if user is not None else None
    if token_file:
        return token_file_source(Path(loader._get_base_path(user.path)) / token_file)
    if user is not None and user.safe_get("exec"):
        return _plugin(loader, configuration)
    return _hooked(configuration)


def _login(configuration: Configuration, source: TokenSource) -> Login:
    server = str(configuration.host).rstrip("/")
    return Login(
        server=server,
        ssl_context=_ssl_context(configuration) if server.startswith("https") else None,
        server_hostname=configuration.tls_server_name,
        proxy=configuration.proxy or environment_proxy(server),
        authorization=source,
    )


def _ssl_context(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:  # only if the kubeconfig says insecure-skip-tls-verify
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.disable_strict_ssl_verification:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def environment_proxy(server: str) -> str | None:
    """The proxy for a server by the usual variables; none for this machine itself."""
    # Not aiohttp's trust_env: that would also take credentials out of ~/.netrc.
    url = urlsplit(server)
    host = url.hostname or ""
    if urllib.request.proxy_bypass(host) or host in {"localhost", "127.0.0.1", "::1"}:
        return None
    return urllib.request.getproxies().get(url.scheme)


def _hooked(configuration: Configuration) -> TokenSource:
    """Credentials as the library keeps them and its hook, if it has set one, renews them."""

    async def header(refused: bool) -> str | None:  # noqa: ARG001
        value: str | None = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return value.strip() if value else None

    return header


def token_file_source(path: Path) -> TokenSource:
    """Credentials in a file that somebody else keeps fresh."""
    value = ""
    read_at = -_REREAD_SECONDS

    async def header(refused: bool) -> str | None:
        nonlocal value, read_at
        now = time.monotonic()
        if refused or now - read_at >= _REREAD_SECONDS or not value:
            try:
                value = path.read_text().strip() or value  # noqa: ASYNC240 - a local file of one line
            except OSError:
                if not value:
                    raise
            read_at = now
        return f"Bearer {value}"

    return header


def _plugin(loader: Any, configuration: Configuration) -> TokenSource:
    """Credentials of an exec plugin, run again when they expire or are refused, at most once a minute."""
    if "token" not in loader.__dict__ and "cert_file" not in loader.__dict__:
        raise ConfigurationError("the kubeconfig's exec plugin gave no credentials")
    ran_at = time.monotonic()
    lock = asyncio.Lock()

    async def header(refused: bool) -> str | None:
        nonlocal ran_at
        expires = "exec_plugin_expiry" in loader.__dict__
        if (refused or expires) and time.monotonic() - ran_at >= (_REFUSED_SECONDS if refused else _PLUGIN_SECONDS):
            async with lock:
                if time.monotonic() - ran_at >= _REFUSED_SECONDS:
                    if refused:
                        loader.__dict__.pop("exec_plugin_expiry", None)
                    await loader.load_from_exec_plugin()
                    ran_at = time.monotonic()
        token: str | None = loader.__dict__.get("token") or configuration.api_key.get("BearerToken")
        return token.strip() if token else None

    return header
