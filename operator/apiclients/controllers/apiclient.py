"""Reconciles one ApiClient: observe, decide, do one step after another, write the status once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from apiclients.controllers.keys import KeyHolder
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.outcome import Outcome
from apiclients.controllers.secrets import SecretStore, SecretWork
from apiclients.controllers.status import StatusWriter, fields
from apiclients.controllers.store import Key
from apiclients.controllers.world import World
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import ApiError, ForbiddenError
from apiclients.kube.kinds import CONTRACTS
from apiclients.lifecycle.client import Decision, decide
from apiclients.lifecycle.conditions import readable_status, unreadable_status
from apiclients.lifecycle.contracts import ContractSummary, contracts_of_client, summarize
from apiclients.lifecycle.credentials import Cause
from apiclients.lifecycle.history import announcements
from apiclients.lifecycle.holds import holding
from apiclients.lifecycle.observation import Issuer, Observed
from apiclients.lifecycle.steps import CreateSecret, DeleteSecret, ProveContracts, ReadSecret, Step
from apiclients.resources.apiclient import ClientContracts
from apiclients.resources.objects import ApiClient, InvalidObjectError, Metadata

logger = logging.getLogger(__name__)

#: More steps than any honest path has; whoever needs more fights with somebody, and gets a backoff.
_MOST_STEPS = 7


class OutdatedError(Exception):
    """The client has changed since the decision about it; the cache holds the present one by now."""


@dataclass(slots=True)
class ApiClientController:
    """Everything that one reconcile needs. Nothing about a single object is kept between two reconciles."""

    kube: KubeClient
    world: World
    secrets: SecretStore
    keys: KeyHolder
    statuses: StatusWriter
    metrics: OperatorMetrics
    issuer: Issuer
    clock: Callable[[], datetime]

    async def reconcile(self, key: Key) -> Outcome:
        """Bring one client to where it should be. Raises KubeError."""
        try:
            client = self.world.clients.get(key)
        except InvalidObjectError as error:
            return await self._report_unreadable(key, str(error))
        if client is None:
            return Outcome()
        try:
            decision, failure = await self._converge(client)
        except OutdatedError:
            return Outcome(done=False)
        told = announcements(client.status, decision.status)
        written = await self.statuses.write(self.world.clients, client.metadata, client.status, decision.status, told)
        return Outcome(done=written and failure is None, due=decision.due)

    async def _converge(self, client: ApiClient) -> tuple[Decision, str | None]:
        """Do step after step until only the status is left; the failure, if any, is in the status."""
        observed = self._observe(client)
        work = SecretWork(self.kube, self.secrets, client, self.keys.ring, self.issuer)
        for _ in range(_MOST_STEPS):
            decision = decide(observed, self.clock())
            if decision.step is None:
                return decision, None
            try:
                if _changes_what_is_there(decision.step):
                    await self._prove_present(client)
                observed = await self._do(decision.step, work, observed)
            except ApiError as error:
                failure = _failure(decision.step, client, error)
                logger.warning("%s", failure, extra=fields("ApiClient", client.metadata))
                return decide(observed, self.clock(), failure=failure), failure
        failure = f"Secret {client.secret_name} keeps changing while it is written; the operator tries again"
        return decide(observed, self.clock(), failure=failure), failure

    async def _prove_present(self, client: ApiClient) -> None:
        """Ask the API server whether the client is still as decided on. Raises OutdatedError, and KubeError.

        The precondition on the Secret's version keeps two operators from writing it at once, but not one whose watch of
        clients is behind (a paused leader, a lost event) from rotating by an old spec, or from removing the Secret
        after a retirement that was reverted, or under a name that is the new one.
        """
        key = (client.metadata.namespace, client.metadata.name)
        await self.world.clients.refresh(self.kube, key)
        present = self.world.clients.raw(key)
        if present is None or present["metadata"]["resourceVersion"] != client.metadata.resource_version:
            raise OutdatedError

    def _observe(self, client: ApiClient) -> Observed:
        key, trusted = (client.metadata.namespace, client.metadata.name), self.kube.clock.trusted()
        holds = self.world.holds_in(client.metadata.namespace)
        return Observed(
            client=client,
            secret=self.secrets.seen(client),
            issuer=self.issuer,
            peppers=tuple(pepper.id for pepper in self.keys.ring.peppers),
            other_secrets=self.secrets.others(client),
            contracts=self.world.contracts_of_client(key),
            holds=tuple(holding(holds, client.metadata, self.clock(), clock_trusted=trusted)),
            clock_trusted=trusted,
        )

    async def _do(self, step: Step, work: SecretWork, observed: Observed) -> Observed:
        if isinstance(step, ProveContracts):
            return replace(observed, contracts=await self._listed_contracts(observed.client), contracts_proved=True)
        seen = await work.do(step)
        self.metrics.stepped(step)
        if isinstance(step, DeleteSecret) and step.name != observed.client.secret_name:
            left = tuple(other for other in observed.other_secrets if other.name != step.name)
            return replace(observed, other_secrets=left)
        return replace(observed, secret=seen)

    async def _listed_contracts(self, client: ApiClient) -> ClientContracts:
        selector = f"spec.clientName={client.metadata.name}"
        found: dict[str, ContractSummary] = {}
        async for page in self.kube.pages(CONTRACTS, client.metadata.namespace, field_selector=selector):
            found |= {item["metadata"]["name"]: summarize(item) for item in page.items}
        return contracts_of_client(found)

    async def _report_unreadable(self, key: Key, problem: str) -> Outcome:
        """The object does not fit the models, although the API server took it: say so and touch nothing else."""
        raw = self.world.clients.raw(key)
        if raw is None:
            return Outcome()
        metadata, known = Metadata.from_object(raw), readable_status(raw.get("status") or {})
        status = unreadable_status(known, metadata.generation, problem, self.clock())
        logger.warning("ApiClient cannot be read: %s", problem, extra=fields("ApiClient", metadata))
        written = await self.statuses.write(self.world.clients, metadata, known, status, announcements(known, status))
        return Outcome(done=written)


def _changes_what_is_there(step: Step) -> bool:
    """Whether a step could take away what works. A first secret, the bulk of all steps, cannot."""
    if isinstance(step, CreateSecret):
        return step.stamp.cause != Cause.FIRST
    return not isinstance(step, ReadSecret | ProveContracts)


def _failure(step: Step, client: ApiClient, error: ApiError) -> str:
    """One sentence for people that does not change from try to try."""
    if isinstance(step, ProveContracts):
        return f"Cannot list the contracts of {client.metadata.name}: {error.status} {error.reason}"
    doing = type(step).__name__.removesuffix("Secret").lower()
    hint = " (the operator's service account lacks the right, or the namespace is being deleted)"
    return f"Cannot {doing} Secret {step.name}: {error.status} {error.reason}" + (
        hint if isinstance(error, ForbiddenError) else ""
    )
