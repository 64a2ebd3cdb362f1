"""The TLS context of new connections: made anew when its certificates change, and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apiclients.kube.errors import ConfigurationError
from apiclients.kube.tls import Interval, Tls, TlsMaterial
from cluster.pki import Pki, ensure_pki, make_certificates


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return ensure_pki(tmp_path / "pki")


def material(pki: Pki) -> TlsMaterial:
    return TlsMaterial(pki.ca.read_text(), (pki.admin.certificate.read_bytes(), pki.admin.key.read_bytes()))


def test_the_same_certificates_make_no_new_context(pki: Pki) -> None:
    source = Tls(lambda: material(pki))
    first = source.current()
    source.refresh()
    assert source.current() is first, "a new one would cost every connection"


def test_another_authority_takes_the_place_of_the_first(pki: Pki) -> None:
    source = Tls(lambda: material(pki))
    first = source.current()
    make_certificates(pki)
    source.refresh()
    assert source.current() is not first
    (trusted,) = source.current().get_ca_certs(binary_form=True)
    assert [trusted] != first.get_ca_certs(binary_form=True)


def test_certificates_are_looked_at_again_after_a_while(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    source = Tls(lambda: material(pki))
    first = source.current()
    make_certificates(pki)
    now += 9.9
    assert source.current() is first
    now += 0.2
    assert source.current() is not first


def damage_with(text: str) -> Callable[[Pki], object]:
    return lambda pki: pki.ca.write_text(text)


@pytest.mark.parametrize(
    "damage",
    [
        damage_with(""),
        damage_with("canary"),
        lambda pki: pki.ca.unlink(),
        lambda pki: pki.admin.key.write_bytes(pki.server.key.read_bytes()),
        lambda pki: pki.admin.key.write_text("canary"),
    ],
    ids=["empty", "garbage", "missing", "another's key", "garbage as a key"],
)
def test_what_cannot_be_used_leaves_the_old_ones(
    pki: Pki, damage: Callable[[Pki], object], caplog: pytest.LogCaptureFixture
) -> None:
    """As in the middle of a replacement, file by file."""
    source = Tls(lambda: material(pki))
    first = source.current()
    damage(pki)
    source.refresh()
    assert source.current() is first
    assert "the old ones stay" in caplog.text
    assert "canary" not in caplog.text
    make_certificates(pki)
    source.refresh()
    assert source.current() is not first


def test_an_empty_authority_is_not_that_of_the_system() -> None:
    with pytest.raises(ValueError, match="is empty"):
        Tls(lambda: TlsMaterial(authority=" \n"))


def test_what_is_wrong_at_the_start_is_raised(pki: Pki) -> None:
    pki.admin.key.write_bytes(pki.server.key.read_bytes())
    with pytest.raises(OSError, match=r"(?i)key"):
        Tls(lambda: material(pki))

    def refuse() -> TlsMaterial:
        raise ConfigurationError("no")

    with pytest.raises(ConfigurationError):
        Tls(refuse)


def test_a_key_is_not_shown(pki: Pki) -> None:
    assert "PRIVATE" not in repr(material(pki))


def test_an_interval_is_due_at_once_and_then_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    interval = Interval(5.0)
    assert [interval.due(), interval.due()] == [True, False]
    now = 5.0
    assert [interval.due(), interval.due()] == [True, False]
