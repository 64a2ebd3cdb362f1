"""What is sent when something is changed, and whose clock holds; and how the screen is drawn again."""

import io
import json
from typing import Any, cast

import pytest

from apiclients.cli.cluster.connection import Session
from apiclients.cli.screens import screen
from apiclients.kube.client import KubeClient
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS
from apiclients.kube.transport import Request, Transport


class Recorder:
    """A transport that keeps what it is asked to send."""

    def __init__(self) -> None:
        self.sent: list[Request] = []

    async def call(self, request: Request) -> bytes:
        """Answer with an empty object."""
        self.sent.append(request)
        return b"{}"


def session(recorder: Recorder) -> Session:
    """A session on it."""
    return Session(cast(KubeClient, None), cast(Transport, recorder), "team-a")


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


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_in_place_and_only_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    shown = screen._redraw("one", None, "text")
    length = len(stream.getvalue())
    assert screen._redraw("one", shown, "text") == shown
    assert len(stream.getvalue()) == length
    assert screen._redraw("two", shown, "wide") != shown
    assert stream.getvalue().count("\x1b[H\x1b[2J") == 2


@pytest.mark.parametrize(
    ("stream", "output", "written"),
    [
        (io.StringIO(), "text", "one\n---\ntwo\n"),
        (io.StringIO(), "json", "one\ntwo\n"),
        (Terminal(), "yaml", "one\n---\ntwo\n"),
    ],
)
def test_elsewhere_and_for_data_screens_stand_one_below_the_other(
    stream: io.StringIO, output: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", stream)
    screen._redraw("two", screen._redraw("one", None, output), output)
    assert stream.getvalue() == written
