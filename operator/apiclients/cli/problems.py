"""Errors of the Kubernetes edge as sentences that say what to do."""

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
    if error.message and "cannot" not in error.message:
        return error.message  # an admission policy says what to do itself
    return (
        f"you may not {error.request or 'do this'}. Ask for the role that allows it "
        "(`kubectl apiclient doctor` names the roles)"
    )


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
