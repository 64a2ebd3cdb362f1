"""The last part of the story: clients without a secret, known by tokens that somebody else has signed."""

import base64
import ssl
from pathlib import Path

from demo.calls import call, request
from demo.issuer import AUDIENCE, CLIENT, SECRET, issuer_at
from demo.narrator import Narrator, until
from demo.stage import SYSTEM_NAMESPACE
from demo.story import NAMESPACE, Story

KEYCLOAK = """\
apiVersion: apiclients.dev/v1alpha1
kind: TokenIssuer
metadata: {{name: keycloak}}
spec:
  issuer: {issuer}
  keys:
    discoveryURL: {issuer}/.well-known/openid-configuration
  certificateAuthority:
    configMap: {{name: keycloak-ca, key: ca.crt}}
  audiences: [{audience}]
  subjectClaim: azp
  scopesFrom: Contract
  subjects:
  - {{namespace: team-a, prefix: team-a-}}
"""

INVOICES = f"""\
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata: {{name: invoices-1.0, namespace: team-a}}
spec:
  desiredStatus: Available
  client: invoices
  secret: {{issue: false}}
  identities:
  - {{issuer: keycloak, subject: {CLIENT}}}
"""

CLUSTER = f"""\
apiVersion: apiclients.dev/v1alpha1
kind: TokenIssuer
metadata: {{name: cluster}}
spec:
  keys: {{cluster: {{}}}}
  audiences: [{AUDIENCE}]
"""

NIGHTLY = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: nightly, namespace: team-a}
---
apiVersion: apiclients.dev/v1alpha1
kind: ApiClient
metadata: {name: nightly-1.0, namespace: team-a}
spec:
  desiredStatus: Available
  client: nightly
  secret: {issue: false}
  identities:
  - {issuer: cluster, serviceAccountName: nightly}
"""


class IdentityStory:
    """Goes on where the story of contracts and plans ended."""

    def __init__(self, story: Story, port: int, authority: Path) -> None:
        """The issuer listens at ``port``, with a certificate of ``authority``, a file."""
        self.story = story
        self.tell: Narrator = story.tell
        self.stage, self.repository = story.stage, story.repository
        self.name, self.authority = issuer_at(port), authority

    def run(self) -> None:
        """All chapters. Raises StoryError at the first thing that is not as told."""
        self.trust()
        self.suspend_and_resume()
        self.pod()

    def trust(self) -> None:
        with self.tell.chapter("Tokens of another issuer: an administrator trusts it, a team claims a subject"):
            until("a token of the issuer", lambda: self.foreign_token() or None)
            config_map = ("create", "configmap", "keycloak-ca", "-n", SYSTEM_NAMESPACE)
            self.stage.cluster.kubectl(*config_map, f"--from-file=ca.crt={self.authority}")
            trusted = KEYCLOAK.format(issuer=self.name, audience=AUDIENCE)
            self.repository.commit("Trust Keycloak", {"platform/keycloak.yaml": trusted})
            self.repository.commit("Add invoices 1.0, known by its token", {"team-a/invoices.yaml": INVOICES})
            self.tell.command("git commit -m 'Add invoices 1.0, known by its token' && kubectl apply -R -f teams/")
            self.story.apply()
            self.stage.cluster.kubectl("wait", "tokenissuer/keycloak", "--for=condition=Ready", "--timeout=30s")
            self.tell.fact("TokenIssuer keycloak is Ready: the operator has fetched its keys")
            self.story.wait_for("invoices-1.0", "Available")
            self.has_no_secret("invoices-1.0")
            self.story.token = until("a 200 with a token of the issuer", lambda: self.accepted(self.foreign_token()))
            self.is_told("invoices-1.0")

    def suspend_and_resume(self) -> None:
        with self.tell.chapter("A commit stops its token, git revert lets the same one in again, 5 times"):
            self.story.switch("team-a/invoices.yaml", times=5)
            self.tell.check("its issuer goes on giving tokens to it", bool(self.foreign_token()))

    def pod(self) -> None:
        with self.tell.chapter("A pod without a secret: it calls with the token of its ServiceAccount"):
            self.repository.commit("Trust this cluster", {"platform/cluster.yaml": CLUSTER})
            self.repository.commit("Add nightly 1.0, known by its ServiceAccount", {"team-a/nightly.yaml": NIGHTLY})
            self.tell.command(
                "git commit -m 'Add nightly 1.0, known by its ServiceAccount' && kubectl apply -R -f teams/"
            )
            self.story.apply()
            self.story.wait_for("nightly-1.0", "Available")
            self.has_no_secret("nightly-1.0")
            self.tell.command(f"kubectl create token nightly -n {NAMESPACE} --audience={AUDIENCE}")
            self.story.token = until("a 200 with the pod's token", lambda: self.accepted(self.pod_token()))
            self.is_told("nightly-1.0")
            self.story.suspend("team-a/nightly.yaml")
            self.tell.fact(f"suspended: refused {self.story.told_until(401)} after kubectl apply had returned")
            self.repository.revert()
            self.tell.fact(f"resumed: the same token again after {self.story.told_until(200)}")

    # What the chapters are made of

    def foreign_token(self) -> str:
        """A token of the issuer; empty while it does not answer."""
        pair = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        try:
            context = ssl.create_default_context(cafile=str(self.authority))
            answer = request(
                "POST",
                f"{self.name}/protocol/openid-connect/token",
                headers={"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"},
                body=b"grant_type=client_credentials",
                tls=context,
            )
        except OSError:
            return ""
        return str(answer.json()["access_token"])

    def pod_token(self) -> str:
        """What the kubelet would put into the pod's projected volume."""
        words = ("create", "token", "nightly", "-n", NAMESPACE, f"--audience={AUDIENCE}")
        return self.stage.cluster.kubectl(*words).stdout.strip()

    def accepted(self, token: str) -> str | None:
        """The token, if a call with it passes."""
        return token if call(self.story.orders, token).status == 200 else None

    def is_told(self, name: str) -> None:
        """The API is told which client calls, as with any other."""
        seen, known = call(self.story.orders, self.story.token).json(), self.story.status(name)["clientId"]
        self.tell.check(f"200, and the API was told who calls: {known}", seen["client"] == known, seen)

    def has_no_secret(self, name: str) -> None:
        """Nothing was issued for it."""
        held = self.story.status(name).get("credentials", [])
        self.tell.check(f"{name} is Available, and has no Secret", not held, held)
