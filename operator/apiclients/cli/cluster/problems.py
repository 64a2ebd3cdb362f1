"""Errors of the Kubernetes edge as sentences that say what to do."""

import re

from apiclients.kube.errors import (
    ApiError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
    TooManyRequestsError,
    UnreachableError,
)

_READ = ("get", "list", "watch")
_WRITE = ("create", "update", "patch", "delete", "deletecollection")
#: Roles of manifests/control/rbac-users.yaml, the smallest first.
_ROLES = (
    ("apiclient-on-call", ("create",), ("apiclientholds",)),
    ("apiclient-on-call", ("get", "list"), ("leases",)),
    ("apiclient-hold-releaser", ("delete",), ("apiclientholds",)),
    ("apiclient-viewer", _READ, ("apiclients", "contracts", "apis", "contractapprovals", "apiclientholds")),
    ("apiclient-editor", _WRITE, ("apiclients", "contracts")),
    ("apiclient-api-owner", _WRITE, ("apis", "contractapprovals")),
    ("apiclient-auditor", _READ, ("events",)),
)
#: How the API server says who may not do what.
_DENIED = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource "(?P<resource>[\w/]+)"'
    r'(?: in API group "[^"]*")?(?: in the namespace "(?P<namespace>[^"]+)")?'
)

_DISCOVERY = ("apiclients", "apis", "contracts", "contractapprovals", "apiclientholds")


def sentence(error: Exception) -> str | None:
    """What went wrong and what to do; None for what is no error of the edge."""
    if isinstance(error, ConfigurationError):
        return f"{error}. Choose another with --kubeconfig or --context"
    if isinstance(error, UnreachableError):
        return f"the API server did not answer ({error}). Check the network and `kubectl cluster-info`"
    if isinstance(error, ForbiddenError):
        return _forbidden(error)
    if isinstance(error, NotFoundError):
        return f"{_what(error)} is not there. Check the name and the namespace (-n)"
    if isinstance(error, ConflictError):
        return f"{error.request or 'the object'} was changed by somebody else meanwhile. Look at it and try again"
    if isinstance(error, TooManyRequestsError):
        return "the API server has too much to do. Try again in a while"
    if isinstance(error, ApiError):
        return _api(error)
    return str(error) if isinstance(error, KubeError) else None


def _forbidden(error: ForbiddenError) -> str:
    if error.by_policy:
        return error.message  # it says what to do itself
    if '"system:anonymous"' in error.message:
        return (
            "the API server does not know who you are: the user of the kubeconfig's context has no credentials. "
            "Log in, or choose another with --kubeconfig or --context"
        )
    denied = _DENIED.search(error.message)
    if denied is None:
        why = f": {error.message}" if error.message else ""
        return f"you may not {error.request or 'do this'}{why}. Ask whoever administers the cluster for the right"
    user, verb, resource, namespace = denied.group("user", "verb", "resource", "namespace")
    where = f"in namespace {namespace}" if namespace else "in the whole cluster"
    said = f"you are {user} and may not {verb} {resource} {where}"
    role = role_for(verb, resource)
    if role is None:
        return f"{said}. Ask whoever administers the cluster for the right"
    return f"{said}. Ask for the ClusterRole {role}: {_binding(role, user, namespace)}"


def role_for(verb: str, resource: str) -> str | None:
    """The ClusterRole of the manifests that gives a right; None where none is made for it."""
    for role, verbs, resources in _ROLES:
        if verb in verbs and resource in resources:
            return role
    return None


def _binding(role: str, user: str, namespace: str | None) -> str:
    kind, where = ("rolebinding", f" -n {namespace}") if namespace else ("clusterrolebinding", "")
    return f"`kubectl create {kind} {role}{where} --clusterrole={role} --user={user}`"


def _api(error: ApiError) -> str:
    if error.status == 404 and any(f" {plural}" in f" {error.request}" for plural in _DISCOVERY):
        return (
            "the API server does not know the kinds of apiclients.dev/v1alpha1. Install the CRDs: "
            "kubectl apply -k manifests/control"
        )
    if error.status == 401:
        return "the API server does not accept your credentials. Log in again"
    return f"the API server refused: {error.message or error.reason or error.status}"


def _what(error: NotFoundError) -> str:
    return error.message.removesuffix(" not found") or error.request or "the object"
