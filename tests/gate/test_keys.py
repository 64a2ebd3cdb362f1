"""The key ring: loading, signing, and what a damaged or missing keys Secret does not change."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from apiclients.gate.tokens.keystore import KeyStore
from apiclients.gate.tokens.signing import DamagedKeysError, LoadedRing, load_ring
from apiclients.kube.object_state import ObjectState as Store
from apiclients.kube.objects import WatchEvent
from apiclients.lifecycle.keys import JWKS_MAX_AGE, MAX_GATE_STALENESS, MIN_PUBLICATION, KeyPolicy
from apiclients.resources.keys import KEY_RING_KEY, Algorithm, KeyRing, Pepper
from tests.gate.support import ISSUER, START, World, hours, key_ring, pepper, signing_key, time_at


def pem(key: Any, encryption: KeySerializationEncryption | None = None) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return text.decode()


def secret(ring: KeyRing | bytes | None, version: int) -> dict[str, Any]:
    raw = orjson.dumps(ring.to_object()) if isinstance(ring, KeyRing) else ring
    metadata = {
        "namespace": "apiclients-system",
        "name": "apiclient-keys",
        "uid": "u",
        "resourceVersion": str(version),
    }
    data = {} if raw is None else {KEY_RING_KEY: base64.b64encode(raw).decode()}
    return {"metadata": metadata, "data": data}


class Fed:
    """A key store fed by the store behind a Reflector, as in the program."""

    def __init__(self) -> None:
        self.keys = KeyStore(ISSUER)
        self.store: Store[LoadedRing] = Store(self.keys.read, self.keys.apply, self.keys.note_damage)
        self.version = 0

    def put(self, ring: KeyRing | bytes | None) -> None:
        self.version += 1
        self.store.take_event(WatchEvent("MODIFIED", secret(ring, self.version)))

    def delete(self) -> None:
        self.version += 1
        self.store.take_event(WatchEvent("DELETED", secret(None, self.version)))

    @property
    def kids(self) -> list[str]:
        return list(self.keys.ring.keys) if self.keys.ring else []


@pytest.mark.rule(25)
class TestKeyStore:
    def test_a_ring_is_used_from_the_moment_it_is_there(self) -> None:
        fed = Fed()
        assert fed.keys.problem
        fed.put(key_ring())
        assert fed.kids == ["k1"]
        assert not fed.keys.problem
        fed.put(key_ring(signing_key("k1"), signing_key("k2")))
        assert fed.kids == ["k1", "k2"]

    def test_a_deleted_secret_takes_nothing_back(self, caplog: pytest.LogCaptureFixture) -> None:
        fed = Fed()
        fed.put(key_ring())
        verifier = fed.keys.verifier
        fed.delete()
        assert (fed.kids, fed.keys.problem) == (["k1"], "the keys Secret is gone")
        assert "the last good keys stay in use" in caplog.text
        fed.put(key_ring())
        assert fed.keys.problem is None
        assert fed.keys.verifier is verifier  # the same ring keeps its cache

    @pytest.mark.parametrize(
        "ring",
        [
            None,
            b"",
            b"{}",
            b"\xff",
            b"[]",
            orjson.dumps({"signingKeys": [], "peppers": []}),
            orjson.dumps({"signingKeys": [{"privateKey": "CANARY"}], "peppers": [{"key": "CANARY"}]}),
            orjson.dumps({**key_ring().to_object(), "peppers": []}),
            orjson.dumps({**key_ring().to_object(), "signingKeys": "CANARY"}),
        ],
    )
    @pytest.mark.rule(23)
    def test_a_damaged_secret_takes_nothing_back(self, ring: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
        fed = Fed()
        fed.put(key_ring())
        fed.put(ring)
        assert fed.kids == ["k1"]
        assert fed.keys.problem
        assert "damaged" in caplog.text
        assert "CANARY" not in caplog.text + fed.keys.problem
        fed.put(key_ring(signing_key("k2")))
        assert fed.kids == ["k2"]
        assert not fed.keys.problem

    def test_without_any_ring_there_is_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        fed = Fed()
        fed.put(b"{}")
        assert fed.keys.ring is None
        assert "nothing can be issued or checked" in caplog.text


def _key(**changes: Any) -> KeyRing:
    return key_ring(signing_key("k1").model_copy(update=changes))


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.mark.rule(23, 25)
@pytest.mark.parametrize(
    "ring",
    [
        _key(private_key="CANARY"),
        _key(private_key=pem(ec.generate_private_key(ec.SECP384R1()))),
        _key(private_key=pem(ed25519.Ed25519PrivateKey.generate())),
        _key(private_key=pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"x"))),
        _key(algorithm=Algorithm.RS256),
        _key(private_key=pem(SMALL), algorithm=Algorithm.RS256),
        key_ring(signing_key("k1"), signing_key("k1")),
        key_ring(peppers=(pepper(), pepper())),
        key_ring(peppers=(Pepper(id="p", key="CANARY" + "!" * 37, created_time=time_at(START)),)),
    ],
)
def test_a_ring_is_used_whole_or_not_at_all(ring: KeyRing) -> None:
    with pytest.raises(DamagedKeysError) as caught:
        load_ring(ring)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.rule(25)
def test_a_key_is_published_before_it_signs() -> None:
    ring = load_ring(key_ring(signing_key("k1"), signing_key("k2", active=START + 600)))
    assert [key["kid"] for key in orjson.loads(ring.jwks)["keys"]] == ["k1", "k2"]
    for now, kid in ((START, "k1"), (START + 599, "k1"), (START + 600, "k2")):
        header = ring.sign({}, now).split(".")[0]
        assert orjson.loads(base64.urlsafe_b64decode(header + "=="))["kid"] == kid


@pytest.mark.rule(25)
def test_a_new_key_signs_later_than_anyone_may_keep_the_old_jwks() -> None:
    assert KeyPolicy().publication >= MIN_PUBLICATION >= JWKS_MAX_AGE + MAX_GATE_STALENESS


def test_rs256_by_configuration() -> None:
    world = World(ring=key_ring(signing_key("r1", Algorithm.RS256)))
    issued = world.gate.issue(world.client)
    assert world.gate.check(issued.token.encode())
    (jwk,) = orjson.loads(world.loaded.jwks)["keys"]
    assert set(jwk) == {"kty", "n", "e", "kid", "alg", "use"}
    assert jwk["e"] == "AQAB"


@pytest.mark.rule(25)
def test_a_renewed_key_leaves_issued_tokens_alone() -> None:
    world = World(ring=key_ring(signing_key("k1")))
    token = world.token().encode()
    world.keys.use(load_ring(key_ring(signing_key("k1"), signing_key("k2", active=START - 1))))
    world.clock.advance(hours(1))
    assert not isinstance(world.gate.check(token), str)


@pytest.mark.rule(19)
def test_every_pepper_of_the_ring_counts() -> None:
    loaded = load_ring(key_ring(peppers=(pepper("old"), pepper("new"))))
    assert list(loaded.digests(b"secret")) == ["old", "new"]
    assert len(set(loaded.digests(b"secret").values())) == 2
