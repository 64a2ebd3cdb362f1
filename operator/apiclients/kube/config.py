"""How to reach the API server: one way for operator, gate and plugin.

A kubeconfig or the pod's service account gives the address, the certificates and the credentials. They are read here
and not by the official library: it takes a quarter of a second to import, reads a token file only once, and lets nobody
ask for a fresh credential when one is refused (docs/decisions/0011).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apiclients.kube import kubeconfig
from apiclients.kube.credentials import TokenSource, kubeconfig_source, token_file_source
from apiclients.kube.errors import ConfigurationError
from apiclients.kube.exec_plugin import ExecPlugin, Invocation
from apiclients.kube.impersonation import Impersonation
from apiclients.kube.proxy import checked_proxy, environment_proxy
from apiclients.kube.tls import Tls, TlsMaterial

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Login:
    """What a connection needs. TLS and authorization follow the files that they come from."""

    server: str
    #: None for a server that speaks plain HTTP.
    tls: Tls | None
    #: The name to verify, where it is not that in the URL.
    server_hostname: str | None
    proxy: str | None
    authorization: TokenSource
    #: Headers that say whom to act as.
    impersonation: tuple[tuple[str, str], ...] = ()
    #: What holds unless another namespace is named.
    namespace: str = "default"


async def load_login(
    path: Path | None = None,
    context: str | None = None,
    *,
    service_account_first: bool = True,
    act_as: Impersonation | None = None,
) -> Login:
    """The named kubeconfig; else the pod's service account; else ``$KUBECONFIG`` or ``~/.kube/config``.

    A context alone means a kubeconfig. A person's program looks at kubeconfigs first (``service_account_first=False``),
    as kubectl does. ``act_as`` goes over what the kubeconfig says. Raises ConfigurationError.
    """
    act_as = act_as or Impersonation()
    in_cluster = path is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ
    if in_cluster and service_account_first:
        return _from_service_account(act_as)
    files = kubeconfig.files(path)
    if in_cluster and not files:
        return _from_service_account(act_as)
    if not files:
        raise ConfigurationError("no kubeconfig was found")
    return await _from_kubeconfig(kubeconfig.LiveChoice(files, context), act_as)


def _from_service_account(act_as: Impersonation) -> Login:
    """The account of the pod (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/)."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    authority, namespace = SERVICE_ACCOUNT / "ca.crt", SERVICE_ACCOUNT / "namespace"
    try:
        return Login(
            server=server,
            tls=Tls(lambda: TlsMaterial(authority.read_text())),
            server_hostname=None,
            proxy=environment_proxy(server, os.environ),
            authorization=token_file_source(SERVICE_ACCOUNT / "token"),
            impersonation=tuple(act_as.headers()),
            namespace=namespace.read_text().strip() if namespace.is_file() else "default",
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the pod's service account cannot be used: {error}") from error


async def _from_kubeconfig(live: kubeconfig.LiveChoice, act_as: Impersonation) -> Login:
    chosen = live.choice
    if not chosen.server:
        raise ConfigurationError("the kubeconfig names no server")
    try:
        plugin = await _plugin(chosen)
        proxy = chosen.cluster.content.get("proxy-url")
        return Login(
            server=chosen.server,
            tls=Tls(_material(live, plugin)) if chosen.server.startswith("https") else None,
            server_hostname=chosen.cluster.content.get("tls-server-name"),
            proxy=checked_proxy(str(proxy)) if proxy else environment_proxy(chosen.server, os.environ),
            authorization=plugin.header if plugin is not None else _authorization(live),
            impersonation=tuple(act_as.over(chosen.impersonation).headers()),
            namespace=chosen.namespace,
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the kubeconfig's certificates or tokens cannot be used: {error}") from error


async def _plugin(chosen: kubeconfig.Choice) -> ExecPlugin | None:
    """The credential plugin of the user, run once; None if there is none."""
    user = chosen.user
    if "exec" not in user.content or user.content.get("tokenFile"):
        return None
    plugin = ExecPlugin(Invocation.of(user.content["exec"], user.folder, chosen.cluster))
    await plugin.start()
    return plugin


def _authorization(live: kubeconfig.LiveChoice) -> TokenSource:
    user = live.choice.user
    if file := user.content.get("tokenFile"):
        return token_file_source(user.folder / file)
    return kubeconfig_source(live)


def _material(live: kubeconfig.LiveChoice, plugin: ExecPlugin | None) -> Callable[[], TlsMaterial]:
    """What TLS is made of, read anew each time: data in the kubeconfig, files that it names, what its plugin gave."""

    def read() -> TlsMaterial:
        chosen = live.reread()
        authority = chosen.authority
        return TlsMaterial(
            authority=authority.decode() if authority is not None else None,
            pair=chosen.pair if plugin is None or plugin.pair is None else plugin.pair,
            verify=not chosen.cluster.content.get("insecure-skip-tls-verify"),
        )

    return read
