"""Settings, logs, certificate, and how the parts of the process live and die together."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from apiclients.gate.logs import configure_logs, where
from apiclients.gate.main import lease_name, run, serve_with
from apiclients.gate.server import Certificate, make_server
from apiclients.gate.settings import parse_settings
from tests.gate.support import ISSUER, World

KUBECONFIG = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "c",
    }
)


class TestSettings:
    def test_defaults(self) -> None:
        settings = parse_settings(["--issuer", ISSUER], {})
        assert (settings.keys_namespace, settings.keys_secret) == ("apiclients-system", "apiclient-keys")
        assert settings.lease_namespace == "apiclients-system"
        bounds = settings.bounds
        assert (bounds.interval, bounds.max_staleness, bounds.relist_interval, bounds.fail_static) == (2, 10, 60, False)
        assert settings.log_format == "json"

    def test_environment_and_command_line(self) -> None:
        environment = {
            "APICLIENT_GATE_ISSUER": "https://environment.example.com",
            "APICLIENT_GATE_PORT": "9000",
            "APICLIENT_GATE_NAMESPACE": "here",
            "APICLIENT_GATE_FAIL_STATIC": "true",
            "APICLIENT_GATE_KUBECONFIG": "/tmp/kubeconfig",
        }
        settings = parse_settings(["--port", "9001", "--keys-namespace", "there"], environment)
        assert settings.issuer == "https://environment.example.com"
        assert settings.port == 9001
        assert (settings.keys_namespace, settings.lease_namespace) == ("there", "here")
        assert settings.bounds.fail_static
        assert settings.kubeconfig == Path("/tmp/kubeconfig")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ([], "--issuer"),
            (["--issuer", "tokens.example.com"], "--issuer"),
            (["--issuer", f"{ISSUER}/"], "--issuer"),
            (["--issuer", f"{ISSUER}?x=1"], "--issuer"),
            (["--issuer", ISSUER, "--tls-cert", "x"], "--tls-cert and --tls-key"),
            (["--issuer", ISSUER, "--proof-interval", "0"], "intervals"),
            (["--issuer", ISSUER, "--max-staleness", "3"], "--max-staleness"),
            (["--issuer", ISSUER, "--port", "http"], "--port"),
            (["--issuer", ISSUER, "--log-format", "xml"], "--log-format"),
        ],
    )
    def test_what_is_wrong_is_said(
        self, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            parse_settings(arguments, {})
        assert caught.value.code == 2
        assert sentence in capsys.readouterr().err

    def test_a_replica_never_takes_the_lease_of_another_program(self) -> None:
        assert lease_name("apiclient-gate-5f-x") == "apiclient-gate-5f-x"
        assert lease_name("apiclient-operator") == "apiclient-gate-apiclient-operator"
        name = parse_settings(["--issuer", ISSUER], {}).replica_name
        assert name == name.lower()


@pytest.fixture
def root_logger() -> Iterator[None]:
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)


@pytest.mark.usefixtures("root_logger")
class TestLogs:
    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logs("json", "info")
        logging.getLogger("apiclients.gate").info("client %s", "n/a", extra={"more": 1})
        line = json.loads(capsys.readouterr().err)
        assert line["message"] == "client n/a"
        assert (line["level"], line["logger"], line["more"]) == ("INFO", "apiclients.gate", 1)
        assert datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S%z")

    def test_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logs("text", "warning")
        logging.getLogger("apiclients.gate").info("not this")
        logging.getLogger("apiclients.gate").warning("but this")
        assert capsys.readouterr().err.endswith(" WARNING apiclients.gate: but this\n")

    @pytest.mark.rule(23)
    def test_errors_are_placed_and_not_quoted(self) -> None:
        def fail() -> None:
            raise ValueError("CANARY")

        async def in_group() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.to_thread(fail))

        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(in_group())
        assert "ValueError" in where(caught.value)
        assert "fail" in where(caught.value)
        assert "CANARY" not in where(caught.value)


def write_pair(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "tls.crt", folder / "tls.key"
    chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, private


def touch(path: Path, seconds: int) -> None:
    os.utime(path, (seconds, seconds))


class TestCertificate:
    async def test_new_connections_get_the_new_one(self, world: World, tmp_path: Path) -> None:
        chain, key = write_pair(tmp_path, "one")
        certificate = Certificate(chain, key)
        server = make_server(world.app(), "127.0.0.1", 0, certificate.context)
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup()
        try:
            assert await self._name(server.port) == "one"
            write_pair(tmp_path, "two")
            touch(chain, 2_000_000_000)
            assert certificate.reload()
            assert await self._name(server.port) == "two"
            assert not certificate.reload()
        finally:
            for listener in server.servers:
                listener.close()

    @staticmethod
    async def _name(port: int) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        (attribute,) = x509.load_der_x509_certificate(found).subject
        return str(attribute.value)

    def test_a_pair_that_does_not_fit_is_left_for_later(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        chain, key = write_pair(tmp_path, "one")
        certificate = Certificate(chain, key)
        good = key.read_bytes()
        key.write_bytes(b"half written")
        assert not certificate.reload()
        assert "the old one stays" in caplog.text
        key.unlink()
        assert not certificate.reload()
        key.write_bytes(good)
        touch(key, 2_000_000_000)
        assert certificate.reload()

    def test_files_that_are_no_pair_at_the_start(self, tmp_path: Path) -> None:
        chain, key = write_pair(tmp_path, "one")
        key.write_bytes(b"")
        with pytest.raises(ssl.SSLError):
            Certificate(chain, key)
        with pytest.raises(FileNotFoundError):
            Certificate(tmp_path / "none", key)


class TestTogether:
    async def _forever(self) -> None:
        await asyncio.Event().wait()

    async def test_a_wish_to_end_is_met(self, world: World) -> None:
        server = make_server(world.app(), "127.0.0.1", 0)

        async def end_soon() -> None:
            server.should_exit = True
            await asyncio.Event().wait()

        async with asyncio.timeout(10):
            assert await serve_with(server, {end_soon(): "one", self._forever(): "other"}) == 0

    async def test_a_port_that_is_taken(self, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            arguments = ["--issuer", ISSUER, "--host", "127.0.0.1", "--port", str(taken.getsockname()[1])]
            settings = parse_settings([*arguments, "--kubeconfig", str(kubeconfig)], {})
            assert await run(settings) == 1
        assert "cannot listen on 127.0.0.1" in caplog.text
        assert await run(replace(settings, kubeconfig=tmp_path / "none")) == 1
        assert "cannot start: kubeconfig" in caplog.text

    @pytest.mark.parametrize("error", [ValueError("CANARY"), None])
    async def test_a_part_that_ends_takes_the_process_with_it(
        self, world: World, error: Exception | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def die() -> None:
            if error:
                raise error

        server = make_server(world.app(), "127.0.0.1", 0)
        async with asyncio.timeout(10):
            assert await serve_with(server, {die(): "the watch", self._forever(): "other"}) == 1
        assert "the watch ended by itself" in caplog.text
        assert "CANARY" not in caplog.text
