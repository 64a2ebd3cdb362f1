"""Reconciles one ApiClient: observe, decide, do one step after another, write the status once."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from apiclients.controllers.clients import API_CLIENTS, ClientStore
from apiclients.controllers.due import DueTimes
from apiclients.controllers.keys import KeyHolder
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.queue import Key
from apiclients.controllers.secrets import SecretStore, SecretWork
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import ApiError, ConflictError, ForbiddenError, KubeError, NotFoundError
from apiclients.kube.events import EventRecorder, ObjectReference
from apiclients.lifecycle.client import Decision, decide
from apiclients.lifecycle.conditions import unreadable_status
from apiclients.lifecycle.history import announcements
from apiclients.lifecycle.observation import Issuer, Observed
from apiclients.lifecycle.steps import DeleteSecret, Step
from apiclients.resources.apiclient import ApiClientStatus
from apiclients.resources.names import API_VERSION
from apiclients.resources.objects import ApiClient, InvalidObjectError, Metadata

logger = logging.getLogger(__name__)

#: More steps than any honest path has; whoever needs more fights with somebody, and gets a backoff.
_MOST_STEPS = 6


@dataclass(slots=True)
class ApiClientController:
    """Everything that one reconcile needs. Nothing about a single object is kept between two reconciles."""

    kube: KubeClient
    clients: ClientStore
    secrets: SecretStore
    keys: KeyHolder
    due: DueTimes
    recorder: EventRecorder
    metrics: OperatorMetrics
    issuer: Issuer
    clock: Callable[[], datetime]

    async def reconcile(self, key: Key) -> bool:
        """Bring one client to where it should be; False asks for another try after a backoff."""
        started = time.monotonic()
        try:
            done = await self._reconcile(key)
        except KubeError as error:
            logger.warning("Reconcile failed: %s", error, extra={"namespace": key[0], "name": key[1]})
            done = False
        self.metrics.reconciled("success" if done else "retry", time.monotonic() - started)
        return done

    async def _reconcile(self, key: Key) -> bool:
        try:
            client = self.clients.get(key)
        except InvalidObjectError as error:
            return await self._report_unreadable(key, str(error))
        if client is None:
            self.due.set(key, None)
            return True
        decision, failure = await self._converge(client)
        written = await self._write_status(client, decision.status)
        self.due.set(key, decision.due)
        return written and failure is None

    async def _converge(self, client: ApiClient) -> tuple[Decision, str | None]:
        """Do step after step until only the status is left; the failure, if any, is in the status."""
        observed = self._observe(client)
        work = SecretWork(self.kube, self.secrets, client, self.keys.ring, self.issuer)
        for _ in range(_MOST_STEPS):
            decision = decide(observed, self.clock())
            if decision.step is None:
                return decision, None
            try:
                observed = await self._do(decision.step, work, observed)
            except ApiError as error:
                failure = _failure(decision.step, error)
                logger.warning("%s", failure, extra=_fields(client.metadata))
                return decide(observed, self.clock(), failure=failure), failure
        failure = f"Secret {client.secret_name} keeps changing while it is written; the operator tries again"
        return decide(observed, self.clock(), failure=failure), failure

    def _observe(self, client: ApiClient) -> Observed:
        return Observed(
            client=client,
            secret=self.secrets.seen(client),
            issuer=self.issuer,
            peppers=tuple(pepper.id for pepper in self.keys.ring.peppers),
            other_secrets=self.secrets.others(client),
            clock_trusted=self.kube.clock.trusted(),
        )

    async def _do(self, step: Step, work: SecretWork, observed: Observed) -> Observed:
        seen = await work.do(step)
        self.metrics.stepped(step)
        if isinstance(step, DeleteSecret) and step.name != observed.client.secret_name:
            left = tuple(other for other in observed.other_secrets if other.name != step.name)
            return replace(observed, other_secrets=left)
        return replace(observed, secret=seen)

    async def _write_status(self, client: ApiClient, status: ApiClientStatus) -> bool:
        """PUT the status on the version that was decided on, if it differs; False when that version is outdated."""
        if status == client.status:
            return True
        key = (client.metadata.namespace, client.metadata.name)
        try:
            stored = await self._put_status(client.metadata, status)
        except ConflictError:
            await self.clients.refresh(self.kube, key)
            return False
        except NotFoundError:
            await self.clients.refresh(self.kube, key)
            return True
        self.clients.put(stored, announce=False)
        self._announce(client, status)
        return True

    async def _put_status(self, metadata: Metadata, status: ApiClientStatus) -> dict[str, object]:
        body = {
            "apiVersion": API_VERSION,
            "kind": "ApiClient",
            "metadata": {
                "namespace": metadata.namespace,
                "name": metadata.name,
                "uid": metadata.uid,
                "resourceVersion": metadata.resource_version,
            },
            "status": status.to_object(),
        }
        return await self.kube.replace_status(API_CLIENTS, metadata.namespace, metadata.name, body)

    def _announce(self, client: ApiClient, status: ApiClientStatus) -> None:
        regarding = _reference(client.metadata)
        for told in announcements(client.status, status):
            logger.info("%s: %s", told.reason, told.note, extra=_fields(client.metadata))
            self.recorder.record(
                regarding,
                type="Warning" if told.warning else "Normal",
                reason=told.reason,
                note=told.note,
                action=told.action,
            )

    async def _report_unreadable(self, key: Key, problem: str) -> bool:
        """The object does not fit the models, although the API server took it: say so and touch nothing else."""
        raw = self.clients.raw(key)
        if raw is None:
            return True
        metadata = Metadata.from_object(raw)
        status = unreadable_status(raw.get("status") or {}, metadata.generation, problem, self.clock())
        logger.warning("ApiClient cannot be read: %s", problem, extra=_fields(metadata))
        if status is not None:
            try:
                self.clients.put(await self._put_status(metadata, status), announce=False)
            except ConflictError:
                await self.clients.refresh(self.kube, key)
                return False
        return True


def _failure(step: Step, error: ApiError) -> str:
    """One sentence for people that does not change from try to try."""
    doing = type(step).__name__.removesuffix("Secret").lower()
    hint = " (the operator's service account lacks the right, or the namespace is being deleted)"
    return f"Cannot {doing} Secret {step.name}: {error.status} {error.reason}" + (
        hint if isinstance(error, ForbiddenError) else ""
    )


def _reference(metadata: Metadata) -> ObjectReference:
    return ObjectReference(API_VERSION, "ApiClient", metadata.namespace, metadata.name, metadata.uid)


def _fields(metadata: Metadata) -> dict[str, object]:
    return {"namespace": metadata.namespace, "client": metadata.name, "generation": metadata.generation}
