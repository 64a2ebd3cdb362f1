"""The API server is gone or frozen: the gate decides for as long as it may, then says 503, then comes back."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from cluster import LocalCluster
from demo.calls import call
from demo.service import Service
from tests.cluster.teams import team_on
from tests.toolkit.product import Client, Product, Team, fetch, metrics, product_on, staged, url
from tests.toolkit.waiting import eventually

MAX_STALENESS = 4.0
OPTIONS = ("--proof-interval=0.5", f"--max-staleness={MAX_STALENESS}", "--relist-interval=20")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A cluster of its own, whose gates are quick to know that they know nothing."""
    with staged(tmp_path_factory.mktemp("away")) as stage:
        product = product_on(stage, gate_options=OPTIONS)
        product.gateway, product.others = stage.gateway()
        product.ensure()
        yield product


@pytest.fixture
def product(own: Product) -> Product:
    own.ensure()
    return own


@pytest.fixture
def cluster(product: Product) -> Iterator[LocalCluster]:
    """The cluster, with its API server running again afterwards.

    The operator starts anew after it: it may be about to end, its Lease lost, while it still says that it leads.
    """
    found = product.stage.cluster
    assert isinstance(found, LocalCluster)
    yield found
    found.resume_api_server()
    if found.api_server_pid is None:
        found.start_api_server()
    product.operator.stop()


@dataclass(frozen=True)
class Call:
    """One call: when it began and ended (monotonic seconds), and its status."""

    began: float
    ended: float
    status: int


def stop(cluster: LocalCluster) -> None:
    cluster.stop_api_server()


def start(cluster: LocalCluster) -> None:
    cluster.start_api_server()


def freeze(cluster: LocalCluster) -> None:
    cluster.pause_api_server()


def thaw(cluster: LocalCluster) -> None:
    cluster.resume_api_server()


@pytest.mark.rule(17)
@pytest.mark.parametrize(
    ("take_away", "bring_back"), [(stop, start), (freeze, thaw)], ids=["API server gone", "API server frozen"]
)
def test_gate_answers_until_max_staleness_then_503_and_recovers_by_itself(
    product: Product,
    team: Team,
    cluster: LocalCluster,
    take_away: Callable[[LocalCluster], None],
    bring_back: Callable[[LocalCluster], None],
) -> None:
    billing = team.declare("billing-1.0")
    secret, token = billing.credentials(), billing.token()
    product.until_accepted(token)
    gate = product.gates[0]
    asked = time.monotonic()
    proved_after = asked - staleness(gate)
    take_away(cluster)
    gone = time.monotonic()

    calls: list[Call] = []

    def stale() -> bool:
        began = time.monotonic()
        status = call(f"{url(gate)}/check", token).status
        calls.append(Call(began, time.monotonic(), status))
        return status == 503

    eventually("503", stale, pause=0.005)
    *answered, refused = calls
    assert {one.status for one in answered} == {200}, "never anything but yes, and then 503"
    assert refused.ended - proved_after >= MAX_STALENESS, "not before maxStaleness"
    assert max(one.began for one in answered) - gone <= MAX_STALENESS, "and not after it"

    eventually("both gates and nginx say so", lambda: set(product.verdicts(token)) == {503})
    answer = call(f"{product.gateway}/orders", token)
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert set(product.tokens_issued(secret)) == {503}
    assert fetch(gate, "/readyz").status == 503
    assert fetch(gate, "/healthz").status == 200, "a restart would not help"

    bring_back(cluster)
    product.until_accepted(token)
    product.until_secret_works(secret)
    gate.wait_ready(60)


@pytest.mark.rule(16, 17)
def test_suspension_made_as_the_api_server_comes_back_is_obeyed(
    product: Product, team: Team, cluster: LocalCluster
) -> None:
    billing, reports = team.declare("billing-1.0"), team.declare("reports-1.0")
    token, other = billing.token(), reports.token()
    product.until_accepted(token, other)
    stop(cluster)
    eventually("503", lambda: set(product.verdicts(token)) == {503})
    start(cluster)
    billing.apply(desiredStatus="Suspended")
    product.until_refused(token)
    product.until_accepted(other)


@pytest.mark.rule(17)
def test_short_absence_of_the_api_server_is_not_noticed_by_callers(
    product: Product, team: Team, cluster: LocalCluster
) -> None:
    billing = team.declare("billing-1.0")
    token = billing.token()
    product.until_accepted(token)
    for _ in range(2):
        eventually("new proofs", lambda: all(staleness(gate) < MAX_STALENESS / 4 for gate in product.gates))
        freeze(cluster)
        frozen = time.monotonic()
        while time.monotonic() - frozen < MAX_STALENESS / 4:
            assert set(product.verdicts(token)) == {200}
        thaw(cluster)
    product.until_accepted(token)


@pytest.mark.rule(16, 17, 18)
def test_gate_restarted_while_the_operator_is_down_has_the_whole_picture(product: Product, team: Team) -> None:
    clients = [team.declare(f"client-{number}") for number in range(3)]
    tokens = [client.token() for client in clients]
    product.operator.stop()
    clients[0].apply(desiredStatus="Suspended")
    team.kubectl("delete", "apiclient", clients[1].name)
    for gate in product.gates:
        gate.kill()
    for gate in product.gates:
        gate.start()
    assert not any(200 in product.verdicts(token) for token in tokens[:2])
    product.until_refused(*tokens[:2])
    product.until_accepted(tokens[2])
    secret = clients[2].credentials()
    assert set(product.tokens_issued(secret)) == {200}


@pytest.mark.rule(17)
def test_gate_started_without_an_api_server_decides_nothing(
    product: Product, team: Team, cluster: LocalCluster
) -> None:
    billing = team.declare("billing-1.0")
    token = billing.token()
    product.gates[1].stop()
    stop(cluster)
    product.gates[1].start(ready_within=None)
    eventually("it listens", lambda: healthy(product.gates[1]))
    assert call(f"{url(product.gates[1])}/check", token).status == 503
    start(cluster)
    product.until_accepted(token)


@pytest.mark.rule(17)
def test_fail_static_goes_on_deciding_from_what_it_knew(cluster: LocalCluster, product: Product, team: Team) -> None:
    billing, suspended = team.declare("billing-1.0"), team.declare("suspended-1.0")
    token, other = billing.token(), suspended.token()
    suspended.apply(desiredStatus="Suspended")
    static = product.stage.gate(2, options=[*OPTIONS, "--fail-static"]).start()
    product.gates.append(static)
    try:
        product.until_accepted(token)
        product.until_refused(other)
        stop(cluster)
        eventually("the others know nothing", lambda: product.verdicts(token)[:2] == [503, 503])
        eventually("it knows no more than they", lambda: staleness(static) > MAX_STALENESS)
        assert call(f"{url(static)}/check", token).status == 200
        assert call(f"{url(static)}/check", other).status == 401
    finally:
        product.gates.remove(static)
        static.stop()


@pytest.mark.rule(7, 17)
def test_operator_and_gates_outlive_an_absence_and_go_on(product: Product, cluster: LocalCluster) -> None:
    """Longer than the lease: the operator ends, as it must, and its successor goes on where it was."""
    with team_on(product) as team:
        billing = team.declare("billing-1.0", secret={"overlap": "1h"})
        secret, token = billing.credentials(), billing.token()
        stop(cluster)
        eventually("the operator has lost its lease and ended", lambda: not product.operator.running)
        start(cluster)
        product.ensure()
        billing.apply(secret={"revision": 2})
        billing.until_credential(2)
        product.until_secret_works(secret, billing.credentials())
        product.until_accepted(token)
        assert one_secret(billing)


def staleness(gate: Service) -> float:
    """Seconds since the beginning of its last proof."""
    return metrics(gate)["apiclient_gate_staleness_seconds"]


def one_secret(client: Client) -> bool:
    return list(client.team.secrets()) == [client.secret_name]


def healthy(service: Service) -> bool:
    with contextlib.suppress(OSError):
        return fetch(service, "/healthz").status == 200
    return False
