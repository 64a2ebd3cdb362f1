"""Revocation (RFC 7009): a client gives up a token of its own."""

from __future__ import annotations

import asyncio

import pytest

from apiclients.kube.errors import UnreachableError
from apiclients.lifecycle.revocations import MAX_OF_ALL, MAX_OF_CLIENT, MAX_OF_NAMESPACE, fingerprint
from tests.gate.support import UID, Caller, World, hours


async def test_a_revoked_token_is_refused_everywhere_and_others_are_not(world: World, call: Caller) -> None:
    token, other = world.token(), world.token(jti="other")
    assert (await call.check(token))[0] == 200
    assert (await call.revoke(token, token_type_hint="refresh_token"))[0] == 200
    assert (await call.check(token))[0] == 401
    assert await call.introspect(token) == (200, {"active": False})
    assert (await call.check(other))[0] == 200
    assert (await call.revoke(token))[0] == 200
    assert [(name, uid) for name, uid, _ in world.revoker.added] == [(fingerprint(token.encode()), UID)]
    world.unrevoke(fingerprint(token.encode()))
    assert (await call.check(token))[0] == 200


async def test_what_is_not_the_callers_is_answered_alike_and_stays(world: World, call: Caller) -> None:
    near = world.put(name="near", uid="11111111-0000-4000-8000-000000000001")
    token = world.token(uid=near.uid, sub=near.client_id, client_id=near.client_id)
    for presented in (token, "nonsense", token + "x"):
        assert (await call.revoke(presented))[0] == 200
    assert (await call.check(token))[0] == 200
    assert world.revoker.added == []


async def test_a_token_that_has_ended_is_nothing_to_store(world: World, call: Caller) -> None:
    token = world.token()
    world.clock.advance(hours(13))
    assert (await call.revoke(token))[0] == 200
    assert world.revoker.added == []


async def test_who_does_not_authenticate_revokes_nothing(world: World, call: Caller) -> None:
    assert (await call.revoke(world.token(), secret="wrong"))[0] == 401
    assert (await call.revoke(None))[0] == 400
    assert world.revoker.added == []


async def test_what_could_not_be_stored_is_never_told_to_be_revoked(world: World, call: Caller) -> None:
    world.revoker.error = UnreachableError("away")
    status, headers = await call.revoke(world.token())
    assert (status, headers["Retry-After"]) == (503, "2")
    assert (await call.check(world.token()))[0] == 200


@pytest.mark.parametrize(
    ("most", "client_uid", "namespace"),
    [(MAX_OF_CLIENT, UID, "team-a"), (MAX_OF_NAMESPACE, "other", "team-a"), (MAX_OF_ALL, "other", "team-b")],
    ids=["client", "namespace", "all"],
)
async def test_there_are_so_many_and_no_more(
    world: World, call: Caller, most: int, client_uid: str, namespace: str
) -> None:
    for number in range(most):
        world.revoke(f"{number:064x}", client_uid, namespace)
    status, headers = await call.revoke(world.token())
    assert (status, headers["Retry-After"]) == (429, "60")
    world.unrevoke(f"{0:064x}")
    assert (await call.revoke(world.token()))[0] == 200


async def test_what_is_being_written_counts(world: World, call: Caller) -> None:
    for number in range(MAX_OF_CLIENT - 1):
        world.revoke(f"{number:064x}")
    first, second = await asyncio.gather(*(call.revoke(world.token(jti=name)) for name in ("a", "b")))
    assert sorted([first[0], second[0]]) == [200, 429]
    assert world.state.revocations.under_way == 0


@pytest.mark.rule(32)
async def test_one_that_cannot_be_read_refuses_by_its_name(world: World, call: Caller) -> None:
    token = world.token()
    meta = {"namespace": "apiclients-system", "name": fingerprint(token.encode()), "uid": "r"}
    world._tell_revocation({"metadata": meta, "spec": {"expiresTime": "never"}})
    assert (await call.check(token))[0] == 401
