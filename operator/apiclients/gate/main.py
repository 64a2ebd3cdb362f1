"""The program ``apiclient-gate``: one process that watches, proves and answers."""

import asyncio
import gc
import logging
import signal
import ssl
import sys
from collections import Counter
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from apiclients import __version__
from apiclients.gate.http.app import GateApp
from apiclients.gate.http.documents import Documents, public_documents
from apiclients.gate.http.health import HealthApp, health_documents
from apiclients.gate.http.server import Certificate, GateServer, make_server
from apiclients.gate.loop_lag import measure_loop_lag
from apiclients.gate.metrics import Metrics, Reading
from apiclients.gate.open_files import raise_limit_of_open_files, shares
from apiclients.gate.reviewing import TokenReviewer
from apiclients.gate.revoking import RevocationWriter
from apiclients.gate.state.freshness import Bounds, Freshness, Proof, find_denied
from apiclients.gate.state.in_use import MOST_TOKENS_WAITING, InUse, TokensInUse
from apiclients.gate.state.state import GateState
from apiclients.gate.state.tally import Tally
from apiclients.gate.state.usage import UsageReport
from apiclients.gate.state.verification import Verification
from apiclients.gate.tokens.gate import Gate
from apiclients.gate.tokens.keystore import KeyStore
from apiclients.gate.watching import Watches
from apiclients.kube import event_loop
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError, where
from apiclients.kube.heartbeat import HeartbeatLease
from apiclients.kube.kinds import API_CLIENTS, INSTALLED_KINDS
from apiclients.kube.single_reads import Where
from apiclients.lifecycle.features import Feature
from apiclients.resources.fields import format_time
from apiclients.resources.names import (
    APPLIED_ANNOTATION,
    GATE_LEASE_LABELS,
    MAX_PROBLEM_TEXT,
    OBEYS_ANNOTATION,
    PROBLEM_ANNOTATION,
    PROOF_ANNOTATION,
    READY_ANNOTATION,
    UNKNOWN_KEYS_ANNOTATION,
    USAGE_LEASE_LABELS,
    VERSION_ANNOTATION,
    applied_annotation,
    usage_lease,
)
from apiclients.settings.gate import GateSettings
from apiclients.settings.load import load, warn_of_unknown_variables
from apiclients.settings.logs import configure_logs

logger = logging.getLogger(__name__)

_PLURALS = {kind.kind: kind.plural for kind in INSTALLED_KINDS}
#: A kubelet connects anew each time, and Prometheus may: nobody keeps an idle connection to health for long.
_HEALTH_KEEP_ALIVE_SECONDS = 5


def main() -> None:
    """Run until SIGTERM or SIGINT; exits with 1 if a part of the program failed."""
    settings = load(GateSettings)
    configure_logs(settings.log_format, settings.log_level)
    warn_of_unknown_variables(GateSettings)
    sys.exit(event_loop.run(run(settings)))


async def run(settings: GateSettings) -> int:
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
    connections = raise_limit_of_open_files()
    async with client:
        process = Process(settings, client, certificate, connections)
        try:
            process.bind()
        except OSError:
            return 1
        return await process.run()


class Process:
    """All parts of one gate, wired."""

    def __init__(
        self,
        settings: GateSettings,
        client: KubeClient,
        certificate: Certificate | None,
        connections: int | None = None,
    ) -> None:
        """``connections`` is how many callers may have at once."""
        self._settings = settings
        self._client = client
        self._certificate = certificate
        self._tally = Tally()
        self._keys = KeyStore(settings.issuer)
        self._state = GateState(
            settings.issuer,
            self._tally,
            on_effect=self._took_effect,
            on_awaited=lambda: self._lease.renew_soon(),
            namespace_budget=settings.namespace_budget,
        )
        picture = self._state.picture
        self._metrics = Metrics(self._tally, picture.by_uid, self._state.access, self._read)
        self._watches = Watches(client, settings, self._state, self._keys)
        self._freshness = Freshness(
            self._find,
            picture,
            self._state.refusals,
            self._watches.clients,
            self._watches.holds,
            self._watches.revocations,
            self._watches.unproved,
            client.clock.trusted,
            _bounds(settings),
        )
        self._verification = self._new_verification() if settings.verify_rate else None
        self._token_verification = self._new_token_verification() if settings.verify_rate else None
        self._gate = Gate(
            settings.issuer,
            self._state,
            self._keys,
            self._freshness,
            self._tally,
            RevocationWriter(client, self._watches.revocations, settings.namespace),
            TokenReviewer(client, settings.issuer),
            on_unknown_key=lambda: self._lease.renew_soon(),
        )
        self._lease = HeartbeatLease(
            client,
            settings.lease_home,
            lease_name(settings.replica_name),
            GATE_LEASE_LABELS,
            self._annotations,
            settings.lease_interval,
            shortest_duration=settings.max_staleness,
        )
        self._usage_report = UsageReport(self._tally, self._state.access, picture.by_uid)
        self._usage_lease = HeartbeatLease(
            client,
            settings.lease_home,
            usage_lease(lease_name(settings.replica_name)),
            USAGE_LEASE_LABELS,
            self._usage,
            settings.usage_interval,
            last_words=True,
        )
        public, health = public_documents(self._gate), health_documents(self._gate, self._metrics.render)
        self.health_server: GateServer | None = None
        if settings.metrics_port is None:
            public |= health
        else:
            connections, for_health = shares(connections)
            app = HealthApp(Documents(self._gate, health))
            self.health_server = _health_server(app, settings.host, settings.metrics_port, for_health)
        gate_app = GateApp(self._gate, Documents(self._gate, public))
        context = certificate.context if certificate else None
        self.server = make_server(gate_app, settings.host, settings.port, context, connections)

    def bind(self) -> None:
        """Take the ports. Raises OSError, once it is in the log."""
        if self.health_server:
            self.health_server.bind()
        self.server.bind()

    async def run(self) -> int:
        """Run all parts until a signal; 1 if one of them ended by itself."""
        _on_signals(self.server)
        parts = {
            **self._watches.runs(),
            self._prove(): "the freshness proof",
            self._lease.run(): "the Lease",
            self._usage_lease.run(): "the report of use",
            measure_loop_lag(self._metrics.loop_was_late): "the measurement of the event loop",
        }
        if self._verification:
            parts[self._verify(self._verification)] = "the verification of what is in use"
        if self._token_verification:
            parts[self._verify(self._token_verification)] = "the verification of tokens in use"
        if self.health_server:
            parts[self.health_server.serve()] = "the server of health and metrics"
        if self._certificate:
            parts[self._certificate.keep_reloading()] = "the certificate"
        return await serve_with(self.server, parts)

    async def _prove(self) -> None:
        await self._watches.all_synced()  # what a proof finds has to meet a picture
        gc.freeze()  # the picture stays: looking through it again and again would delay answers by tens of milliseconds
        await self._freshness.run()

    def _new_verification(self) -> Verification:
        state, settings = self._state, self._settings
        in_use = InUse(self._tally, state.access, state.picture.by_uid)
        return Verification(in_use.take, self._watches.verifiable, settings.verify_rate, settings.max_staleness)

    def _new_token_verification(self) -> Verification:
        """Apart from the rest: clients choose how many tokens they have, and shall make nobody else wait."""
        settings, in_use = self._settings, TokensInUse(self._tally, self._settings.namespace)
        return Verification(
            in_use.take,
            self._watches.verifiable,
            settings.verify_rate,
            settings.max_staleness,
            most_waiting=MOST_TOKENS_WAITING,
        )

    async def _verify(self, verification: Verification) -> None:
        await self._watches.all_synced()  # what has not been listed yet is no lost event
        await verification.run()

    async def _find(self, left_out: frozenset[str]) -> Proof:
        return await find_denied(self._client, API_CLIENTS, left_out)

    def _took_effect(self, seconds: float) -> None:
        self._metrics.took_effect(seconds)

    def _annotations(self) -> Mapping[str, str]:
        """What this replica obeys, and how far its picture is, for whoever reads its Lease."""
        proved, applied = self._freshness.last_proof_time, self._watches.applied()
        unknown = self._gate.foreign.unknown_keys.counts
        return {
            **{applied_annotation(plural): str(version) for plural, version in applied.items()},
            VERSION_ANNOTATION: __version__,
            OBEYS_ANNOTATION: ",".join(Feature),
            UNKNOWN_KEYS_ANNOTATION: ",".join(f"{name}={count}" for name, count in sorted(unknown.items())),
            APPLIED_ANNOTATION: str(min(applied.values())),
            PROOF_ANNOTATION: format_time(datetime.fromtimestamp(proved, UTC)) if proved else "never",
            READY_ANNOTATION: "false" if self._gate.problem() else "true",
            PROBLEM_ANNOTATION: (self._gate.trouble() or "")[:MAX_PROBLEM_TEXT],
        }

    def _usage(self) -> Mapping[str, str]:
        return self._usage_report.annotations(datetime.now(UTC))

    def _read(self) -> Reading:
        cache, foreign = self._keys.verifier.cache if self._keys.verifier else None, self._gate.foreign
        freshness, watches, verification = self._freshness, self._watches, self._verification
        tokens = self._token_verification
        return Reading(
            version=__version__,
            ready=self._gate.problem() is None,
            staleness=freshness.staleness,
            clock_offset=self._client.clock.offset_seconds,
            proofs=freshness.proofs,
            failed_proofs=freshness.failures,
            lost_events=self._lost_events(),
            verified_age=verification.age if verification else None,
            to_verify=verification.waiting if verification else 0,
            verifications=verification.outcomes if verification else {},
            verified_token_age=tokens.age if tokens else None,
            tokens_to_verify=tokens.waiting if tokens else 0,
            tokens_passed_over=tokens.passed_over if tokens else 0,
            applied=watches.applied(),
            objects=watches.counts(),
            unreadable={plural: len(ledger) for plural, ledger in self._state.unreadable.items()},
            clients=len(self._state.picture.by_uid),
            refused_namespaces=self._state.refusals.now(),
            keys_damaged=self._keys.problem is not None,
            cache_entries=(len(cache) if cache is not None else 0) + len(foreign.cache),
            cache_hits=(cache.hits if cache is not None else 0) + foreign.cache.hits,
            # Whatever is looked up in the second cache was a miss of the first.
            cache_misses=max(0, (cache.misses if cache is not None else 0) - foreign.cache.hits),
            unknown_keys=dict(foreign.unknown_keys.counts),
        )

    def _lost_events(self) -> Counter[tuple[str, Where]]:
        """What lists found was lost on the way, for they come from the API server's own watch cache."""
        lost = Counter({(plural, Where.WATCH): count for plural, count in self._watches.lost_events().items()})
        lost[API_CLIENTS.plural, Where.WATCH] += self._freshness.lost_events
        for verification in filter(None, (self._verification, self._token_verification)):
            lost.update({(_PLURALS[kind], where): n for (kind, where), n in verification.lost_events.items()})
        return lost


def _health_server(app: HealthApp, host: str | None, port: int, connections: int) -> GateServer:
    """Plain HTTP: a kubelet checks no certificate, and nothing secret is served."""
    return make_server(
        app,
        host,
        port,
        max_connections=connections,
        keep_alive_seconds=_HEALTH_KEEP_ALIVE_SECONDS,
        purpose="serving health and metrics",
    )


def _bounds(settings: GateSettings) -> Bounds:
    return Bounds(settings.proof_interval, settings.max_staleness, settings.relist_interval, settings.fail_static)


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
    if failed:
        server.drain_seconds = 0  # what it would still answer may be out of date
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
