"""The API server's authority and all client certificates are replaced: clients go on, however they log in."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from apiclients.kube import config
from apiclients.kube.client import NAMESPACES, KubeClient
from apiclients.kube.errors import KubeError
from cluster import LocalCluster
from cluster.kubeconfig import certificate_user, verified_server, write_kubeconfig
from cluster.pki import Pair
from tests.toolkit.waiting import async_eventually


@pytest.fixture(scope="module")
def own() -> Iterator[LocalCluster]:
    """A cluster of its own: whoever shares one keeps its certificates."""
    with LocalCluster() as running:
        account = "--serviceaccount=default:default"
        running.kubectl("create", "clusterrolebinding", "default-views", "--clusterrole=view", account)
        yield running


class Logins:
    """One way to log in for each place that certificates come from, and what replaces them there."""

    def __init__(self, cluster: LocalCluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self.account = folder / "account"
        self.account.mkdir()
        pki = cluster.data_dir / "pki"
        self._admin = Pair(pki / "admin.crt", pki / "admin.key")

    def write_account(self) -> None:
        """A pod's service account."""
        shutil.copy(self._cluster.ca_file, self.account / "ca.crt")
        token = self._cluster.kubectl("create", "token", "default").stdout
        (self.account / "token").write_text(token)

    def write_data(self) -> Path:
        """A kubeconfig that holds everything itself."""
        server = verified_server(self._cluster.server, self._cluster.ca_file)
        return write_kubeconfig(self._folder / "data", server, certificate_user(self._admin))

    def write_files(self) -> Path:
        """A kubeconfig that names files beside it."""
        for path in (self._cluster.ca_file, self._admin.certificate, self._admin.key):
            shutil.copy(path, self._folder / path.name)
        server = {"server": self._cluster.server, "certificate-authority": "ca.crt"}
        return write_kubeconfig(
            self._folder / "files", server, {"client-certificate": "admin.crt", "client-key": "admin.key"}
        )

    def write_plugin(self) -> Path:
        """A kubeconfig whose exec plugin gives a client certificate."""
        status = {
            "clientCertificateData": self._admin.certificate.read_text(),
            "clientKeyData": self._admin.key.read_text(),
        }
        (self._folder / "credential").write_text(json.dumps({"kind": "ExecCredential", "status": status}))
        path = self._folder / "plugin"
        path.write_text(f"#!/bin/sh\ncat '{self._folder / 'credential'}'\n")
        path.chmod(0o755)
        authority = base64.b64encode(self._cluster.ca_file.read_bytes()).decode()
        user: dict[str, Any] = {"exec": {"command": "./plugin", "interactiveMode": "Never"}}
        server = {"server": self._cluster.server, "certificate-authority-data": authority}
        return write_kubeconfig(self._folder / "with-plugin", server, user)

    def write_all(self) -> None:
        """What those do who keep certificates fresh."""
        self.write_account()
        for write in self.kubeconfigs:
            write()

    @property
    def kubeconfigs(self) -> tuple[Callable[[], Path], ...]:
        """All but the pod's account."""
        return self.write_data, self.write_files, self.write_plugin


@pytest.fixture
def logins(own: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Logins:
    host, _, port = own.server.removeprefix("https://").rpartition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    made = Logins(own, tmp_path)
    monkeypatch.setattr(config, "SERVICE_ACCOUNT", made.account)
    made.write_account()
    return made


@pytest.fixture
async def clients(logins: Logins) -> AsyncIterator[dict[str, KubeClient]]:
    """Connected in all ways, from before the rotation."""
    async with AsyncExitStack() as stack:
        found = {"account": await stack.enter_async_context(await KubeClient.connect(user_agent="t/1"))}
        for write in logins.kubeconfigs:
            client = await KubeClient.connect(kubeconfig=write(), user_agent="t/1")
            found[write.__name__.removeprefix("write_")] = await stack.enter_async_context(client)
        yield found


async def works(client: KubeClient) -> bool:
    try:
        await client.get(NAMESPACES, None, "default")
    except KubeError:
        return False
    return True


async def until_works(name: str, client: KubeClient) -> None:
    await async_eventually(f"{name} works", lambda: works(client))


async def status_by_session(client: KubeClient, session: aiohttp.ClientSession) -> int:
    """What kopf's way to the API server is answered; 0 for nothing."""
    try:
        async with session.get(f"{client.server}/api/v1/namespaces/default") as response:
            return response.status
    except aiohttp.ClientError:
        return 0


async def test_clients_and_the_session_of_kopf_outlive_a_rotation(
    own: LocalCluster, logins: Logins, clients: dict[str, KubeClient]
) -> None:
    async with AsyncExitStack() as stack:
        sessions = {name: await stack.enter_async_context(one.new_session(2)) for name, one in clients.items()}
        for name, client in clients.items():
            await until_works(name, client)
            assert await status_by_session(client, sessions[name]) == 200, name
        own.rotate_certificates()
        for name, client in clients.items():
            assert not await works(client), f"{name} does not trust the new authority yet"
        logins.write_all()
        for name, client in clients.items():
            await until_works(name, client)
            session = sessions[name]

            async def answered(client: KubeClient = client, session: aiohttp.ClientSession = session) -> bool:
                return await status_by_session(client, session) == 200

            await async_eventually(f"the session of {name} works again", answered)


async def test_the_next_request_is_enough(own: LocalCluster, logins: Logins, clients: dict[str, KubeClient]) -> None:
    """Certificates that were replaced in time are not noticed by anybody: no request fails."""
    for name, client in clients.items():
        await until_works(name, client)
    own.rotate_certificates()
    logins.write_all()
    for name, client in clients.items():
        assert await client.get(NAMESPACES, None, "default"), name
