"""Credential plugins of a kubeconfig: programs that print a token or a client certificate.

Their protocol is client.authentication.k8s.io (KEP 541). What a plugin prints is a credential and never shown.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from apiclients.kube.errors import ConfigurationError
from apiclients.kube.kubeconfig import Entry
from apiclients.resources.fields import parse_time

#: A refused credential is fetched again at most once in this time, in seconds; so is one that could not be had.
_REFUSED_SECONDS = 1.0
#: How long an exec plugin may take: a person may have to log in.
_PLUGIN_TIMEOUT = 120.0
#: How long its end may take once it was killed.
_END_TIMEOUT = 2.0
_MOST_OUTPUT = 1024 * 1024
#: A credential is fetched again this long before it expires.
_EARLY = timedelta(seconds=10)
_LONGEST_HINT = 1000
#: Where a cluster of a kubeconfig has what its plugin is to be told as ``config``.
_EXTENSION = "client.authentication.k8s.io/exec"
_CLUSTER_FIELDS = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression")


@dataclass(frozen=True, slots=True)
class Invocation:
    """How a plugin is run."""

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    api_version: str
    #: What it is told of the cluster; None unless the kubeconfig says ``provideClusterInfo``.
    cluster: Mapping[str, Any] | None
    #: Whether it may ask the person at the terminal.
    interactive: bool
    #: What the kubeconfig says to somebody for whom it does not work.
    hint: str

    @classmethod
    def of(cls, content: Mapping[str, Any], folder: Path, cluster: Entry) -> Invocation:
        """From a user of a kubeconfig in a folder. Raises ConfigurationError, OSError."""
        try:
            command = str(content["command"])
            environment = {str(item["name"]): str(item["value"]) for item in content.get("env") or []}
        except (KeyError, TypeError) as error:
            raise ConfigurationError("the kubeconfig's exec plugin has no command, or a variable no value") from error
        if os.sep in command:  # else it is looked for on the PATH
            command = str(folder / command)
        return cls(
            command=command,
            arguments=tuple(str(one) for one in content.get("args") or []),
            environment=environment,
            api_version=str(content.get("apiVersion") or "client.authentication.k8s.io/v1"),
            cluster=_cluster_info(cluster) if content.get("provideClusterInfo") else None,
            interactive=_interactive(str(content.get("interactiveMode") or "IfAvailable"), command),
            hint=" ".join(str(content.get("installHint") or "").split())[:_LONGEST_HINT],
        )

    def problem(self, what: str) -> ConfigurationError:
        """The error that says what went wrong with this plugin, and the kubeconfig's hint."""
        hint = f". The kubeconfig says: {self.hint.rstrip('.')}" if self.hint else ""
        return ConfigurationError(f"the kubeconfig's exec plugin {self.command} {what}{hint}")


@dataclass(slots=True)
class ExecPlugin:
    """A plugin and the credentials that it has given last; it is run again when they expire or are refused."""

    how: Invocation
    #: The client certificate and its key, if it gives them.
    pair: tuple[bytes, bytes] | None = field(default=None, repr=False)
    _token: str | None = field(default=None, repr=False)
    _expires: datetime | None = None
    _problem: str = ""
    _ran_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Run it for the first time. Raises ConfigurationError."""
        await self._run()

    async def header(self, refused: bool) -> str | None:
        """The Authorization header; a ``TokenSource``.

        Raises ConfigurationError when there are no credentials: nothing is ever sent without them instead.
        """
        if self._is_over(refused):
            async with self._lock:
                if self._is_over(refused):
                    await self._run()
        if self._problem:
            raise ConfigurationError(self._problem)
        return f"Bearer {self._token}" if self._token else None

    def _is_over(self, refused: bool) -> bool:
        if time.monotonic() - self._ran_at < _REFUSED_SECONDS:
            return False
        if refused or self._problem:
            return True
        return self._expires is not None and datetime.now(UTC) >= self._expires - _EARLY

    async def _run(self) -> None:
        try:
            self._take(await _output(self.how))
            self._problem = ""
        except ConfigurationError as error:
            self._problem = str(error)
            raise
        finally:
            self._ran_at = time.monotonic()

    def _take(self, answer: bytes) -> None:
        try:
            status: Mapping[str, Any] = orjson.loads(answer)["status"]
            token, expires = status.get("token"), status.get("expirationTimestamp")
            pair = (status.get("clientCertificateData"), status.get("clientKeyData"))
            self._expires = parse_time(expires) if expires else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"did not answer with an ExecCredential ({type(error).__name__})"
            raise self.how.problem(what) from None
        if any(pair) and not all(pair):
            raise self.how.problem("gave a client certificate without its key, or a key without its certificate")
        if not token and not all(pair):
            raise self.how.problem("gave no credentials")
        self._token = str(token) if token else None
        self.pair = (str(pair[0]).encode(), str(pair[1]).encode()) if all(pair) else None


async def _output(how: Invocation) -> bytes:
    """What the plugin prints. Raises ConfigurationError."""
    spec: dict[str, Any] = {"interactive": how.interactive}
    if how.cluster is not None:
        spec["cluster"] = how.cluster
    info = {"apiVersion": how.api_version, "kind": "ExecCredential", "spec": spec}
    try:
        process = await asyncio.create_subprocess_exec(
            how.command,
            *how.arguments,
            stdin=None if how.interactive else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **how.environment, "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()},
            start_new_session=not how.interactive,  # so that all that it started can be ended with it
        )
    except OSError as error:
        raise how.problem(f"cannot be run ({error.strerror or error})") from error
    return await _answer(how, process)


async def _answer(how: Invocation, process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PLUGIN_TIMEOUT):
            answer = bytearray()
            while len(answer) <= _MOST_OUTPUT and (chunk := await process.stdout.read(_MOST_OUTPUT)):
                answer += chunk
            if len(answer) > _MOST_OUTPUT:
                raise how.problem("answers without end")
            status = await process.wait()
    except TimeoutError:
        raise how.problem(f"did not answer within {_PLUGIN_TIMEOUT:.0f} s") from None
    finally:
        await _end(process, whole_group=not how.interactive)
    if status != 0:
        raise how.problem(f"failed with exit status {status}" if status > 0 else f"was killed by signal {-status}")
    return bytes(answer)


async def _end(process: asyncio.subprocess.Process, *, whole_group: bool) -> None:
    """Have nothing of a plugin run on, whatever it does."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL) if whole_group else process.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_TIMEOUT):
            await process.communicate()


def _interactive(mode: str, command: str) -> bool:
    """Whether a plugin may ask somebody. Raises ConfigurationError where it must and cannot."""
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if mode == "Always" and not terminal:
        raise ConfigurationError(
            f"the kubeconfig's exec plugin {command} has to ask somebody (interactiveMode: Always), "
            "and standard input is no terminal"
        )
    return terminal and mode != "Never"


def _cluster_info(cluster: Entry) -> dict[str, Any]:
    """The cluster as a plugin is told of it: its authority as data, wherever it stands. Raises OSError."""
    info = {name: cluster.content[name] for name in _CLUSTER_FIELDS if name in cluster.content}
    if authority := cluster.bytes_of("certificate-authority"):
        info["certificate-authority-data"] = base64.b64encode(authority).decode()
    for extension in cluster.content.get("extensions") or []:
        if isinstance(extension, dict) and extension.get("name") == _EXTENSION:
            info["config"] = extension.get("extension")
    return info
