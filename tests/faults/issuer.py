"""The issuer of a story: somebody else, who knows every client and gives tokens without asking anybody."""

import json
import time
from collections.abc import Sequence

from apiclients.resources.names import GROUP
from tests.toolkit.admin import Admin
from tests.toolkit.issuer import AUDIENCE, ForeignIssuer
from tests.toolkit.objects import SYSTEM, JsonObject
from tests.toolkit.waiting import eventually

_TOKEN_SECONDS = 12 * 3600


class StoryIssuer:
    """Its keys are in a ConfigMap, and its tokens are good for every Api that the client has a contract with."""

    def __init__(self, admin: Admin, suffix: str) -> None:
        self._admin = admin
        self._name = f"issuer{suffix}"
        self._issuer = ForeignIssuer(f"https://issuer{suffix}.example.com")

    def trust(self, namespaces: Sequence[str]) -> None:
        """Have a TokenIssuer for it. Contracts decide alone about scopes: it knows none of them."""
        keys = {"jwks.json": json.dumps(self._issuer.jwks())}
        metadata: JsonObject = {"name": self._name, "namespace": SYSTEM}
        spec: JsonObject = {
            "issuer": self._issuer.name,
            "keys": {"configMap": {"name": self._name, "key": "jwks.json"}},
            "audiences": [AUDIENCE],
            "scopesFrom": "Contract",
            "maxTokenLifetime": "24h",
            "subjects": [{"namespace": namespace, "prefix": f"{namespace}/"} for namespace in namespaces],
        }
        trusted: JsonObject = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "TokenIssuer", "spec": spec}
        self._admin.apply_object(
            "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": keys}
        )
        self._admin.apply_object("tokenissuers", {**trusted, "metadata": {"name": self._name}})
        eventually(f"{self._name} is trusted", self._is_trusted)

    def _is_trusted(self) -> bool:
        found = self._admin.done("GET", "tokenissuers", None, self._name)
        conditions = found.get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def forget(self) -> None:
        """Trust it no longer."""
        self._admin.delete("tokenissuers", "", self._name)

    def identity(self, namespace: str, name: str) -> JsonObject:
        """What a client claims."""
        return {"issuer": self._name, "subject": f"{namespace}/{name}"}

    def token(self, namespace: str, name: str) -> str:
        """A token of a client that is issued now."""
        return self._issuer.token(f"{namespace}/{name}", exp=int(time.time()) + _TOKEN_SECONDS)
