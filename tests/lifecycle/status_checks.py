"""How other programs read a status: Flux's own ten checks, kstatus, and the table of rule 24."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from apiclients.resources.apiclient import ApiClientStatus, DesiredStatus, ObservedStatus
from apiclients.resources.conditions import Condition

#: Conditions that are bad news when True. ExpiringSoon is a reminder and no fault, so it is none of them.
NEGATIVE = ("Reconciling", "Stalled")


class Told:
    """Conditions by type, as the checks ask for them."""

    def __init__(self, status: ApiClientStatus, generation: int) -> None:
        self.status, self.generation, self.root = status, generation, status.observed_generation
        self.by_type = {condition.type: condition for condition in status.conditions}

    def true(self, kind: str) -> bool:
        return kind in self.by_type and self.by_type[kind].status == "True"

    def false(self, kind: str) -> bool:
        return kind in self.by_type and self.by_type[kind].status == "False"

    def generations(self) -> set[int | None]:
        return {condition.observed_generation for condition in self.status.conditions}

    @property
    def reconciling(self) -> Condition:
        return self.by_type["Reconciling"]


#: Flux's fail.go, FAIL0001 to FAIL0010, in its order; True is good.
FLUX_CHECKS: tuple[tuple[str, Callable[[Told], bool]], ...] = (
    (
        "no negative condition is True beside Ready=True",
        lambda t: not t.true("Ready") or not any(map(t.true, NEGATIVE)),
    ),
    ("Ready is always there", lambda t: "Ready" in t.by_type),
    ("Ready is False while Reconciling", lambda t: not t.true("Reconciling") or t.false("Ready")),
    ("Ready is False while Stalled", lambda t: not t.true("Stalled") or t.false("Ready")),
    ("never both Reconciling and Stalled", lambda t: not set(NEGATIVE) <= set(t.by_type)),
    ("no generation is observed before it exists", lambda t: t.root <= t.generation),
    ("Ready is False while a generation is not observed", lambda t: t.root == t.generation or t.false("Ready")),
    (
        "Ready is False while a condition speaks of an older generation",
        lambda t: not t.true("Ready") or t.generations() == {t.generation},
    ),
    (
        "all conditions speak of the observed generation when Ready",
        lambda t: not t.true("Ready") or t.generations() == {t.root},
    ),
    (
        "a generation is not observed while it is Reconciling",
        lambda t: not t.true("Reconciling") or t.root < (t.reconciling.observed_generation or 0),
    ),
)


def kstatus(status: ApiClientStatus, generation: int, *, deleting: bool = False) -> str:
    """What kstatus (``kubectl`` tools, Flux ``wait``) makes of it, in the order in which kstatus looks."""
    told = Told(status, generation)
    if deleting:
        return "Terminating"
    if status.observed_generation != generation or told.true("Reconciling"):
        return "InProgress"
    if told.true("Stalled"):
        return "Failed"
    return "Current" if "Ready" not in told.by_type or told.true("Ready") else "InProgress"


def faults(status: ApiClientStatus, generation: int, *, deleting: bool = False) -> list[str]:
    """Everything that is wrong with a status; empty when all is well."""
    return [*_flux_faults(status, generation), *_table_faults(status, generation, deleting=deleting)]


def _flux_faults(status: ApiClientStatus, generation: int) -> Iterator[str]:
    told = Told(status, generation)
    yield from (sentence for sentence, good in FLUX_CHECKS if not good(told))


def _table_faults(status: ApiClientStatus, generation: int, *, deleting: bool) -> Iterator[str]:
    """Rule 24: kstatus reads it right, Active tells whether tokens are accepted, every condition is told."""
    told = Told(status, generation)
    read = kstatus(status, generation)
    hindered = told.true("Reconciling") or told.true("Stalled")
    if told.true("Ready") is hindered:
        yield "Ready=False without a reason to wait for, or Ready=True with one"
    if (read == "Current") is not told.true("Ready") or (read == "Failed") is not told.true("Stalled"):
        yield f"kstatus reads {read}"
    if any(kind in told.by_type and not told.true(kind) for kind in NEGATIVE):
        yield "Reconciling and Stalled are present only when True"
    if not {"Ready", "Active", "SecretReady", "ExpiringSoon"} <= set(told.by_type):
        yield "a condition is missing"
    usable = status.observed_status in (ObservedStatus.AVAILABLE, ObservedStatus.EXPIRED) and not deleting
    if told.true("Active") is not usable:
        yield "Active must tell whether tokens are accepted"
    if told.true("Ready") and not deleting and not _ready_may_be(status):
        yield f"Ready=True while {status.desired_status} is desired and {status.observed_status} observed"


def _ready_may_be(status: ApiClientStatus) -> bool:
    """The observed status is the desired one. An expired secret is never the end: it hangs or stalls."""
    wanted = {
        DesiredStatus.AVAILABLE: ObservedStatus.AVAILABLE,
        DesiredStatus.SUSPENDED: ObservedStatus.SUSPENDED,
        DesiredStatus.RETIRED: ObservedStatus.RETIRED,
    }
    return status.desired_status is not None and status.observed_status is wanted[status.desired_status]
