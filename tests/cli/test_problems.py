"""What a person is told who may not do something: who he is for the API server, and which role to ask for."""

import pytest

from apiclients.cli.cluster.problems import role_for, sentence
from apiclients.kube.errors import api_error

CANNOT = (
    'apiclientholds.apiclients.dev "leak" is forbidden: User "jane" cannot delete resource "apiclientholds" '
    'in API group "apiclients.dev" in the namespace "team-a"'
)


def told(message: str) -> str:
    return str(sentence(api_error(403, {"reason": "Forbidden", "message": message}, request="delete x")))


def test_user_role_and_command_are_named() -> None:
    said = told(CANNOT)
    assert "you are jane and may not delete apiclientholds in namespace team-a" in said
    assert (
        "`kubectl create rolebinding apiclient-hold-releaser -n team-a --clusterrole=apiclient-hold-releaser "
        "--user=jane`" in said
    )


def test_a_list_of_all_namespaces_needs_the_whole_cluster() -> None:
    said = told(
        'apiclients.apiclients.dev is forbidden: User "jane" cannot list resource "apiclients" '
        'in API group "apiclients.dev" at the cluster scope'
    )
    assert "in the whole cluster. Ask for the ClusterRole apiclient-viewer" in said
    assert "kubectl create clusterrolebinding" in said


def test_what_no_role_gives_is_left_to_the_administrator() -> None:
    said = told(CANNOT.replace("apiclientholds", "secrets"))
    assert said.endswith("Ask whoever administers the cluster for the right")


@pytest.mark.parametrize(
    ("verb", "resource", "role"),
    [
        ("create", "apiclientholds", "apiclient-on-call"),
        ("list", "apiclientholds", "apiclient-viewer"),
        ("delete", "apiclientholds", "apiclient-hold-releaser"),
        ("list", "leases", "apiclient-on-call"),
        ("patch", "apiclients", "apiclient-editor"),
        ("create", "contractapprovals", "apiclient-api-owner"),
        ("get", "apiclients", "apiclient-viewer"),
        ("list", "events", "apiclient-auditor"),
        ("update", "apiclients/status", None),
    ],
)
def test_the_role_for_each_right(verb: str, resource: str, role: str | None) -> None:
    assert role_for(verb, resource) == role
