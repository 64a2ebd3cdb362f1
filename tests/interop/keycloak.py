"""A real Keycloak, from Maven Central: a realm with one client, whose tokens are for the audience of some APIs."""

import contextlib
import hashlib
import json
import ssl
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cluster.binaries import cache_folder
from cluster.build import exclusively
from cluster.pki import ensure_pki
from cluster.programs import free_port
from demo.calls import Answer, request
from demo.service import Service
from tests.interop.programs import need
from tests.toolkit.waiting import eventually

VERSION = "26.5.6"
_SHA256 = "fa3dd5df90b9ac006712c2f0991be4e8a6cb30ac538e0439ce2f45fc40f4c692"
_FETCH_SECONDS = 900
#: It compiles itself on its first start.
_START_SECONDS = 300.0
#: What it does for the first time takes long.
_ANSWER_SECONDS = 60.0
_ADMIN = {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": "only-while-a-test-runs"}
_REALM = "shop"


@dataclass(frozen=True, slots=True)
class Keycloak:
    """A running one. Its answers that are no success fail the test."""

    url: str
    authority: Path

    @property
    def issuer(self) -> str:
        """The claim ``iss`` of its tokens."""
        return f"{self.url}/realms/{_REALM}"

    def make_realm(self, client: str, audience: str) -> None:
        """A realm with a client whose tokens are for an audience. Its secret is its name."""
        mapper = {
            "name": "audience",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": audience, "access.token.claim": "true"},
        }
        made = {
            "clientId": client,
            "secret": client,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "protocolMappers": [mapper],
        }
        self._admin("POST", "/admin/realms", {"realm": _REALM, "enabled": True, "clients": [made]})

    def rotate_keys(self) -> None:
        """Sign with a new key from now on; the former is published for its tokens."""
        config = {"priority": ["1000"], "algorithm": ["RS256"], "keySize": ["2048"]}
        kind = "org.keycloak.keys.KeyProvider"
        body = {"name": "newer", "providerId": "rsa-generated", "providerType": kind, "config": config}
        self._admin("POST", f"/admin/realms/{_REALM}/components", body)

    def enable(self, client: str, *, enabled: bool) -> None:
        """Whether it gives a client tokens."""
        (found,) = self._admin("GET", f"/admin/realms/{_REALM}/clients?clientId={client}")
        self._admin("PUT", f"/admin/realms/{_REALM}/clients/{found['id']}", {**found, "enabled": enabled})

    def ask_token(self, client: str) -> Answer:
        """What it answers to a client's request for a token."""
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": client}
        return self._post_form(f"/realms/{_REALM}/protocol/openid-connect/token", form)

    def token(self, client: str) -> str:
        """A token of a client."""
        answer = self.ask_token(client)
        assert answer.status == 200, answer.body
        return str(answer.json()["access_token"])

    def _admin(self, method: str, path: str, body: Any = None) -> Any:
        name, password = _ADMIN.values()
        form = {"grant_type": "password", "client_id": "admin-cli", "username": name, "password": password}
        token = self._post_form("/realms/master/protocol/openid-connect/token", form).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        answer = self._request(method, path, headers, data)
        assert answer.status < 300, (method, path, answer.status, answer.body)
        return json.loads(answer.body) if answer.body else None

    def _post_form(self, path: str, form: dict[str, str]) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._request("POST", path, headers, urlencode(form).encode())

    def _request(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        tls = ssl.create_default_context(cafile=str(self.authority))
        return request(method, self.url + path, headers=headers, body=body, tls=tls, seconds=_ANSWER_SECONDS)


@contextlib.contextmanager
def keycloak(folder: Path) -> Iterator[Keycloak]:
    """A Keycloak of its own, with nothing but its administrator. Raises MissingToolError without Java or Maven."""
    java, home, port, pki = need("java"), distribution(), free_port(), ensure_pki(folder / "pki")
    management = free_port()
    command = [
        *(str(home / "bin" / "kc.sh"), "start-dev", "--db=dev-mem", "--cache=local", "--http-enabled=false"),
        *("--http-host=127.0.0.1", f"--https-port={port}", f"--http-management-port={management}"),
        *(f"--https-certificate-file={pki.server.certificate}", f"--https-certificate-key-file={pki.server.key}"),
    ]
    environment = {**_ADMIN, "JAVA": java, "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"}
    service = Service("keycloak", command, folder / "keycloak.log", environment=environment)
    running = Keycloak(f"https://127.0.0.1:{port}", pki.ca)
    service.start(ready_within=None)
    try:
        eventually("Keycloak answers", lambda: _answers(running, service), seconds=_START_SECONDS, pause=0.2)
        yield running
    finally:
        service.stop()


def _answers(running: Keycloak, service: Service) -> bool:
    assert service.running, f"Keycloak ended by itself:\n{service.tail(40)}"
    with contextlib.suppress(OSError):
        tls = ssl.create_default_context(cafile=str(running.authority))
        return request("GET", f"{running.url}/realms/master", tls=tls).status == 200
    return False


def distribution() -> Path:
    """The folder of its distribution, fetched first if need be. Raises MissingToolError without Maven."""
    maven, target = need("mvn"), cache_folder().parent.parent / "keycloak" / VERSION
    with exclusively(target):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as folder:
                _fetch(maven, Path(folder))
                (Path(folder) / f"keycloak-{VERSION}").rename(target)
    return target


def _fetch(maven: str, folder: Path) -> None:
    name = f"keycloak-quarkus-dist-{VERSION}.tar.gz"
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:tar.gz"
    goal = ("dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}")
    done = subprocess.run(
        [maven, "--batch-mode", "--quiet", *goal],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_FETCH_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"Keycloak was not fetched:\n{done.stdout[-2000:]}"
    with (folder / name).open("rb") as archive:
        assert hashlib.file_digest(archive, "sha256").hexdigest() == _SHA256, f"{name} is not the one that is pinned"
    with tarfile.open(folder / name) as archive:
        archive.extractall(folder, filter="data")
