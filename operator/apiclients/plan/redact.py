"""Hides other teams' names, for plans that strangers may read.

A team's own namespaces are those of the manifests. Of all others only what the manifests themselves name stays; the
rest gets numbers. It happens before planning, so no message can hold what is hidden.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from apiclients.lifecycle.identities import claimed_subject
from apiclients.plan.live import LiveState
from apiclients.plan.manifests import Manifests
from apiclients.resources.apiclient import Identity
from apiclients.resources.refs import ObjectRef

#: Stands for the keys of others, whose ids may tell something: the public key of RFC 7517 appendix A.1.
_SOME_JWKS = (
    '{"keys": [{"kid": "hidden", "kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", '
    '"y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}'
)
_WORDS = re.compile(r"[a-z0-9][-a-z0-9.]*")


@dataclass(slots=True)
class _Names:
    """What stands for each hidden name; numbers are given in the order of the names, so they mean nothing."""

    shown_namespaces: frozenset[str]
    own_namespaces: frozenset[str]
    shown_words: frozenset[str]
    known: dict[tuple[str, ...], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def namespace(self, name: str) -> str:
        return name if name in self.shown_namespaces else self._stand_in("namespace", ("", name))

    def object(self, kind: str, namespace: str, name: str) -> str:
        if namespace in self.own_namespaces or (namespace in self.shown_namespaces and name in self.shown_words):
            return name
        return self._stand_in(kind.lower(), (kind, namespace, name))

    def _stand_in(self, word: str, key: tuple[str, ...]) -> str:
        if key not in self.known:
            self.counts[word] = self.counts.get(word, 0) + 1
            self.known[key] = f"hidden-{word}-{self.counts[word]}"
        return self.known[key]


def redacted(live: LiveState, base: Manifests, head: Manifests) -> LiveState:
    """The live state with other teams' names replaced."""
    own = frozenset(name.namespace for name in (*base.objects, *head.objects))
    texts = [str(manifest.content.get("spec")) for m in (base, head) for manifest in m.objects.values()]
    words = frozenset(word for text in texts for word in _WORDS.findall(text))
    names = _Names(own | (words & _namespaces(live)), own, words)
    objects = {}
    for name in sorted(name for name in live.objects if name.namespace):  # TokenIssuers tell of all namespaces
        obj = _object(name, live.objects[name], names)
        objects[ObjectRef(name.kind, obj["metadata"]["namespace"], obj["metadata"]["name"])] = obj
    labels = live.namespace_labels
    return replace(
        live,
        source="a cluster",
        objects=objects,
        issuers_known=False,
        namespaces=None if live.namespaces is None else frozenset(names.namespace(n) for n in sorted(live.namespaces)),
        namespace_labels=None if labels is None else {names.namespace(n): labels[n] for n in sorted(labels)},
        workloads=None if live.workloads is None else tuple(w for w in live.workloads if w.namespace in own),
    )


def _namespaces(live: LiveState) -> frozenset[str]:
    return frozenset(name.namespace for name in live.objects)


def _object(name: ObjectRef, raw: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    namespace, spec, status = name.namespace, dict(raw["spec"]), dict(raw["status"])
    own = namespace in names.own_namespaces
    metadata = {**raw["metadata"], "namespace": names.namespace(namespace)}
    metadata["name"] = names.object(name.kind, namespace, name.name)
    if not own:
        metadata.pop("annotations", None)
    if name.kind == "Contract":
        spec, status = _contract(namespace, spec, status, names)
    elif name.kind == "ContractApproval":
        spec = _approval(namespace, spec, names)
    elif name.kind == "Api":
        status.pop("pendingContracts", None)
    elif name.kind == "ApiClient" and not own:
        spec, status = _foreign_client(namespace, metadata["name"], spec, status, names)
    elif name.kind == "ApiClientHold" and not own:
        spec["reason"] = "hidden"
        if "clientName" in spec:
            spec["clientName"] = names.object("ApiClient", namespace, spec["clientName"])
        status = {}
    return {**raw, "metadata": metadata, "spec": spec, "status": status}


def _contract(
    namespace: str, spec: dict[str, Any], status: dict[str, Any], names: _Names
) -> tuple[dict[str, Any], dict[str, Any]]:
    spec["api"] = _api(spec["api"], names)
    spec["clientName"] = names.object("ApiClient", namespace, spec["clientName"])
    if status.get("inForce"):
        known = status["inForce"]
        client = names.object("ApiClient", namespace, known["clientName"])
        status["inForce"] = {**known, "clientName": client, "api": _api(known["api"], names)}
    if namespace not in names.own_namespaces:
        # Messages name what is hidden; conditions are made anew.
        status["conditions"] = [{**c, "message": ""} for c in status.get("conditions") or []]
    return spec, status


def _api(reference: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    namespace, name = reference["namespace"], reference["name"]
    return {"namespace": names.namespace(namespace), "name": names.object("Api", namespace, name)}


def _approval(namespace: str, spec: dict[str, Any], names: _Names) -> dict[str, Any]:
    contract = spec["contract"]
    other = contract["namespace"]
    spec["contract"] = {
        "namespace": names.namespace(other),
        "name": names.object("Contract", other, contract["name"]),
    }
    spec["client"] = names.object("ApiClient", other, spec["client"])
    spec["api"] = names.object("Api", namespace, spec["api"])
    if namespace not in names.own_namespaces:
        spec.pop("reason", None)
    return spec


def _foreign_client(
    namespace: str, hidden: str, spec: dict[str, Any], status: dict[str, Any], names: _Names
) -> tuple[dict[str, Any], dict[str, Any]]:
    for part in ("client", "displayName", "description", "owner", "version"):
        spec.pop(part, None)
    spec["secret"] = {key: value for key, value in (spec.get("secret") or {}).items() if key != "name"}
    if status.get("secret"):
        status["secret"] = {**status["secret"], "name": f"{hidden}-credentials"}
    acknowledged = (spec.get("retirement") or {}).get("acknowledgedContracts")
    if acknowledged:
        contracts = [names.object("Contract", namespace, one) for one in acknowledged]
        spec["retirement"] = {**spec["retirement"], "acknowledgedContracts": contracts}
    if "keys" in spec:
        spec["keys"] = {"jwks": _SOME_JWKS}
    if "identities" in spec:
        spec["identities"] = [_identity(namespace, one, names) for one in spec["identities"]]
    if "identities" in status:
        known = status["identities"]
        status["identities"] = [{**_identity(namespace, one, names), "since": one["since"]} for one in known]
    for part in ("holds", "conditions", "history", "contracts", "clientId"):
        status.pop(part, None)
    return spec, status


def _identity(namespace: str, raw: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    """The same subject is hidden in the same way, whether a ServiceAccount or a subject is named."""
    subject = claimed_subject(Identity.model_validate(raw), namespace)
    issuer = names.object("TokenIssuer", "", raw["issuer"])
    return {"issuer": issuer, "subject": names.object("Identity", namespace, subject)}
