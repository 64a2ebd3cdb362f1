"""What somebody with ordinary rights in one namespace tries on all tenants: the others go on as if nobody was there.

Each attack runs as a process of its own, with the roles that ship for people, while the tenant's tokens are checked at
all gates. Sizes are small here; ``bench.tenants`` measures those with which gates or operator once stood still.
"""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.adversary import Adversary
from demo.service import Service
from demo.stage import SYSTEM_NAMESPACE
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Client, Product, Team, leads, metrics, product_on, staged
from tests.toolkit.waiting import PATIENCE, eventually

SIZES = {
    "holds": 300,
    "contracts": 200,
    "approvals": 400,
    "labels": 60,
    "large labels": 20,
    "short lifetimes": 50,
    "new clients": 100,
}
NEWCOMERS = 3
#: Writes a second: the tests share the machine.
RATE = 30.0
#: Between two rounds of questions, and of looking whether it is so far: asking must not be an attack itself.
ASK_SECONDS = 0.3
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """In the place of that of the other tests, which what is left of an attack would delay.

    No answer of a gate depends here on how busy the machine is: a proof may take as long as anything may in the tests.
    """
    with staged(tmp_path_factory.mktemp("tenants")) as stage:
        product = product_on(stage, gate_options=("--max-staleness", str(PATIENCE)))
        product.ensure()
        yield product


@pytest.fixture
def adversary(product: Product, tmp_path: Path) -> Iterator[Adversary]:
    """In a namespace of its own; what it made goes with the test."""
    made = Adversary(product.stage.cluster, f"adversary-{next(_NUMBERS)}", tmp_path)
    yield made
    made.clean()


@pytest.mark.rule(16, 17, 24)
@pytest.mark.parametrize("attack", SIZES)
def test_other_tenants_go_on(product: Product, team: Team, adversary: Adversary, attack: str) -> None:
    before, stopped, edited = (team.declare(f"{name}-1.0") for name in ("before", "stopped", "edited"))
    expected = {before.token(): 200, stopped.token(): 401}
    edited_token = edited.token()
    stopped.apply(desiredStatus="Suspended")
    product.until_refused(*(token for token, status in expected.items() if status == 401))
    leader = lease(product)

    with (
        adversary.attacking(attack, SIZES[attack], team.namespace, rate=RATE) as storm,
        asking(product, expected) as answers,
    ):
        eventually("the attack is there", lambda: there(product, adversary) >= SIZES[attack], pause=ASK_SECONDS)
        for number in range(NEWCOMERS):
            newcomer = team.declare(f"newcomer-{number}")
            product.until_secret_works(newcomer.credentials())
            suspend_and_resume(edited, edited_token)
            until_proved_again(product)
        answers.until_all_asked_again()

    assert answers.wrong == []
    assert lease(product) == leader, "the operator has lost its Lease"
    assert leads(product.operator)
    assert attack == "large labels" or storm.count.done > storm.count.refused, "the attack was none"


@pytest.mark.rule(16)
def test_too_many_holds_stop_their_own_namespace_alone(product: Product, team: Team, adversary: Adversary) -> None:
    """Also clients that none of them matches, and also at the operator; the others do not notice."""
    other = team.declare("other-1.0").token()
    there = Team(product, adversary.namespace)
    mine = there.declare("mine-1.0")
    token = mine.token()
    product.until_accepted(token, other)
    names = [f"hold-{number}" for number in range(101)]
    spec = {"selector": {"matchLabels": {"no": "body"}}, "reason": "too many"}
    with asking(product, {other: 200}) as answers:
        for name in names[1:]:
            product.admin.apply("apiclientholds", adversary.namespace, name, spec)
        product.until_accepted(token)
        product.admin.apply("apiclientholds", adversary.namespace, names[0], spec)
        product.until_refused(token)
        held = mine.until_observed("Suspended")
        assert [hold["name"] for hold in held["status"]["holds"]] == ["too-many-holds"]
        product.admin.delete("apiclientholds", adversary.namespace, names[0])
        mine.until_observed("Available")
        product.until_accepted(token)
        answers.until_all_asked_again()
    assert answers.wrong == []


def lease(product: Product) -> tuple[str, int]:
    """Who leads, and how often that has changed."""
    spec = product.admin.get("leases", SYSTEM_NAMESPACE, "apiclient-operator")["spec"]
    return spec["holderIdentity"], spec.get("leaseTransitions", 0)


def there(product: Product, adversary: Adversary) -> int:
    """How many objects of the kind with the most the adversary has."""
    kinds = ("apiclients", "contracts", "contractapprovals", "apiclientholds")
    return max(count(product, kind, adversary.namespace) for kind in kinds)


def count(product: Product, kind: str, namespace: str) -> int:
    """How many objects there are, without reading them all."""
    answer: JsonObject = product.admin.done("GET", kind, namespace, limit="1")
    return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount", 0))


def suspend_and_resume(client: Client, token: str) -> None:
    """The gates obey, and the operator agrees."""
    product = client.team.product
    client.apply(desiredStatus="Suspended")
    product.until_refused(token)
    client.apply(desiredStatus="Available")
    client.until_observed("Available")
    product.until_accepted(token)


def until_proved_again(product: Product) -> None:
    """Wait until each gate has proved its freshness twice more: the first proof may have begun before."""
    wanted = [proofs(gate) + 2 for gate in product.gates]

    def probe() -> bool:
        return all(proofs(gate) >= least for gate, least in zip(product.gates, wanted, strict=True))

    eventually("proofs go on", probe, pause=ASK_SECONDS)


def proofs(gate: Service) -> float:
    """How often a gate has proved that it is fresh."""
    return metrics(gate)['apiclient_gate_freshness_proofs_total{outcome="ok"}']


@dataclass
class Answers:
    """What all gates say of tokens, asked again and again."""

    product: Product
    expected: dict[str, int]
    wrong: list[list[int]] = field(default_factory=list)
    rounds: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        """Until it is over."""
        while not self.over.is_set():
            for token, status in self.expected.items():
                try:
                    answers = self.product.verdicts(token)
                except OSError:  # no answer in time: asked again, and waited for by ``until_all_asked_again``
                    continue
                if set(answers) != {status}:
                    self.wrong.append(answers)
            self.rounds += 1
            self.over.wait(ASK_SECONDS)

    def until_all_asked_again(self) -> None:
        """Wait for an answer to each, from now on."""
        wanted = self.rounds + 2
        eventually("all tokens were checked again", lambda: self.rounds >= wanted)


@contextmanager
def asking(product: Product, expected: dict[str, int]) -> Iterator[Answers]:
    """Have these tokens checked all the time; the context's end is that of the questions."""
    answers = Answers(product, expected)
    asker = threading.Thread(target=answers.ask, daemon=True)
    asker.start()
    try:
        yield answers
    finally:
        answers.over.set()
        asker.join()
