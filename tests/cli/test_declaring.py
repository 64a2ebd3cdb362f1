"""``create``, ``approve`` and ``reject``: the YAML that they print, as the API server and the operator will see it."""

from pathlib import Path
from typing import Any

import pytest

from apiclients.cli.actions.creating import Surroundings, waits_for
from apiclients.cli.actions.ruling import Answer, print_answer
from apiclients.cli.errors import CliError
from apiclients.cli.git.approvals import Request, answers, approval_name, approval_object, request_of, waiting
from apiclients.cli.git.new_client import NewClient, Wanted, as_stored, new_client, wanted
from apiclients.resources.approval import Decision
from apiclients.resources.objects import Api, Contract, ContractApproval
from tests.cli.samples import NOW
from tests.toolkit.objects import api, approval, contract, stored

REQUEST = Request("team-a", "billing-orders", "billing", ("shop", "orders"), "gold")
NEW = NewClient("team-a", "billing-1.0", contracts=(Wanted("shop", "orders", "basic"), Wanted("shop", "stock", "gold")))


def test_an_approval_answers_what_it_was_made_for() -> None:
    made = approval_object(REQUEST, approval_name(REQUEST, None, []), Decision.APPROVED, "Agreed")
    given = ContractApproval.from_object(stored(made))
    assert (given.metadata.namespace, given.metadata.name) == ("shop", "team-a-billing-orders-gold")
    assert (given.spec.decision, given.spec.reason) == (Decision.APPROVED, "Agreed")
    assert answers(given, REQUEST)
    assert not answers(given, Request("team-a", "billing-orders", "billing", ("shop", "orders"), "basic"))


def test_what_waits_is_what_the_contract_asks_for() -> None:
    asked = contract("billing-orders", plan="gold")
    pending = {"namespace": "team-a", "name": "billing-orders", "client": "billing", "plan": "gold"}
    offered = Api.from_object({**stored(api()), "status": {"pendingContracts": [pending]}})
    assert waiting([offered]) == [request_of(Contract.from_object(stored(asked)))] == [REQUEST]


@pytest.mark.parametrize(
    ("name", "taken"), [("Not-A-Name", []), ("x" * 64, []), (None, ["team-a-billing-orders-gold"])]
)
def test_names_of_approvals_that_cannot_be(name: str | None, taken: list[str]) -> None:
    with pytest.raises(CliError, match="with --name"):
        approval_name(REQUEST, name, taken)


def test_long_names_are_cut() -> None:
    request = Request("n" * 40, "c" * 40, "billing", ("shop", "orders"), "gold")
    assert len(approval_name(request, None, [])) == 63


def given(name: str, decision: str = "Approved", ready: str | None = "Counted", **more: Any) -> ContractApproval:
    """An answer to the request; what its status says of this generation of it, None: the operator has not seen it."""
    made = approval(name, plan="gold", decision=decision, **more)
    if ready is None:
        return ContractApproval.from_object(stored(made))
    counted = str(ready in ("Counted", "Outvoted"))
    common = {"lastTransitionTime": "2026-03-14T09:26:53Z", "message": ready, "observedGeneration": 1}
    condition = {"type": "Ready", "status": counted, "reason": ready} | common
    bound = {"contractUid": "uid-1", "generation": 1}
    return ContractApproval.from_object(
        stored(made, {"observedGeneration": 1, "bound": bound, "conditions": [condition]})
    )


class TestAnswersThatAreThereAlready:
    """Git is to be changed exactly where that changes what counts."""

    def said(self, tmp_path: Path, decision: Decision, *there: ContractApproval, reason: str | None = None) -> None:
        print_answer(REQUEST, Answer(decision, reason, None, tmp_path), there)

    @pytest.mark.parametrize(
        ("there", "words"),
        [
            ([given("a")], "says so already: nothing to change.\n"),
            ([given("b"), given("a", ready="Mismatch")], "shop/b says so already: nothing to change.\n"),
            ([given("a", ready=None)], "nothing to change. It counts as soon as the operator"),
        ],
    )
    def test_what_counts_stays(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], there: list[ContractApproval], words: str
    ) -> None:
        self.said(tmp_path, Decision.APPROVED, *there)
        out, err = capsys.readouterr()
        assert out == ""
        assert words in err

    def test_one_that_was_given_to_an_earlier_contract_is_edited(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is bound to another UID: as it is, the contract would wait for ever."""
        there = given("a", ready="Mismatch", reason="Agreed")
        for reason in (None, "Agreed"):
            with pytest.raises(CliError, match=r"shop/a says so already, but was given to an earlier .*--reason"):
                self.said(tmp_path, Decision.APPROVED, there, reason=reason)
        self.said(tmp_path, Decision.APPROVED, there, reason="Agreed again")
        assert "reason: Agreed again" in capsys.readouterr().out

    def test_a_rejection_that_outvotes_it_is_what_changes(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        there = [given("a", ready="Outvoted"), given("z", "Rejected"), given("x", "Rejected", ready=None)]
        self.said(tmp_path, Decision.APPROVED, *there)
        out, err = capsys.readouterr()
        assert "name: x" in out
        assert (
            "shop/x, ContractApproval shop/z reject it, and one is enough: it outvotes ContractApproval shop/a" in err
        )
        self.said(tmp_path, Decision.REJECTED, *there)
        assert "shop/x says so already" in capsys.readouterr().err

    def test_one_that_is_being_deleted_says_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        gone = approval("a", plan="gold")
        gone["metadata"]["deletionTimestamp"] = "2026-03-14T09:26:53Z"
        self.said(tmp_path, Decision.APPROVED, ContractApproval.from_object(stored(gone)))
        assert "name: team-a-billing-orders-gold" in capsys.readouterr().out


def test_a_new_client_says_what_it_was_told_and_no_more() -> None:
    client, first, second = new_client(NEW)
    assert client["spec"] == {"desiredStatus": "Available"}
    assert [one["metadata"]["name"] for one in (first, second)] == ["billing-1.0-orders", "billing-1.0-stock"]
    assert second["spec"] == {
        "clientName": "billing-1.0",
        "api": {"namespace": "shop", "name": "stock"},
        "plan": "gold",
    }
    full = NewClient("team-a", "b", "billing", "1.0", "Billing", "team@example.com", "credentials")
    assert new_client(full)[0]["spec"] == {
        "desiredStatus": "Available",
        "client": "billing",
        "version": "1.0",
        "displayName": "Billing",
        "owner": "team@example.com",
        "secret": {"name": "credentials"},
    }


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (NewClient("team-a", "Billing"), "cannot be the name of a client"),
        (NewClient("team-a", "b", owner="x" * 2000), "spec.owner"),
        (NewClient("team-a", "b", contracts=(Wanted("a", "x", "p"), Wanted("b", "x", "p"))), "two contracts"),
        (NewClient("team-a", "b", contracts=(Wanted("a", "x", "P!"),)), "spec.plan"),
    ],
)
def test_what_the_api_server_would_refuse_is_refused(new: NewClient, words: str) -> None:
    with pytest.raises(CliError, match=words):
        new_client(new)


@pytest.mark.parametrize("text", ["orders", "shop/orders", "orders:basic", "shop/orders:", "a/b/c:d", ""])
def test_a_contract_is_named_in_one_way(text: str) -> None:
    with pytest.raises(CliError, match=r"use e\.g\. shop/orders:basic"):
        wanted(text)


def offering(name: str, **options: object) -> Api:
    """An Api of the shop."""
    return Api.from_object(stored(api(name, {"name": "basic"}, {"name": "gold", "approval": "Manual"}, **options)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("around", "notes"),
    [
        (Surroundings((offering("orders"), offering("stock")), (), None), [("stock", "waits for a ContractApproval")]),
        (Surroundings((offering("orders"),), (), None), [("stock", "may contract")]),
        (Surroundings((), ("shop/orders", "shop/stock"), None), [("orders", "not read"), ("stock", "not read")]),
        (
            Surroundings((offering("orders", desired="Retired"), offering("stock", consumers="Same")), (), None),
            [("orders", "retired"), ("stock", "may contract")],
        ),
    ],
)
def test_what_its_contracts_will_wait_for(around: Surroundings, notes: list[tuple[str, str]]) -> None:
    found = waits_for(new_client(NEW), around, NOW)
    assert len(found) == len(notes), found
    for sentence, (name, words) in zip(found, notes, strict=True):
        assert f"billing-1.0-{name}" in sentence
        assert words in sentence


def test_what_is_printed_is_what_the_operator_reads() -> None:
    assert Contract.from_object(as_stored(new_client(NEW)[1])).spec.plan == "basic"
