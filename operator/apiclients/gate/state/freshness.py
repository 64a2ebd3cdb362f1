"""Watch for speed, list for proof (rule 17): how the gate knows that it has missed no suspension.

A watch can lose an event or fall silent without a sign. So every ``interval`` seconds consistent lists ask for what
must be denied, clients, holds and revoked tokens, and only the time since the start of the last such requests that all
succeeded counts as knowledge. Past ``max_staleness`` nothing is decided any more.

These lists tell which objects there are at which version and nothing else, so that what people write into them costs
nobody anything. Of holds and revocations all are listed, and their Reflectors read what is new, apply it and tell what
was lost. Of clients only those to be denied are; what does not fit the picture is denied at once, and read again when
the watch does not deliver it. Namespaces whose clients are all refused are left out (``lifecycle.budget``).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from apiclients.gate.state.picture import Finding, Picture
from apiclients.gate.state.problems import Problem
from apiclients.gate.state.refusals import NamespaceRefusals
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError
from apiclients.kube.objects import ResourceType, identify

logger = logging.getLogger(__name__)

#: How far the clock may be off (rule 26), in seconds.
CLOCK_LIMIT = 30.0
#: Everything that must be denied; the API server evaluates it (``selectableFields`` of the CRD).
DENIED_SELECTOR = "spec.desiredStatus!=Available"

# Beyond so many lost events one list of identities is cheaper than a read for each.
_MOST_READS = 20
# After so many relist intervals without one the promise about deletions is no longer kept.
_RELISTS_MISSED = 3


@dataclass(frozen=True, slots=True)
class Proof:
    """What a consistent list found, at which version of the API server's state."""

    findings: tuple[Finding, ...]
    resource_version: int


class StaleProofError(KubeError):
    """A consistent list was older than what the watch had delivered: the API server's history was replaced."""


class Listed(Protocol):
    """What the freshness needs of every Reflector."""

    @property
    def last_list_started(self) -> float | None:
        """Monotonic time at which the last successful list was requested."""


class Confirmed(Listed, Protocol):
    """What it needs of a Reflector whose kind it proves."""

    async def confirm(self, left_out: frozenset[str]) -> None:
        """Compare everything with a consistent list, but for what is in these namespaces, and apply the difference."""


class Source(Confirmed, Protocol):
    """What it needs of the clients' Reflector besides."""

    @property
    def resource_version(self) -> int:
        """Everything up to this version has been applied."""

    async def refresh(self, namespace: str, name: str) -> object:
        """Read one object and apply what was found."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How fresh the picture has to be, in seconds."""

    interval: float = 2.0
    max_staleness: float = 10.0
    relist_interval: float = 600.0
    #: Keep answering from a picture that may be stale; an explicit choice of availability over immediacy.
    fail_static: bool = False

    @property
    def timeout(self) -> float:
        """How long one proof may take: two in a row fit into the longest staleness."""
        return self.max_staleness / 2


class Freshness:
    """Proves, over and over, that the picture denies what must be denied, and tells whether that holds now."""

    def __init__(
        self,
        find: Callable[[frozenset[str]], Awaitable[Proof]],
        picture: Picture,
        refusals: NamespaceRefusals,
        source: Source,
        holds: Confirmed,
        revocations: Confirmed,
        others: Sequence[Listed],
        clock_trusted: Callable[[float], bool],
        bounds: Bounds,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``find`` makes one consistent list, see :func:`find_denied`; ``clock_trusted`` is ``ClockWatch.trusted``.

        ``source`` lists clients, ``holds`` holds, ``revocations`` revoked tokens, and
        ``others`` what is proved by nothing but its own lists.
        """
        self._find = find
        self._picture = picture
        self._refusals = refusals
        self._source = source
        self._holds = holds
        self._revocations = revocations
        self._sources: tuple[Listed, ...] = (source, holds, revocations, *others)
        self._clock_trusted = clock_trusted
        self._bounds = bounds
        self._monotonic = monotonic
        self._wall = wall
        self._proved: float | None = None
        self._overdue: tuple[Finding, ...] = ()
        self._compare_all = False
        self._heal = asyncio.Event()
        self._failing = False
        self.proofs = 0
        self.failures = 0
        self.lost_events = 0
        self.last_proof: Proof | None = None
        #: Wall-clock time of the start of the last proof, for people.
        self.last_proof_time: float | None = None

    @property
    def staleness(self) -> float | None:
        """Seconds since the start of the last proof that succeeded; None before the first."""
        return None if self._proved is None else self._monotonic() - self._proved

    def problem(self) -> Problem | None:
        """Why nothing may be decided now, or None. Asked on every request."""
        if self._proved is None:
            return Problem.NOT_PROVED
        if not self._clock_trusted(CLOCK_LIMIT):
            return Problem.CLOCK
        now, bounds = self._monotonic(), self._bounds
        earliest, late = now - _RELISTS_MISSED * bounds.relist_interval, False
        for source in self._sources:
            listed = source.last_list_started
            if listed is None:
                return Problem.NOT_LISTED
            late = late or listed < earliest
        if bounds.fail_static:
            return None
        if now - self._proved > bounds.max_staleness:
            return Problem.STALE
        return Problem.LISTS_STALE if late else None

    async def run(self) -> None:
        """Prove and heal until cancelled. Failures of the API server are counted, never raised."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_proving())
            tasks.create_task(self._keep_healing())

    async def prove(self) -> bool:
        """One proof. What it finds is denied before this returns; a failure changes nothing, time alone does."""
        started, started_time = self._monotonic(), self._wall()
        left_out = self._refusals.to_leave_out()
        try:
            async with asyncio.timeout(self._bounds.timeout):
                outcomes = await asyncio.gather(
                    self._prove_clients(left_out),
                    self._holds.confirm(left_out),
                    self._revocations.confirm(frozenset()),
                    return_exceptions=True,
                )
        except TimeoutError as error:
            self._note_failure(error)
            return False
        for outcome in outcomes:
            if isinstance(outcome, KubeError | TimeoutError):
                self._note_failure(outcome)
                return False
            if isinstance(outcome, BaseException):
                raise outcome
        self._proved, self.last_proof_time = started, started_time
        self._refusals.proved(left_out)
        self.proofs += 1
        self._note_success()
        return True

    async def _prove_clients(self, left_out: frozenset[str]) -> None:
        proof = await self._find_current(left_out)
        before = self._picture.open_findings()
        for finding in proof.findings:
            self._picture.deny(finding)
        self.last_proof = proof
        self._order_healing(before)

    async def _find_current(self, left_out: frozenset[str]) -> Proof:
        reached = self._source.resource_version
        proof = await self._find(left_out)
        if proof.resource_version < reached:
            self._compare_all = True  # the Reflector starts anew when its own lists stay behind, too
            self._heal.set()
            raise StaleProofError(f"the list is at version {proof.resource_version}, the watch was at {reached}")
        return proof

    async def heal(self) -> None:
        """Read what the watch should have delivered since an earlier proof and did not: those events are lost.

        A finding of the newest proof gets until the next one, for list and watch race each other by milliseconds.
        """
        overdue, compare = self._overdue, self._compare_all
        self._overdue, self._compare_all = (), False
        try:
            async with asyncio.timeout(max(self._bounds.timeout, self._bounds.relist_interval / 2)):
                if compare or len(overdue) > _MOST_READS:
                    await self._compare(overdue)
                else:
                    for finding in overdue:
                        await self._read_again(finding)
        except (KubeError, TimeoutError) as error:
            logger.warning("what the watch did not deliver could not be read: %s", _short(error))

    async def _compare(self, overdue: tuple[Finding, ...]) -> None:
        """Settle all of them with one list, which counts itself what was lost.

        What it does not show has gone, and of what was never known here to have gone no change will ever tell.
        """
        await self._source.confirm(frozenset())
        for finding in overdue:
            self._picture.lift(finding)

    async def _read_again(self, finding: Finding) -> None:
        if finding not in self._picture.open_findings():
            return  # it came after all
        before = self._picture.version(finding.key)
        await self._source.refresh(*finding.key)
        self._picture.lift(finding)
        if self._picture.version(finding.key) == before:
            return  # deleted before the proof was applied
        self.lost_events += 1
        logger.error("the watch lost an event of apiclient %s/%s; a freshness proof found it", *finding.key)

    def _order_healing(self, before: tuple[Finding, ...]) -> None:
        still = set(self._picture.open_findings())
        # A newer finding about the same object takes the place of the older one, which is no less overdue.
        keys = {finding.key for finding in before}
        self._overdue = tuple(finding for finding in still if finding.key in keys)
        if self._overdue:
            self._heal.set()

    async def _keep_proving(self) -> None:
        while True:
            started = self._monotonic()
            await self.prove()
            await asyncio.sleep(max(0.0, started + self._bounds.interval - self._monotonic()))

    async def _keep_healing(self) -> None:
        while True:
            await self._heal.wait()
            self._heal.clear()
            await self.heal()

    def _note_failure(self, error: Exception) -> None:
        self.failures += 1
        level = logging.DEBUG if self._failing else logging.WARNING
        self._failing = True
        logger.log(level, "the freshness proof failed: %s", _short(error))

    def _note_success(self) -> None:
        if self._failing:
            self._failing = False
            logger.info("freshness is proved again")


async def find_denied(client: KubeClient, resource: ResourceType, left_out: frozenset[str] = frozenset()) -> Proof:
    """List, consistently, which clients there are whose ``spec.desiredStatus`` is not Available, elsewhere."""
    findings: list[Finding] = []
    version = 0
    selector = ",".join([DENIED_SELECTOR, *(f"metadata.namespace!={namespace}" for namespace in sorted(left_out))])
    pages = client.pages(resource, field_selector=selector, identity_only=True)
    async with aclosing(pages):
        async for page in pages:
            version = int(page.resource_version)
            for body in page.items:
                key, found_at = identify(body)
                meta = body["metadata"]
                findings.append(Finding(key, meta.get("uid", ""), found_at, meta.get("generation", 0)))
    return Proof(tuple(findings), version)


def _short(error: Exception) -> str:
    return str(error) or type(error).__name__
