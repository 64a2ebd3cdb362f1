"""The second half of the story: a provider's Api, a contract that waits, a retirement that is held, a hold."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cluster import KubectlError
from demo.calls import ask_token, call
from demo.narrator import Narrator, until
from demo.story import NAMESPACE, Story

PROVIDER = "shop"
API = (PROVIDER, "orders")

ORDERS = """\
apiVersion: apiclients.dev/v1alpha1
kind: Api
metadata: {name: orders, namespace: shop}
spec:
  desiredStatus: Published
  version: v1
  consumers: {from: All}
  plans:
  - name: basic
    scopes: [orders.read]
    rateLimit: {requests: 60, window: 1m}
  - name: gold
    approval: Manual
    scopes: [orders.read, orders.write]
    rateLimit: {requests: 6000, window: 1m}
"""

STOREFRONT = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata: {name: storefront-1.0, namespace: team-a}
spec:
  desiredStatus: Available
  client: storefront
  secret: {name: storefront-credentials}
  retirement:
    gracePeriod: 24h
    acknowledgedContracts: []
---
apiVersion: apiclients.dev/v1alpha1
kind: Contract
metadata: {name: storefront-orders, namespace: team-a}
spec:
  clientName: storefront-1.0
  api: {namespace: shop, name: orders}
  plan: gold
"""

APPROVAL = """\
apiVersion: apiclients.dev/v1alpha1
kind: ContractApproval
metadata: {name: storefront, namespace: shop}
spec:
  contract: {namespace: team-a, name: storefront-orders}
  client: storefront-1.0
  api: orders
  plan: gold
  decision: Approved
  reason: Agreed with the storefront team
"""

HOLD = """\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClientHold
metadata: {name: leaked-key, namespace: team-a}
spec:
  clientName: billing-1.0
  reason: The key was found in a public log
"""

_REAPPLY_SECONDS = 1.0


class ContractStory:
    """Goes on where the first half ended; ``gateway`` asks for contracts with shop/orders."""

    def __init__(self, story: Story, gateway: str) -> None:
        self.story = story
        self.tell: Narrator = story.tell
        self.stage, self.repository = story.stage, story.repository
        self.orders = f"{gateway}/orders"
        self.token = ""

    def run(self) -> None:
        """All chapters. Raises StoryError at the first thing that is not as told."""
        self.wait_for_approval()
        self.approve()
        self.refuse_deletion()
        self.hold_retirement()
        self.acknowledge()
        self.hold_against_git()

    def wait_for_approval(self) -> None:
        with self.tell.chapter("A provider publishes an Api; a contract for its manual plan waits"):
            self.repository.commit("Publish orders v1", {"shop/orders.yaml": ORDERS})
            self.repository.commit("Contract storefront with orders", {"team-a/storefront.yaml": STOREFRONT})
            self.tell.command("git commit -m 'Contract storefront with orders' && kubectl apply -R -f teams/")
            self.repository.apply()
            self.contract_is("PendingApproval")
            until("what waits in the Api's status", self.waiting_at_the_api, pause=0.05)
            self.tell.fact("the Api's owner sees what waits, in its status.pendingContracts")
            self.story.wait_for("storefront-1.0", "Available")
            token = until("a token", self.token_answer)
            refused = call(self.orders, token)
            self.tell.check(f"a call is refused: {refused.status}", refused.status == 403, refused)

    def approve(self) -> None:
        with self.tell.chapter("The provider approves from its own namespace"):
            self.repository.commit("Approve storefront for gold", {"shop/approvals.yaml": APPROVAL})
            self.tell.command("git commit -m 'Approve storefront for gold' && kubectl apply -R -f teams/")
            self.repository.apply()
            self.contract_is("Active")
            self.token = until("a token for the Api", self.good_token)
            plan = call(self.orders, self.token).json()["plan"]
            self.tell.check("a call is answered: 200, the API was told the plan: gold", plan == "gold", plan)

    def refuse_deletion(self) -> None:
        with self.tell.chapter("Deleting a client with an active contract is refused by policy"):
            self.tell.command("kubectl delete apiclient storefront-1.0 -n team-a")
            said = self.refused("delete", "apiclient", "storefront-1.0", "-n", NAMESPACE, "--wait=false")
            self.tell.output(said)
            self.tell.check("refused, and the client is still there", "storefront-orders" in said, said)

    def hold_retirement(self) -> None:
        with self.tell.chapter("A retirement that does not name what it ends is held"):
            name = "team-a/storefront.yaml"
            self.repository.edit("Retire storefront", name, "desiredStatus: Available", "desiredStatus: Retired")
            self.tell.command("git commit -m 'Retire storefront' && kubectl apply -R -f teams/")
            warnings = [line for line in self.repository.apply().splitlines() if line.startswith("Warning:")]
            self.tell.output("\n".join(warnings))
            self.tell.check("kubectl warned, naming the contract", "storefront-orders" in "".join(warnings), warnings)
            ready = until("the hold", self.held_message, pause=0.05)
            self.tell.output(ready)
            self.tell.check("meanwhile calls go on: 200", call(self.orders, self.token).status == 200)

    def acknowledge(self) -> None:
        with self.tell.chapter("The next commit acknowledges it: the contract ends, the client is retired"):
            name = "team-a/storefront.yaml"
            acknowledged = ("acknowledgedContracts: []", "acknowledgedContracts: [storefront-orders]")
            self.repository.edit("Acknowledge what the retirement ends", name, *acknowledged)
            self.tell.command("git commit -m 'Acknowledge what the retirement ends' && kubectl apply -R -f teams/")
            self.repository.apply()
            self.story.wait_for("storefront-1.0", "Retired")
            self.contract_is("Inactive")
            until("a 401", lambda: call(self.orders, self.token).status == 401 or None)
            self.tell.fact("calls are refused: 401")

    def hold_against_git(self) -> None:
        with self.tell.chapter("On-call places a hold while a loop re-applies Git every second: it stays stopped"):
            credentials = self.story.credentials("billing-credentials")
            token = str(ask_token(credentials).json()["access_token"])
            self.tell.check("before: 200", call(self.story.orders, token).status == 200)
            with self.git_loop() as applied:
                self.tell.command("kubectl create -f hold.yaml")
                self.stage.cluster.kubectl("create", "-f", "-", input=HOLD)
                until("a 401", lambda: call(self.story.orders, token).status == 401 or None)
                start = len(applied)
                answers: set[int] = set()
                while len(applied) < start + 3:
                    answers.add(call(self.story.orders, token).status)
                self.tell.check("Git was applied three more times, every call was refused", answers == {401}, answers)
                self.tell.command("kubectl delete apiclienthold leaked-key -n team-a")
                self.stage.cluster.kubectl("delete", "apiclienthold", "leaked-key", "-n", NAMESPACE)
                until("a 200", lambda: call(self.story.orders, token).status == 200 or None)
                self.tell.fact("released: the same token works again: 200")

    # What the chapters are made of

    def token_answer(self) -> str | None:
        """A token, once one is given."""
        answer = ask_token(self.story.credentials("storefront-credentials"))
        return str(answer.json()["access_token"]) if answer.status == 200 else None

    def good_token(self) -> str | None:
        """A token with which a call passes, once there is one."""
        token = self.token_answer()
        return token if token is not None and call(self.orders, token).status == 200 else None

    def contract_is(self, status: str) -> None:
        """Wait, with kubectl, for the contract's status."""
        condition = f"--for=jsonpath={{.status.observedStatus}}={status}"
        self.stage.cluster.kubectl("wait", "contract/storefront-orders", "-n", NAMESPACE, condition, "--timeout=30s")
        self.tell.fact(f"contract team-a/storefront-orders: {status}")

    def waiting_at_the_api(self) -> bool | None:
        """Whether the Api's status names the contract as waiting."""
        pending = self.stage.get("api", *API)["status"].get("pendingContracts", [])
        return "storefront-orders" in {contract["name"] for contract in pending} or None

    def held_message(self) -> str | None:
        """What the operator says of a held retirement, once it does."""
        conditions = self.story.status("storefront-1.0")["conditions"]
        stalled = [c["message"] for c in conditions if c["type"] == "Stalled"]
        return stalled[0] if stalled else None

    def refused(self, *arguments: str) -> str:
        """What kubectl says when it is refused; empty when it is not."""
        try:
            self.stage.cluster.kubectl(*arguments)
        except KubectlError as error:
            return error.stderr.strip()
        return ""

    @contextmanager
    def git_loop(self) -> Iterator[list[int]]:
        """Re-apply Git every second, as a GitOps controller would; yields what grows with every time."""
        applied: list[int] = []
        stop = threading.Event()

        def loop() -> None:
            while not stop.wait(_REAPPLY_SECONDS):
                self.repository.apply()
                applied.append(len(applied))

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield applied
        finally:
            stop.set()
            thread.join()
