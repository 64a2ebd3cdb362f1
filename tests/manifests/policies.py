"""What the tests of the admission policies share: kubectl, and how refusals are worded."""

import json
from typing import Any

from cluster import LocalCluster
from tests.toolkit.admin import Answer
from tests.toolkit.objects import JsonObject

POLICY = "ValidatingAdmissionPolicy"
BINDING = "ValidatingAdmissionPolicyBinding"
MANAGED = {"app.kubernetes.io/managed-by": "apiclient-operator"}
CREDENTIALS = "apiclients.dev/credentials"


class Kubectl:
    """kubectl in one namespace, as the administrator or as somebody else."""

    def __init__(self, cluster: LocalCluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace

    def __call__(self, *arguments: str, body: JsonObject | None = None) -> tuple[str, str]:
        """What it writes to standard output and standard error."""
        text = None if body is None else json.dumps(body)
        done = self._cluster.kubectl(*arguments, f"--namespace={self._namespace}", input=text, check=False)
        return done.stdout.strip(), done.stderr.strip()


def warning(policy: str, text: str) -> str:
    """A warning, as the API server words it."""
    return f"Validation failed for {POLICY} '{policy}' with binding '{policy}': {text}"


def denied(policy: str, text: str, binding: str = "") -> str:
    """A refusal, as the API server words it."""
    return f"{POLICY} '{policy}' with binding '{binding or policy}' denied request: {text}"


def is_forbidden(answer: Answer, policy: str) -> bool:
    """By that policy, and in the class that no tool answers with a deletion."""
    assert f"{POLICY} '{policy}'" in answer.message, answer
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden"), answer
    assert "immutable" not in answer.message, answer
    return True


def name_of(obj: Any) -> str:
    """The name of an object."""
    return str(obj["metadata"]["name"])
