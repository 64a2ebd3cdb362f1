"""The story: a client is declared, used, suspended, resumed, expired, rotated and retired, by commits alone."""

import json
import statistics
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.calls import Credentials, ask_token, call, fetch_token
from demo.narrator import Narrator, until
from demo.repository import Repository
from demo.service import Service
from demo.stage import Stage

NAMESPACE = "team-a"
TRIES = 20

BILLING = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata:
  name: billing-1.0
  namespace: team-a
spec:
  desiredStatus: Available
  client: billing
  version: "1.0"
  owner: billing@example.com
  secret:
    name: billing-credentials
    revision: 1
    overlap: 4s
  retirement:
    gracePeriod: 2s
"""

REPORTS = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata:
  name: reports-2.3
  namespace: team-a
spec:
  desiredStatus: Available
  client: reports
  version: "2.3"
  secret:
    name: reports-credentials
    rotation: Manual
    lifetime: 6s
    revision: 1
"""


class Story:
    """Tells the story on a stage; each method is a chapter and checks what it tells."""

    def __init__(
        self, stage: Stage, repository: Repository, gateway: str, operator: Service, gates: Sequence[Service]
    ) -> None:
        """``gates`` are asked one by one; none beside an operator that does not tell what they obey."""
        self.stage = stage
        self.repository = repository
        self.orders = f"{gateway}/orders"
        self.operator = operator
        self.gates = gates
        self.tell = Narrator()
        self.token = ""

    def run(self) -> None:
        """The first half of the story. Raises StoryError at the first thing that is not as told."""
        self.declare()
        self.use()
        self.suspend_and_resume()
        if self.gates:
            self.prove_a_suspension()
        self.suspend_without_operator()
        self.expire_while_suspended()
        self.rotate()
        self.retire()
        self.register_again()

    def declare(self) -> None:
        with self.tell.chapter("A client is declared in Git and becomes Available"):
            self.repository.commit("Add billing 1.0", {"team-a/billing.yaml": BILLING})
            self.tell.command("git commit -m 'Add billing 1.0' && kubectl apply -R -f teams/")
            applied = self.apply()
            self.wait_for("billing-1.0", "Available")
            self.tell.fact(f"Available {_ms(time.monotonic() - applied)} after kubectl apply had returned")
            self.tell.fact("Secret team-a/billing-credentials holds client-id, client-secret, issuer, token-endpoint")

    def use(self) -> None:
        with self.tell.chapter(
            "The program fetches a token with what is in its Secret and calls the API through nginx"
        ):
            credentials = self.credentials("billing-credentials")
            self.tell.command(
                f"curl -u $CLIENT_ID:$CLIENT_SECRET -d grant_type=client_credentials {credentials.token_endpoint}"
            )
            self.token = until("a token", lambda: _token(credentials))
            self.tell.command(f"curl -H 'Authorization: Bearer $TOKEN' {self.orders}")
            answer = call(self.orders, self.token)
            self.tell.check("200 from the API", answer.status == 200, answer)
            seen = answer.json()
            self.tell.check(f"the API was told who calls: {seen['client']}", seen["client"] == credentials.client_id)
            self.tell.check("the API never saw the token", seen["tokenSeen"] is False)
            self.tell.check("without a token: 401", call(self.orders, None).status == 401)

    def suspend_and_resume(self) -> None:
        with self.tell.chapter(f"A commit suspends it, git revert resumes it, {TRIES} times: always the same token"):
            self.tell.command("git commit -m 'Suspend billing 1.0' && kubectl apply -R -f teams/")
            self.tell.command("git revert HEAD && kubectl apply -R -f teams/")
            self.switch("team-a/billing.yaml")

    def prove_a_suspension(self) -> None:
        with self.tell.chapter("Suspended, and proved: kubectl waits until every gate obeys"):
            self.tell.command("git commit -m 'Suspend billing 1.0' && kubectl apply -R -f teams/")
            self.suspend("team-a/billing.yaml")
            self.wait_until_enforced()
            self.ask_gates(401)
            self.tell.command("git revert HEAD && kubectl apply -R -f teams/")
            self.repository.revert()
            self.wait_until_enforced()
            self.ask_gates(200)

    def suspend_without_operator(self) -> None:
        with self.tell.chapter("The operator is stopped: a suspension still bites"):
            self.tell.command("kill -TERM <operator>")
            self.operator.stop()
            self.tell.check("the operator is gone", not self.operator.running)
            self.suspend("team-a/billing.yaml")
            self.tell.fact(f"refused {self.told_until(401)} after kubectl apply had returned")
            refused = ask_token(self.credentials("billing-credentials"))
            self.tell.check("no new token either: 401 invalid_client", refused.status == 401, refused)
            self.operator.start()
            self.tell.fact("the operator is back")
            self.wait_for("billing-1.0", "Suspended")
            self.repository.revert()
            self.tell.fact(f"resumed: the same token again after {self.told_until(200)}")

    def expire_while_suspended(self) -> None:
        with self.tell.chapter("A secret that lives 6 s expires while its client is suspended"):
            self.repository.commit("Add reports 2.3", {"team-a/reports.yaml": REPORTS})
            self.apply()
            self.wait_for("reports-2.3", "Available")
            credentials = self.credentials("reports-credentials")
            token = until("a token", lambda: _token(credentials))
            self.suspend("team-a/reports.yaml")
            self.apply()
            self.wait_for("reports-2.3", "Suspended")
            expires = self.status("reports-2.3")["credentials"][0]["expiresTime"]
            until("the expiry", lambda: datetime.now(UTC) >= datetime.fromisoformat(expires) or None, pause=0.05)
            self.repository.revert()
            self.tell.command("git revert HEAD && kubectl apply -R -f teams/")
            self.apply()
            self.wait_for("reports-2.3", "Expired")
            self.tell.fact(f"resumed: Expired, because the secret had expired at {expires}")
            until("a 200 with the old token", lambda: call(self.orders, token).status == 200 or None)
            self.tell.fact("the token from before works: 200")
            refused = ask_token(credentials)
            self.tell.check("the old secret gets no new token: 401", refused.status == 401, refused)
            self.repository.edit("New secret for reports 2.3", "team-a/reports.yaml", "revision: 1", "revision: 2")
            self.repository.edit("Let it live longer", "team-a/reports.yaml", "lifetime: 6s", "lifetime: 720h")
            self.tell.command("git commit -m 'New secret for reports 2.3' && kubectl apply -R -f teams/")
            self.apply()
            self.wait_for("reports-2.3", "Available")
            fresh = self.credentials("reports-credentials")
            until("a token with the new secret", lambda: _token(fresh))
            self.tell.check(
                "Available, with a new secret and the same client id", fresh.client_id == credentials.client_id
            )

    def rotate(self) -> None:
        with self.tell.chapter("Rotation: for the overlap of 4 s both secrets are valid"):
            old = self.credentials("billing-credentials")
            self.repository.edit("Rotate the secret of billing", "team-a/billing.yaml", "revision: 1", "revision: 2")
            self.tell.command("git commit -m 'Rotate the secret of billing' && kubectl apply -R -f teams/")
            self.apply()
            new = until("a new secret", lambda: self.changed_credentials(old))
            until("a token with the new secret", lambda: _token(new))
            self.tell.check("the new secret gets a token", True)
            self.tell.check("the old secret gets one too", ask_token(old).status == 200)
            self.tell.check("the token from before works: 200", call(self.orders, self.token).status == 200)
            until("the end of the overlap", lambda: ask_token(old).status == 401 or None, pause=0.05)
            self.tell.fact("after the overlap the old secret is refused: 401")
            self.tell.check("the token from before still works: 200", call(self.orders, self.token).status == 200)

    def retire(self) -> None:
        with self.tell.chapter("Retired: refused at once, destroyed after the grace period of 2 s"):
            self.repository.edit(
                "Retire billing 1.0", "team-a/billing.yaml", "desiredStatus: Available", "desiredStatus: Retired"
            )
            self.tell.command("git commit -m 'Retire billing 1.0' && kubectl apply -R -f teams/")
            self.tell.fact(f"refused {self.told_until(401)} after kubectl apply had returned")
            self.wait_for("billing-1.0", "Retired")
            until("the end of the Secret", lambda: self.secret_is_gone("billing-credentials") or None, pause=0.05)
            self.tell.fact("the grace period is over: Secret team-a/billing-credentials is gone")

    def register_again(self) -> None:
        with self.tell.chapter("Registered again: a new secret, and the old token stays dead"):
            self.repository.revert()
            self.tell.command("git revert HEAD && kubectl apply -R -f teams/")
            self.apply()
            self.wait_for("billing-1.0", "Available")
            credentials = self.credentials("billing-credentials")
            token = until("a token with the new secret", lambda: _token(credentials))
            until("a 200 with the new token", lambda: call(self.orders, token).status == 200 or None)
            self.tell.fact("a token from the new secret works: 200")
            self.tell.check("the old token is refused: 401", call(self.orders, self.token).status == 401)

    def look(self) -> None:
        with self.tell.chapter("What the cluster shows"):
            shown = (
                ("get", "apiclients,apis,contracts,contractapprovals", "-A"),
                ("describe", "apiclient", "billing-1.0", "-n", NAMESPACE),
            )
            for arguments in shown:
                self.tell.command(f"kubectl {' '.join(arguments)}")
                self.tell.output(self.stage.cluster.kubectl(*arguments).stdout)
            self.tell.command("git log --reverse --format=%s | uniq -c")
            self.tell.output(_counted(self.repository.log().splitlines()))

    # What the chapters are made of

    def apply(self) -> float:
        """Apply the repository; returns the monotonic time at which kubectl returned."""
        self.repository.apply()
        return time.monotonic()

    def suspend(self, name: str) -> None:
        """Commit a suspension; nothing is applied yet."""
        message = f"Suspend {Path(name).stem}"
        self.repository.edit(message, name, "desiredStatus: Available", "desiredStatus: Suspended")

    def time_until(self, status: int) -> float:
        """Apply, then call with the story's token until nginx answers so; seconds since kubectl returned."""
        applied = self.apply()
        until(f"a {status}", lambda: call(self.orders, self.token).status == status or None)
        return time.monotonic() - applied

    def told_until(self, status: int) -> str:
        """The same in words."""
        return _ms(self.time_until(status))

    def switch(self, name: str, times: int = TRIES) -> None:
        """Suspend and resume a client, by its file, and tell how soon the story's token followed."""
        refused, accepted = [], []
        for _ in range(times):
            self.suspend(name)
            refused.append(self.time_until(401))
            self.repository.revert()
            accepted.append(self.time_until(200))
        self.tell.fact(f"suspended: first 401 after kubectl apply had returned: {_spread(refused)}")
        self.tell.fact(f"resumed: first 200 after kubectl apply had returned: {_spread(accepted)}")

    def wait_for(self, name: str, observed: str) -> None:
        """Wait, with kubectl, until the operator has observed it."""
        condition = f"--for=jsonpath={{.status.observedStatus}}={observed}"
        self.stage.cluster.kubectl("wait", f"apiclient/{name}", "-n", NAMESPACE, condition, "--timeout=30s")

    def wait_until_enforced(self) -> None:
        """Apply, and wait with kubectl until every gate obeys."""
        self.apply()
        words = ("wait", "apiclient/billing-1.0", "-n", NAMESPACE, "--for=condition=Enforced")
        self.tell.command(f"kubectl {' '.join(words)}")
        self.tell.output(self.stage.cluster.kubectl(*words, "--timeout=60s").stdout)
        conditions = {one["type"]: one["message"] for one in self.status("billing-1.0")["conditions"]}
        self.tell.fact(f"Enforced: {conditions['Enforced']}")

    def ask_gates(self, status: int) -> None:
        """Ask each gate once what it answers to the story's token."""
        for number, gate in enumerate(self.gates, 1):
            assert gate.ready_url is not None
            answer = call(f"{gate.ready_url.removesuffix('/readyz')}/check", self.token)
            self.tell.check(f"gate {number} answers {status}", answer.status == status, answer)

    def status(self, name: str) -> dict[str, Any]:
        """The status of a client."""
        status: dict[str, Any] = self.stage.get("apiclient", NAMESPACE, name)["status"]
        return status

    def credentials(self, secret: str) -> Credentials:
        """What is in a Secret now."""
        return self.stage.credentials(NAMESPACE, secret)

    def changed_credentials(self, old: Credentials) -> Credentials | None:
        """What is in billing's Secret, once it is not the old any more."""
        now = self.credentials("billing-credentials")
        return now if now.client_secret != old.client_secret else None

    def secret_is_gone(self, name: str) -> bool:
        """Whether a Secret is not there."""
        found = self.stage.cluster.kubectl("get", "secrets", "-n", NAMESPACE, "-o", "json")
        return name not in {item["metadata"]["name"] for item in json.loads(found.stdout)["items"]}


def _token(credentials: Credentials) -> str | None:
    answer = ask_token(credentials)
    return fetch_token(credentials) if answer.status == 200 else None


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _spread(seconds: list[float]) -> str:
    return f"median {_ms(statistics.median(seconds))}, worst {_ms(max(seconds))}"


def _counted(lines: Iterable[str]) -> str:
    counts: dict[str, int] = {}
    for line in lines:
        counts[line] = counts.get(line, 0) + 1
    return "\n".join(f"{count:>4} {line}" for line, count in counts.items())
