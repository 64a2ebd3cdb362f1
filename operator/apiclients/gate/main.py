"""The program ``apiclient-gate``: one process that watches, proves and answers."""

import asyncio
import gc
import logging
import os
import signal
import ssl
import sys
from collections import Counter
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import uvloop

from apiclients import __version__
from apiclients.gate.app import GateApp
from apiclients.gate.documents import Documents
from apiclients.gate.freshness import Freshness, Proof, find_denied
from apiclients.gate.holds import Holds
from apiclients.gate.keystore import KeyStore
from apiclients.gate.logs import configure_logs, where
from apiclients.gate.metrics import Metrics, Reading
from apiclients.gate.picture import Picture
from apiclients.gate.routes import Routes
from apiclients.gate.server import Certificate, GateServer, make_server
from apiclients.gate.service import Gate
from apiclients.gate.settings import Settings, parse_settings
from apiclients.gate.tally import Tally
from apiclients.gate.watching import Watches
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError
from apiclients.kube.heartbeat import HeartbeatLease
from apiclients.kube.kinds import API_CLIENTS
from apiclients.resources.fields import format_time
from apiclients.resources.names import (
    APPLIED_ANNOTATION,
    GATE_LEASE_LABELS,
    PROOF_ANNOTATION,
    READY_ANNOTATION,
    VERSION_ANNOTATION,
    applied_annotation,
)

logger = logging.getLogger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT; exits with 1 if a part of the program failed."""
    settings = parse_settings(sys.argv[1:], os.environ)
    configure_logs(settings.log_format, settings.log_level)
    sys.exit(uvloop.run(run(settings)))


async def run(settings: Settings) -> int:
    """Run one gate; returns the exit status."""
    try:
        certificate = (
            Certificate(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
        )
        agent = f"apiclient-gate/{__version__}"
        client = await KubeClient.connect(kubeconfig=settings.kubeconfig, context=settings.context, user_agent=agent)
    except (OSError, ssl.SSLError, KubeError) as error:
        logger.error("cannot start: %s", error)  # noqa: TRY400 - the sentence says it all
        return 1
    async with client:
        process = Process(settings, client, certificate)
        try:
            process.server.bind()
        except OSError as error:
            logger.error("cannot listen on %s:%d: %s", settings.host, settings.port, error)  # noqa: TRY400
            return 1
        return await process.run()


class Process:
    """All parts of one gate, wired."""

    def __init__(self, settings: Settings, client: KubeClient, certificate: Certificate | None) -> None:
        self._settings = settings
        self._client = client
        self._certificate = certificate
        self._tally = Tally()
        self._keys = KeyStore(settings.issuer)
        self._holds = Holds()
        self._routes = Routes(settings.issuer)
        self._picture = Picture(
            self._holds,
            self._routes,
            on_effect=self._took_effect,
            on_gone=lambda view: self._tally.forget(view.uid),
        )
        self._metrics = Metrics(self._tally, self._picture.by_uid, self._routes, self._read)
        self._watches = Watches(client, settings, self._picture, self._holds, self._routes, self._keys)
        self._freshness = Freshness(
            self._find,
            self._picture,
            self._watches.clients,
            self._watches.holds,
            self._watches.unproved,
            client.clock.trusted,
            settings.bounds,
        )
        self._gate = Gate(settings.issuer, self._picture, self._routes, self._keys, self._freshness, self._tally)
        self._lease = HeartbeatLease(
            client,
            settings.lease_namespace,
            lease_name(settings.replica_name),
            GATE_LEASE_LABELS,
            self._annotations,
            settings.lease_interval,
        )
        self._holds.listen(lambda _: self._lease.renew_soon())  # somebody waits for a hold to be in force
        documents = Documents(self._gate, self._metrics.render)
        context = certificate.context if certificate else None
        self.server = make_server(GateApp(self._gate, documents), settings.host, settings.port, context)

    async def run(self) -> int:
        """Run all parts until a signal; 1 if one of them ended by itself."""
        _on_signals(self.server)
        parts = {
            **self._watches.runs(),
            self._prove(): "the freshness proof",
            self._lease.run(): "the Lease",
        }
        if self._certificate:
            parts[self._certificate.keep_reloading()] = "the certificate"
        return await serve_with(self.server, parts)

    async def _prove(self) -> None:
        await self._watches.all_synced()  # what a proof finds has to meet a picture
        gc.freeze()  # the picture stays: looking through it again and again would delay answers by tens of milliseconds
        await self._freshness.run()

    async def _find(self) -> Proof:
        return await find_denied(self._client, API_CLIENTS)

    def _took_effect(self, seconds: float) -> None:
        self._metrics.took_effect(seconds)

    def _annotations(self) -> Mapping[str, str]:
        """How far this replica's picture is, for whoever reads its Lease."""
        proved, applied = self._freshness.last_proof_time, self._watches.applied()
        return {
            **{applied_annotation(plural): str(version) for plural, version in applied.items()},
            VERSION_ANNOTATION: __version__,
            APPLIED_ANNOTATION: str(min(applied.values())),
            PROOF_ANNOTATION: format_time(datetime.fromtimestamp(proved, UTC)) if proved else "never",
            READY_ANNOTATION: "false" if self._gate.problem() else "true",
        }

    def _read(self) -> Reading:
        cache = self._keys.verifier.cache if self._keys.verifier else None
        freshness, watches = self._freshness, self._watches
        lost = Counter(watches.lost_events())
        lost[API_CLIENTS.plural] += freshness.lost_events
        return Reading(
            version=__version__,
            ready=self._gate.problem() is None,
            staleness=freshness.staleness,
            clock_offset=self._client.clock.offset_seconds,
            proofs=freshness.proofs,
            failed_proofs=freshness.failures,
            lost_events=lost,
            applied=watches.applied(),
            objects=watches.counts(),
            unreadable={
                "apiclients": len(self._picture.unreadable),
                "apis": len(self._routes.unreadable_apis),
                "contracts": len(self._routes.unreadable_contracts),
                "contractapprovals": len(self._routes.unreadable_approvals),
                "apiclientholds": len(self._holds.unreadable),
            },
            clients=len(self._picture.by_uid),
            keys_damaged=self._keys.problem is not None,
            cache_entries=len(cache) if cache else 0,
            cache_hits=cache.hits if cache else 0,
            cache_misses=cache.misses if cache else 0,
        )


def lease_name(replica: str) -> str:
    """Name of a replica's Lease; never that of another program's."""
    return replica if replica.startswith("apiclient-gate") else f"apiclient-gate-{replica}"


async def serve_with(server: GateServer, parts: Mapping[Coroutine[Any, Any, None], str]) -> int:
    """Serve while all parts run. A part that ends takes the process with it: a gate that is half alive would lie."""
    serving = asyncio.create_task(server.serve(), name="the HTTP server")
    tasks = [asyncio.create_task(part, name=name) for part, name in parts.items()]
    await asyncio.wait([serving, *tasks], return_when=asyncio.FIRST_COMPLETED)
    asked = serving.done() and not serving.cancelled() and serving.exception() is None and server.should_exit
    failed = [task for task in (serving, *tasks) if task.done()] if not asked else []
    for task in failed:
        _report(task)
    server.should_exit = True
    for task in tasks:
        task.cancel()
    await asyncio.gather(serving, *tasks, return_exceptions=True)
    logger.info("ended")
    return 1 if failed else 0


def _report(task: "asyncio.Task[None]") -> None:
    error = None if task.cancelled() else task.exception()
    logger.critical("%s ended by itself: %s", task.get_name(), where(error) if error else "no error")


def _on_signals(server: GateServer) -> None:
    def end() -> None:
        logger.info("asked to end")
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, end)
