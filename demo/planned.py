"""A pull request: its branch is planned by CI's own account, held back, acknowledged, merged, and compared."""

import json
from datetime import datetime
from functools import partial
from typing import Any

from demo.calls import ask_token, call
from demo.foretold import (
    Name,
    clients_losing_tokens,
    differences,
    foretold,
    statuses,
    stopped_contracts,
)
from demo.narrator import Narrator, until
from demo.story import NAMESPACE, Story

BRANCH = "retire-checkout"
CHECKOUT_FILE, CATALOG_FILE = "team-a/checkout.yaml", "team-a/catalog.yaml"
#: The exit status of ``plan --fail-on`` when the named class is there.
_HELD_BACK = 3

CHECKOUT = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata: {name: checkout-1.0, namespace: team-a}
spec:
  desiredStatus: Available
  client: checkout
  version: "1.0"
  owner: checkout@example.com
  secret: {name: checkout-credentials}
  retirement:
    gracePeriod: 3s
    acknowledgedContracts: []
---
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata: {name: checkout-orders, namespace: team-a}
spec:
  clientName: checkout-1.0
  api: {namespace: shop, name: orders}
  plan: basic
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: team-a}
spec:
  replicas: 0
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout}}
    spec:
      containers:
      - name: checkout
        image: registry.example.com/checkout:1.0
        envFrom: [{secretRef: {name: checkout-credentials}}]
"""

CATALOG = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata: {name: catalog-1.0, namespace: team-a}
spec:
  desiredStatus: Available
  client: catalog
  version: "1.0"
  secret: {name: catalog-credentials}
---
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata: {name: catalog-orders, namespace: team-a}
spec:
  clientName: catalog-1.0
  api: {namespace: shop, name: orders}
  plan: basic
"""


class PlanStory:
    """Goes on where the second part ended; ``gateway`` asks for contracts with shop/orders."""

    def __init__(self, story: Story, gateway: str) -> None:
        self.story = story
        self.tell: Narrator = story.tell
        self.stage, self.repository = story.stage, story.repository
        self.orders = f"{gateway}/orders"
        self.tokens: dict[str, str] = {}
        self.plan: dict[str, Any] = {}

    def run(self) -> None:
        """All chapters. Raises StoryError at the first thing that is not as told."""
        self.prepare()
        self.plan_branch()
        self.acknowledge_and_merge()
        self.revert()

    def prepare(self) -> None:
        """Two clients with a contract and a token each, and the account with which CI plans."""
        self.repository.commit("Add checkout and catalog", {CHECKOUT_FILE: CHECKOUT, CATALOG_FILE: CATALOG})
        self.repository.apply()
        for client in ("checkout", "catalog"):
            self.story.wait_for(f"{client}-1.0", "Available")
            self.tokens[client] = until("a token that passes", partial(self.good_token, client))
        self.stage.plan_account()

    def plan_branch(self) -> None:
        with self.tell.chapter("A branch is planned before it is merged: what it ends is not acknowledged"):
            self.repository.git("switch", "-q", "-c", BRANCH)
            retire = "Retire checkout 1.0"
            self.repository.edit(retire, CHECKOUT_FILE, "desiredStatus: Available", "desiredStatus: Retired")
            self.story.suspend(CATALOG_FILE)
            self.tell.command(f"git switch -c {BRANCH} && git commit …")
            done = self.run_plan("--fail-on", "unacknowledged")
            self.tell.check(f"exit status {_HELD_BACK}: the check of the pull request is red", done == _HELD_BACK, done)
            held = [change for change in self.plan["changes"] if change["blocked"]]
            self.tell.check("it foretells a retirement that is held back", len(held) == 1, held)
            self.tell.check("nothing has changed: 200", self.answer("checkout") == 200)

    def acknowledge_and_merge(self) -> None:
        with self.tell.chapter("Acknowledged, planned again and merged: what came is what the plan foretold"):
            acknowledged = ("acknowledgedContracts: []", "acknowledgedContracts: [checkout-orders]")
            self.repository.edit("Acknowledge what the retirement ends", CHECKOUT_FILE, *acknowledged)
            self.tell.command("git commit -m 'Acknowledge what the retirement ends'")
            done = self.run_plan("--fail-on", "unacknowledged")
            self.tell.check("exit status 0: the check is green", done == 0, done)
            before = self.statuses()
            self.repository.git("switch", "-q", "main")
            self.repository.git("merge", "-q", "--no-ff", "-m", f"Merge branch {BRANCH}", BRANCH)
            self.tell.command(f"git merge {BRANCH} && kubectl apply -R -f teams/")
            self.repository.apply()
            self.compare(before)
            self.compare_tokens()
            self.compare_secrets()

    def compare(self, before: dict[Name, str]) -> None:
        """All statuses of the cluster, those of objects that the plan does not name included."""
        expected = foretold(self.plan, before)
        until("what the plan foretold", lambda: not differences(expected, self.statuses()) or None, pause=0.05)
        changed = len(differences(expected, before))
        self.tell.fact(f"all {len(expected)} statuses are as foretold: {changed} changed, the others stayed")
        stopped = {str(name) for name in stopped_contracts(self.plan)}
        claim = "checkout-orders stopped and catalog-orders did not, as it said"
        self.tell.check(claim, stopped == {"Contract team-a/checkout-orders"}, stopped)

    def compare_tokens(self) -> None:
        """Both clients are refused; only one of the two loses its tokens, and no later than was said."""
        for client in self.tokens:
            until(f"a 401 for {client}", partial(self.answers, client, 401))
        dying = {str(name) for name in clients_losing_tokens(self.plan)}
        self.tell.check(
            "tokens die for good for checkout alone, it said", dying == {"ApiClient team-a/checkout-1.0"}, dying
        )
        self.tell.fact("tokens of both are refused: 401")

    def compare_secrets(self) -> None:
        """The Secrets that go, once the grace period is over."""
        gone = {secret["name"] for change in self.plan["changes"] for secret in change["secrets"]}
        self.tell.check("Secret checkout-credentials goes, it said", gone == {"checkout-credentials"}, gone)
        until("the end of the Secret", lambda: self.story.secret_is_gone("checkout-credentials") or None, pause=0.05)
        self.tell.check("it is gone, the other one is not", not self.story.secret_is_gone("catalog-credentials"))
        (said,) = [change["tokens"]["finalTime"] for change in self.plan["changes"] if change["tokens"]]
        came = self.story.status("checkout-1.0")["retirement"]["finalTime"]
        late = (datetime.fromisoformat(came) - datetime.fromisoformat(said)).total_seconds()
        self.tell.check(f"revoked for good at {came}, {late:.0f} s after it said: it was merged later", late >= 0, said)

    def revert(self) -> None:
        with self.tell.chapter("The merge is reverted: the suspension is undone, the retirement is not"):
            self.repository.git("revert", "-m", "1", "--no-edit", "HEAD")
            self.tell.command("git revert -m 1 HEAD && kubectl apply -R -f teams/")
            self.repository.apply()
            until("a 200 for catalog", partial(self.answers, "catalog", 200))
            self.tell.fact("catalog (reversible, said the plan): the same token works again: 200")
            until("a new token for checkout", partial(self.good_token, "checkout"))
            old = self.answer("checkout")
            self.tell.check("checkout (irreversible): a new secret, and its old token stays dead: 401", old == 401, old)

    # What the chapters are made of

    def run_plan(self, *options: str) -> int:
        """Plan the branch as CI would, show the text, keep the JSON; returns the exit status."""
        command = ("plan", "--base", "main", "--head", BRANCH, *options)
        self.tell.command(f"kubectl apiclient {' '.join(command)}")
        path = self.stage.folder / "plan.json"
        done = self.stage.plugin(*command, "--write", f"json={path}", folder=self.repository.folder)
        self.tell.output(done.stdout + done.stderr)
        self.plan = json.loads(path.read_text())
        return done.returncode

    def statuses(self) -> dict[Name, str]:
        """The statuses of all objects now."""
        found = self.stage.cluster.kubectl("get", "apiclients,apis,contracts", "-A", "-o", "json")
        return statuses(json.loads(found.stdout)["items"])

    def answer(self, client: str) -> int:
        """How nginx answers a call with the client's first token."""
        return call(self.orders, self.tokens[client]).status

    def answers(self, client: str, status: int) -> bool | None:
        """Whether nginx answers so."""
        return self.answer(client) == status or None

    def good_token(self, client: str) -> str | None:
        """A token with which a call passes, once there is one."""
        if self.story.secret_is_gone(f"{client}-credentials"):
            return None
        answer = ask_token(self.stage.credentials(NAMESPACE, f"{client}-credentials"))
        token = str(answer.json()["access_token"]) if answer.status == 200 else None
        return token if token is not None and call(self.orders, token).status == 200 else None
