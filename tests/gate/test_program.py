"""Certificate, start, and how the parts of the process live and die together."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from apiclients.gate.http.server import Certificate, make_server
from apiclients.gate.main import lease_name, run, serve_with
from apiclients.settings.gate import GateSettings
from apiclients.settings.load import load
from tests.gate.support import ISSUER, World
from tests.toolkit.waiting import async_eventually

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


def test_a_replica_never_takes_the_lease_of_another_program() -> None:
    assert lease_name("apiclient-gate-5f-x") == "apiclient-gate-5f-x"
    assert lease_name("apiclient-operator") == "apiclient-gate-apiclient-operator"


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

    @pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="the kernel has no IPv6")
    async def test_by_default_callers_of_both_families_are_answered(self, world: World) -> None:
        settings = load(GateSettings, ["--issuer", ISSUER, "--port", "0"])
        server = make_server(world.app(), settings.host, settings.port)
        server.bind()

        async def ask_and_end() -> None:
            await async_eventually("it has started", lambda: server.started)
            async with aiohttp.ClientSession() as session:
                for address in ("127.0.0.1", "[::1]"):
                    async with session.get(f"http://{address}:{server.port}/healthz") as answer:
                        answered.append(answer.status)
            server.should_exit = True
            await self._forever()

        answered: list[int] = []
        async with asyncio.timeout(10):
            assert await serve_with(server, {ask_and_end(): "the callers"}) == 0
        assert answered == [200, 200]

    async def test_a_port_that_is_taken(self, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            arguments = ["--issuer", ISSUER, "--host", "127.0.0.1", "--port", str(taken.getsockname()[1])]
            settings = load(GateSettings, [*arguments, "--kubeconfig", str(kubeconfig)])
            assert await run(settings) == 1
        assert "cannot listen on 127.0.0.1" in caplog.text
        assert await run(settings.model_copy(update={"kubeconfig": tmp_path / "none"})) == 1
        assert "cannot start: kubeconfig" in caplog.text

    async def test_a_metrics_port_that_is_taken(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            arguments = ["--issuer", ISSUER, "--host", "127.0.0.1", "--port", "0", "--metrics-port", str(port)]
            assert await run(load(GateSettings, [*arguments, "--kubeconfig", str(kubeconfig)])) == 1
        assert f"cannot listen on 127.0.0.1, port {port}" in caplog.text

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
