"""The operator is killed between any two of its writes, and just before and just after each; a fresh one fixes all.

At the k-th write the proxy either drops the request or loses the answer; then the operator is killed and another one
started. That is done for every k until a change needs no k-th write any more.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.calls import Credentials
from demo.service import Service
from tests.toolkit.faults import Fate, StrikeAt, pass_all
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import Client, Product, Team, current, stamp_id
from tests.toolkit.proxy import FaultProxy
from tests.toolkit.waiting import PATIENCE, eventually

_NUMBERS = itertools.count(1)
_LONG = "1h"


@dataclass
class Mortal:
    """Operators behind a proxy, one after another."""

    product: Product
    proxy: FaultProxy
    kubeconfig: Path
    launch: Callable[[Service], Service]
    operator: Service | None = None

    def start(self) -> None:
        """Start another operator if none runs."""
        if self.operator is None or not self.operator.running:
            name, options = f"mortal-{next(_NUMBERS)}", ["--no-leader-election"]
            service = self.product.stage.operator(name, kubeconfig=self.kubeconfig, options=options)
            self.operator = self.launch(service)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.operator
        self.operator.kill()


@pytest.fixture
def mortal(alone: Product, tmp_path: Path, launch: Callable[[Service], Service]) -> Iterator[Mortal]:
    token = alone.stage.account("apiclient-operator")
    with FaultProxy(alone.stage.cluster) as proxy:
        kubeconfig = proxy.kubeconfig(tmp_path / "kubeconfig", token.with_name(token.name + ".token"))
        made = Mortal(alone, proxy, kubeconfig, launch)
        made.start()
        yield made


@dataclass(frozen=True)
class Change:
    """Something that a person does and that takes the operator several writes."""

    #: Returns once nothing more is written for what was there before: the writes counted are those of the change.
    prepare: Callable[[Team, str], Client]
    begin: Callable[[Client], object]
    done: Callable[[JsonObject], bool]
    #: Those that everybody sees, and those once all gates obey, which somebody who waits for the change may not see.
    writes: int
    enforced: int = 1


def _not_declared(team: Team, name: str) -> Client:
    return team.client(name, secret={"template": {"labels": {"team": "a"}}})


def _declared(team: Team, name: str) -> Client:
    client = team.declare(name, secret={"overlap": _LONG}, retirement={"gracePeriod": "1s"})
    client.until_enforced()
    return client


def _retired(team: Team, name: str) -> Client:
    client = _declared(team, name)
    client.apply(desiredStatus="Retired")
    client.wait("is destroyed", _destroyed)
    client.until_enforced()
    return client


def _destroyed(obj: JsonObject) -> bool:
    status = obj["status"]
    final = status.get("retirement", {}).get("finalTime")
    return bool(final) and status["tokens"]["notBefore"] >= final and not status.get("credentials")


def _available(number: int) -> Callable[[JsonObject], bool]:
    return lambda obj: obj["status"].get("observedStatus") == "Available" and current(obj["status"]).get("id") == number


#: Three: the template is put on by an apply of its own.
FIRST_ISSUE = Change(_not_declared, lambda client: client.apply(), _available(1), writes=3)
ROTATION = Change(_declared, lambda client: client.apply(secret={"revision": 2}), _available(2), writes=2)
#: Gates obey twice: that nothing is accepted any more, and the end of every token.
RETIREMENT = Change(_declared, lambda client: client.apply(desiredStatus="Retired"), _destroyed, writes=3, enforced=2)
REGISTERING = Change(_retired, lambda client: client.apply(desiredStatus="Available"), _available(2), writes=2)


@pytest.mark.rule(7)
@pytest.mark.parametrize("fate", [Fate.DROP, Fate.LOSE], ids=["before", "after"])
@pytest.mark.parametrize(
    "change",
    [FIRST_ISSUE, ROTATION, RETIREMENT, REGISTERING],
    ids=["first issue", "rotation", "retirement", "registering again"],
)
def test_operator_killed_at_any_write_loses_nothing(mortal: Mortal, team: Team, change: Change, fate: Fate) -> None:
    for number in itertools.count(1):
        mortal.start()
        client = change.prepare(team, f"client-{number}")
        before = _Before(client)
        strike = StrikeAt(team.namespace, number, fate)
        mortal.proxy.judge_by(strike)
        change.begin(client)
        if not _struck(mortal.proxy, strike, client, change):
            most = change.writes + change.enforced
            assert change.writes <= len(strike.writes) <= most, strike.writes
            assert change.writes <= number - 1 <= most
            before.verify(client)
            return
        mortal.kill()
        left = team.secrets().get(client.secret_name)
        before.verify_old_secret(killed_while=change)
        mortal.proxy.judge_by(pass_all)
        mortal.start()
        client.wait("is as it should be", change.done)
        before.verify(client, left)


def _struck(proxy: FaultProxy, strike: StrikeAt, client: Client, change: Change) -> bool:
    """Wait for the strike, or for the change to be done without one."""
    eventually("the strike, or the end", lambda: proxy.struck.is_set() or _is_done(client, change))
    # What the last write does may be seen before its answer is lost.
    return len(strike.writes) >= strike.number and proxy.struck.wait(PATIENCE)


def _is_done(client: Client, change: Change) -> bool:
    obj = client.get()
    return obj["status"]["observedGeneration"] == obj["metadata"]["generation"] and change.done(obj)


class _Before:
    """What worked before the change, and what has to hold of it afterwards."""

    def __init__(self, client: Client) -> None:
        self._team = client.team
        self._secret: Credentials | None = None
        self._token = ""
        if client.secret_name in client.team.secrets():
            self._secret, self._token = client.credentials(), client.token()

    def verify_old_secret(self, killed_while: Change) -> None:
        """While there is no operator at all, a secret within its overlap works on."""
        if killed_while is ROTATION and self._secret:
            assert set(self._team.product.tokens_issued(self._secret)) == {200}

    def verify(self, client: Client, left: JsonObject | None = None) -> None:
        """Afterwards; ``left`` is the Secret that the killed operator left behind."""
        team, product = self._team, self._team.product
        retired = client.spec["desiredStatus"] == "Retired"
        mine = [
            secret
            for name, secret in team.secrets().items()
            if any(owner["name"] == client.name for owner in secret["metadata"].get("ownerReferences", []))
        ]
        assert len(mine) == (0 if retired else 1)
        if retired:
            assert self._secret
            product.until_secret_refused(self._secret)
            product.until_refused(self._token)
            return
        now = client.credentials()
        product.until_secret_works(now)
        product.until_accepted(client.token())
        status = client.status()
        assert current(status)["id"] == status["lastCredentialId"]
        if left and stamp_id(left) == current(status)["id"]:
            assert left["data"] == mine[0]["data"], "what the killed operator has issued is taken over"
        if self._secret:
            product.until_secret_works(self._secret)
            assert len(status["credentials"]) == 2
            product.until_accepted(self._token)
