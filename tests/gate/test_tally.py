"""What the gate remembers of clients and their credentials."""

from apiclients.gate.state.tally import Tally
from apiclients.resources.apiclient import MAX_CREDENTIALS


def test_as_many_credentials_are_kept_as_a_client_can_have() -> None:
    tally = Tally()
    for number in range(1, 101):
        tally.used_credential("u-1", 1, float(number))
        tally.used_credential("u-1", number, float(number))
    kept = tally.last_credential_uses()["u-1"]
    assert len(kept) == MAX_CREDENTIALS
    assert kept[1] == 100.0, "one that is in use stays, however old it is"
    assert kept[100] == 100.0
    tally.forget("u-1")
    assert tally.last_credential_uses() == {}
