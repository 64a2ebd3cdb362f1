"""The gates that live, by their Leases: what not all of them obey (DESIGN rule 33), and how far they are (rule 28)."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from apiclients.controllers.due import LONGEST_SLEEP
from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import KubeClient
from apiclients.kube.objects import LEASES
from apiclients.lifecycle.enforcement import LivingGates, living_gates, next_end
from apiclients.lifecycle.features import ALL_OBEYED, Lacking, lacking, obeys_all
from apiclients.lifecycle.replicas import Replica, replica
from apiclients.resources.names import GATE_LEASE_SELECTOR

#: What a watch may lose is found after so long, in seconds.
_RELIST_SECONDS = 60.0


class Gates:
    """Watches the Leases of a namespace, by the API server's clock.

    ``on_change`` hears that other features than before are obeyed by all gates, ``on_move`` of every Lease that is
    renewed, comes, goes or ends.

    A Lease that is deleted tells that its gate is gone. That one is not renewed any more no watch tells: for that there
    is one timer, until the first of the Leases ends.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        clock: Callable[[], datetime],
        on_change: Callable[[], None],
        on_move: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._on_move = on_move
        self._renewed = asyncio.Event()
        #: Which living gates do not obey which features.
        self.lacking: Lacking = ALL_OBEYED
        self.reflector: Reflector[Replica] = Reflector(
            client,
            LEASES,
            replica,
            namespace=namespace,
            label_selector=GATE_LEASE_SELECTOR,
            relist_interval=_RELIST_SECONDS,
            on_change=self._changed,
        )

    def living(self) -> LivingGates:
        """The gates as their Leases have them now."""
        return living_gates(self.reflector.store.values(), self._clock())

    async def run(self) -> None:
        """Notice until cancelled that Leases end."""
        while True:
            self._renewed.clear()
            self._judge()
            self._on_move()
            try:
                async with asyncio.timeout(self._sleep_seconds()):
                    await self._renewed.wait()
            except TimeoutError:
                continue

    def _changed(self, change: Change[Replica]) -> None:
        """Judged at once: what is decided next may hang on it."""
        if _matters(change.old) or _matters(change.new):
            self._judge()
        if change.old is None or change.new is None:
            self._renewed.set()  # there may be a Lease that ends before all others
        self._on_move()

    def _judge(self) -> None:
        before, self.lacking = self.lacking, lacking(self.reflector.store.values(), self._clock())
        if self.lacking != before:
            self._on_change()

    def _sleep_seconds(self) -> float:
        """Until the first Lease ends; the wall clock may be stepped, so never very long."""
        now = self._clock()
        end = next_end(self.reflector.store.values(), now)
        return LONGEST_SLEEP if end is None else min(LONGEST_SLEEP, max(0.01, (end - now).total_seconds()))


def _matters(gate: Replica | None) -> bool:
    """Renewals of gates that obey all there is, which are many, change nothing in what all obey."""
    return gate is not None and not obeys_all(gate)
