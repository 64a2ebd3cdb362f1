"""What is sent when something is changed, and whose clock holds; and how the screen is drawn again."""

import argparse
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from apiclients.cli import screen
from apiclients.cli.connection import Session
from apiclients.kube.client import KubeClient
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.transport import Request, Transport
from tests.cli import samples


class Recorder:
    """A transport that keeps what it is asked to send."""

    def __init__(self) -> None:
        self.sent: list[Request] = []

    async def call(self, request: Request) -> bytes:
        """Answer with an empty object."""
        self.sent.append(request)
        return b"{}"


class Clock:
    """A clock that knows how wrong this machine is."""

    def __init__(self, offset: float | None) -> None:
        self.offset_seconds = offset


class Kube:
    """A client of which only the clock is looked at."""

    def __init__(self, offset: float | None) -> None:
        self.clock = Clock(offset)


def session(recorder: Recorder, offset: float | None = None) -> Session:
    """A session on it."""
    return Session(cast(KubeClient, Kube(offset)), cast(Transport, recorder), "team-a")


@pytest.mark.parametrize("dry", [False, True])
async def test_writes_bear_the_field_manager_and_the_dry_run(dry: bool) -> None:
    recorder = Recorder()
    ours, query = session(recorder), "fieldManager=apiclient-cli" + ("&dryRun=All" if dry else "")
    await ours.create(API_CLIENT_HOLDS, "team-a", {"metadata": {"generateName": "x-"}}, dry_run=dry)
    await ours.patch(API_CLIENTS, "team-a", "billing", {"metadata": {}}, dry_run=dry)
    await ours.delete(API_CLIENT_HOLDS, "team-a", "stop", uid="u1", dry_run=dry)
    created, patched, deleted = recorder.sent
    base = "/apis/apiclients.dev/v1alpha1/namespaces/team-a"
    assert (created.method, created.path) == ("POST", f"{base}/apiclientholds?{query}")
    assert (patched.method, patched.path) == ("PATCH", f"{base}/apiclients/billing?{query}")
    assert patched.content_type == "application/merge-patch+json"
    assert deleted.path.startswith(f"{base}/apiclientholds/stop")
    body: dict[str, Any] = json.loads(deleted.body or b"{}")
    assert body["preconditions"] == {"uid": "u1"}
    assert body.get("dryRun") == (["All"] if dry else None)


@pytest.mark.parametrize(("offset", "corrected"), [(None, 0), (1.5, 0), (-1.5, 0), (60.0, -60), (-60.0, 60)])
def test_a_wrong_clock_is_corrected(offset: float | None, corrected: int) -> None:
    off = session(Recorder(), offset).now() - datetime.now(UTC)
    assert abs(off - timedelta(seconds=corrected)) < timedelta(seconds=1)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_in_place_and_only_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    args = argparse.Namespace(output="text", color="never")
    shown = screen._redraw(samples.held(), args, None)
    length = len(stream.getvalue())
    assert screen._redraw(samples.held(), args, shown) == shown
    assert len(stream.getvalue()) == length
    assert screen._redraw(samples.suspended(), args, shown) != shown
    assert stream.getvalue().count("\x1b[H\x1b[2J") == 2


def test_elsewhere_screens_stand_one_below_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    args = argparse.Namespace(output="text", color="auto")
    shown = screen._redraw(samples.held(), args, None)
    screen._redraw(samples.suspended(), args, shown)
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().count("\n---\n") == 1
