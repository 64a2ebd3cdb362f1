"""The kubelet writes new service-account tokens into the file, and the old ones die: operator and gates go on.

The API server issues no token for less than ten minutes. One that is bound to a Secret dies with it, within the seconds
that the API server remembers who has authenticated.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster import LocalCluster
from demo.stage import SYSTEM_NAMESPACE
from tests.toolkit.product import Product, Team
from tests.toolkit.waiting import eventually

ACCOUNTS = ("apiclient-operator", "apiclient-gate")
ROTATIONS = 3
_SECONDS = 10


def token_file(product: Product, account: str) -> Path:
    """The file of an account, which its kubeconfig names."""
    kubeconfig = product.stage.account(account)
    file = kubeconfig.with_name(f"{kubeconfig.name}.token")
    assert str(file) in kubeconfig.read_text()
    return file


@pytest.fixture
def cluster(product: Product) -> Iterator[LocalCluster]:
    """The shared cluster, whose accounts have their usual tokens again when the test is over."""
    cluster = product.stage.cluster
    assert isinstance(cluster, LocalCluster)
    yield cluster
    for account in ACCOUNTS:
        cluster.service_account_kubeconfig(SYSTEM_NAMESPACE, account, product.stage.account(account))


def hand_out(product: Product, cluster: LocalCluster, number: int) -> list[str]:
    """Put new tokens into the files, that live as long as the Secret of this number; returns them."""
    secret = f"short-lived-{number}"
    cluster.kubectl("create", "secret", "generic", secret, "-n", SYSTEM_NAMESPACE)
    tokens = []
    for account in ACCOUNTS:
        bound = ("--bound-object-kind=Secret", f"--bound-object-name={secret}")
        token = cluster.kubectl("create", "token", account, "-n", SYSTEM_NAMESPACE, *bound).stdout.strip()
        file = token_file(product, account)
        fresh = file.with_suffix(".new")
        fresh.write_text(token)
        fresh.replace(file)
        tokens.append(token)
    return tokens


def is_dead(cluster: LocalCluster, token: str) -> bool:
    """Whether the API server knows a token no more."""
    tls = ssl.create_default_context(cafile=str(cluster.ca_file))
    connection = http.client.HTTPSConnection(urlsplit(cluster.server).netloc, context=tls, timeout=_SECONDS)
    try:
        connection.request("GET", "/apis/apiclients.dev/v1alpha1", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status == 401
    finally:
        connection.close()


def end_tokens(cluster: LocalCluster, number: int, tokens: list[str]) -> None:
    """The tokens of this number die."""
    cluster.kubectl("delete", "secret", f"short-lived-{number}", "-n", SYSTEM_NAMESPACE)
    eventually("the old tokens are dead", lambda: all(is_dead(cluster, token) for token in tokens), pause=0.5)


def test_operator_and_gates_go_on_when_their_tokens_are_replaced_and_die(team: Team, cluster: LocalCluster) -> None:
    product = team.product
    services = (product.operator, *product.gates)
    processes = {service.name: service.pid for service in services}
    billing = team.declare("billing")
    token = billing.token()
    tokens = hand_out(product, cluster, 0)
    for number in range(ROTATIONS):
        dying, tokens = tokens, hand_out(product, cluster, number + 1)
        end_tokens(cluster, number, dying)
        billing.apply(desiredStatus="Suspended")
        product.until_refused(token)
        billing.until_observed("Suspended")
        billing.apply(desiredStatus="Available")
        product.until_accepted(token)
        team.declare(f"made-after-{number}").token()
    assert {service.name: service.pid for service in services} == processes
    assert all(service.running for service in services)
