"""Carries out the steps of a convergence through the API server."""

import logging
from dataclasses import dataclass, field

from apiclients.controllers.beginnings import Beginnings
from apiclients.controllers.keys import KeyHolder
from apiclients.controllers.metrics import OperatorMetrics
from apiclients.controllers.secrets import SecretStore, SecretWork
from apiclients.controllers.status import fields
from apiclients.controllers.store import ObjectStore
from apiclients.engine.converge import Converged, Convergence, ListedContracts, StepFailed, StepResult
from apiclients.engine.views import read_view
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import ApiError, ConflictError, ForbiddenError
from apiclients.kube.kinds import CONTRACTS
from apiclients.kube.pace import Pace, parts
from apiclients.lifecycle.contract_view import ContractView, contracts_of_api
from apiclients.lifecycle.credentials import Cause
from apiclients.lifecycle.observation import Issuer
from apiclients.lifecycle.steps import CreateSecret, ProveContracts, ReadSecret, SecretStep, Step
from apiclients.lifecycle.template import TemplateKeys
from apiclients.resources.objects import AnyObject, Api, ApiClient
from apiclients.resources.refs import ObjectRef

logger = logging.getLogger(__name__)

#: HTTP statuses of an API server that is busy or not there: 429 after its tries, 503 and 504.
_BUSY = frozenset({429, 503, 504})


class OutdatedError(Exception):
    """What was decided on has changed since, or is just changing: decide again."""


@dataclass(slots=True)
class StepRunner:
    """Does step after step, and answers each with what the API server then has."""

    kube: KubeClient
    clients: ObjectStore[AnyObject]
    secrets: SecretStore
    keys: KeyHolder
    metrics: OperatorMetrics
    issuer: Issuer
    template_keys: TemplateKeys
    beginnings: Beginnings = field(default_factory=Beginnings)

    async def run(self, convergence: Convergence, obj: AnyObject) -> Converged | None:
        """Carry a convergence to its end. Raises OutdatedError and KubeError."""
        work: SecretWork | None = None
        try:
            step = next(convergence)
            while True:
                if isinstance(obj, ApiClient):
                    work = work or self._secret_work(obj)
                    result = await self._do_for_client(obj, step, work)
                else:
                    result = await self._listed(obj)
                step = convergence.send(result)
        except StopIteration as end:
            converged: Converged | None = end.value
            return converged
        finally:
            convergence.close()

    def _secret_work(self, client: ApiClient) -> SecretWork:
        return SecretWork(
            self.kube, self.secrets, client, self.keys.ring, self.issuer, self.template_keys, self.metrics.issued
        )

    async def _do_for_client(self, client: ApiClient, step: Step, work: SecretWork) -> StepResult:
        """A refused write belongs into the client's status; a question that was not answered is asked again.

        Raises OutdatedError and KubeError.
        """
        if isinstance(step, ProveContracts):
            return await self._listed(client)
        if _changes_what_is_there(step):
            await self._prove_present(client)
        try:
            return await work.do(step)
        except ApiError as error:
            if _passes(error):
                raise
            failure = _failure(step, error)
            logger.warning("%s", failure, extra=fields("ApiClient", client.metadata))
            return StepFailed(failure)

    async def _prove_present(self, client: ApiClient) -> None:
        """Ask the API server whether the client is still as decided on. Raises OutdatedError, and KubeError.

        The precondition on the Secret's version keeps two operators from writing it at once, but not one whose watch of
        clients is behind (a paused leader, a lost event) from rotating by an old spec, or from removing the Secret
        after a retirement that was reverted, or under a name that is the new one.
        """
        key = (client.metadata.namespace, client.metadata.name)
        await self.clients.refresh(self.kube, key)
        present = self.clients.raw(key)
        if present is None or present["metadata"]["resourceVersion"] != client.metadata.resource_version:
            raise OutdatedError

    async def _listed(self, obj: AnyObject) -> ListedContracts:
        """The contracts of a client or of an Api, from a fresh, consistent list. Raises OutdatedError and KubeError.

        A contract that was let into force before the retirement was seen, and whose status is still on its way, is in
        no list; none begins after that.
        """
        meta = obj.metadata
        if self.beginnings.of(ObjectRef(type(obj).__name__, meta.namespace, meta.name)):
            raise OutdatedError
        if isinstance(obj, Api):
            selector = f"spec.api.namespace={meta.namespace},spec.api.name={meta.name}"
            return contracts_of_api(await self._contracts(None, selector))
        return tuple(await self._contracts(meta.namespace, f"spec.clientName={meta.name}"))

    async def _contracts(self, namespace: str | None, field_selector: str) -> list[ContractView]:
        found: list[ContractView] = []
        pace = Pace()
        async for page in self.kube.pages(CONTRACTS, namespace, field_selector=field_selector):
            for part in parts(page):
                views = (read_view(CONTRACTS.kind, item)[0] for item in part.items)
                found += (view for view in views if isinstance(view, ContractView))
                await pace.pause()
        return found


def _changes_what_is_there(step: SecretStep) -> bool:
    """Whether a step could take away what works. A first secret, the bulk of all steps, cannot."""
    if isinstance(step, CreateSecret):
        return step.stamp.cause != Cause.FIRST
    return not isinstance(step, ReadSecret)


def _passes(error: ApiError) -> bool:
    """Whether an error is no answer to what was asked: the API server is busy, or something changed meanwhile.

    It is tried again and is no news for a status, of which it would cost two writes for each client. Not so 500: that
    is how the API server tells of an admission webhook that does not answer, which lasts.
    """
    return isinstance(error, ConflictError) or error.status in _BUSY


def _failure(step: SecretStep, error: ApiError) -> str:
    """One sentence for people that does not change from try to try."""
    doing = type(step).__name__.removesuffix("Secret").lower()
    hint = f" ({_why_forbidden(error)})" if isinstance(error, ForbiddenError) else ""
    return f"Cannot {doing} Secret {step.name}: {error.status} {error.reason}{hint}"


def _why_forbidden(error: ForbiddenError) -> str:
    """What it may be. The API server's own message would tell, and may quote the Secret (rule 23)."""
    if error.by_policy:
        return "an admission policy refuses it, or the namespace is being deleted"
    return "the operator's service account lacks the right, a quota is used up, or an admission webhook refuses it"
