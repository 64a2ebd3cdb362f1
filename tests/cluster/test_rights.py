"""What the accounts of the programs, as shipped, can and cannot do: tried, not asked about."""

from pathlib import Path

import pytest

from demo.stage import SYSTEM_NAMESPACE
from tests.toolkit.product import Product, Team

OPERATOR, GATE = "apiclient-operator", "apiclient-gate"


def words(product: Product, account: str, *arguments: str) -> str:
    """What kubectl says when a program's account does something."""
    kubeconfig: Path = product.stage.account(account)
    done = product.stage.cluster.kubectl(*arguments, kubeconfig=kubeconfig, check=False)
    return done.stdout + done.stderr


@pytest.mark.rule(21)
def test_operator_cannot_change_what_its_users_own(team: Team) -> None:
    billing = team.declare("billing-1.0")
    before = billing.until_enforced()
    where = ("apiclients.apiclients.dev", "billing-1.0", f"--namespace={team.namespace}")
    for change in (
        ("label", *where, "owned=by-the-operator"),
        ("annotate", *where, "owned=by-the-operator"),
        ("patch", *where, "--type=merge", '--patch={"spec":{"desiredStatus":"Suspended"}}'),
        ("delete", *where),
    ):
        said = words(team.product, OPERATOR, *change)
        assert "forbidden" in said.lower(), said
    assert billing.get() == before


@pytest.mark.rule(19)
def test_gate_reads_its_keys_and_no_other_secret(team: Team) -> None:
    billing = team.declare("billing-1.0")
    system = f"--namespace={SYSTEM_NAMESPACE}"
    assert "keyring.json" in words(team.product, GATE, "get", "secret", "apiclient-keys", system, "--output=json")
    for asked in (
        ("get", "secrets", system),
        ("get", "secrets", "--all-namespaces"),
        ("get", "secret", billing.secret_name, f"--namespace={team.namespace}"),
        ("delete", "secret", "apiclient-keys", system),
        ("patch", "secret", "apiclient-keys", system, "--type=merge", '--patch={"data":{}}'),
    ):
        said = words(team.product, GATE, *asked)
        assert "forbidden" in said.lower(), said


@pytest.mark.rule(19, 21)
def test_gate_cannot_write_any_client_nor_its_status(team: Team) -> None:
    team.declare("billing-1.0")
    where = ("apiclients.apiclients.dev", "billing-1.0", f"--namespace={team.namespace}")
    patch = ("--type=merge", '--patch={"status":{"observedStatus":"Available"},"spec":{"desiredStatus":"Suspended"}}')
    for change in (("patch", *where, *patch), ("patch", *where, *patch, "--subresource=status"), ("delete", *where)):
        said = words(team.product, GATE, *change)
        assert "forbidden" in said.lower(), said
