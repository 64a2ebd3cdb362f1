"""Any order of events, lists, gaps and reads: newer wins, nothing comes back, only real losses count (rule 17)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from apiclients.kube.object_state import ListRun
from apiclients.kube.objects import JsonObject, Page, WatchEvent
from apiclients.resources.refs import NamespacedName
from tests.kube.recorder import Recorder, bookmark, key, thing

pytestmark = pytest.mark.rule(17)


NAMES = st.sampled_from("abc")


class Histories(RuleBasedStateMachine):
    """Any order of writes, deliveries, losses, lists, reads, own writes and reconnections."""

    in_order = True

    def __init__(self) -> None:
        super().__init__()
        self.recorder = Recorder(in_order=self.in_order)
        self.state = self.recorder.state
        self.version = 1
        self.uids = 0
        self.live: dict[str, JsonObject] = {}
        self.log: list[WatchEvent] = []
        self.position = 0  # of the watch in the log
        self.dropped = 0
        self.run: ListRun | None = None
        self.left: list[JsonObject] = []
        self.answers: list[tuple[NamespacedName, int, JsonObject | None]] = []
        self.told = 0
        self.newest: dict[NamespacedName, int] = {}
        self.dead: set[tuple[NamespacedName, str]] = set()

    @initialize(names=st.sets(NAMES))
    def start(self, names: set[str]) -> None:
        for name in sorted(names):
            self.write(name, delete=False, gap=1)
        self._resume()

    @rule(name=NAMES, delete=st.booleans(), gap=st.integers(1, 3))
    def write(self, name: str, delete: bool, gap: int) -> None:
        self.version += gap
        if name not in self.live:
            self.uids += 1
            self.live[name] = thing(name, self.version, f"u{self.uids}")
            self.log.append(WatchEvent("ADDED", self.live[name]))
            return
        body = thing(name, self.version, self.live[name]["metadata"]["uid"])
        self.log.append(WatchEvent("DELETED" if delete else "MODIFIED", body))
        if delete:
            del self.live[name]
        else:
            self.live[name] = body

    @precondition(lambda self: self.position < len(self.log))
    @rule(lose=st.booleans())
    def deliver(self, lose: bool) -> None:
        event = self.log[self.position]
        self.position += 1
        if lose:
            self.dropped += 1
        else:
            self.state.take_event(event)

    @precondition(lambda self: self.position > 0)
    @rule()
    def send_bookmark(self) -> None:
        self.state.take_event(bookmark(_version(self.log[self.position - 1])))

    @rule()
    def reconnect(self) -> None:
        self.position = sum(_version(event) <= self.state.reached for event in self.log)

    @precondition(lambda self: self.run is None)
    @rule()
    def begin_list(self) -> None:
        self.run = self.state.start_list(resume=False)
        self.left = []

    @precondition(lambda self: self.run is not None and not self.run.version)
    @rule()
    def take_snapshot(self) -> None:
        assert self.run is not None
        self.left = list(self.live.values())
        self.state.take_page(self.run, Page(self.left[:1], str(self.version)))
        self.left = self.left[1:]

    @precondition(lambda self: self.run is not None and self.run.version)
    @rule()
    def next_page(self) -> None:
        assert self.run is not None
        if self.left:
            self.state.take_page(self.run, Page([self.left.pop(0)], str(self.run.version)))
        else:
            self.state.end_list(self.run)
            self.run = None

    @precondition(lambda self: self.run is None)
    @rule()
    def gap(self) -> None:
        self._resume()

    @rule(name=NAMES)
    def read(self, name: str) -> None:
        self.answers.append((key(name), self.state.version_of(key(name)), self.live.get(name)))

    @rule(name=NAMES)
    def own_write(self, name: str) -> None:
        self.write(name, delete=False, gap=1)
        self.answers.append((key(name), -1, self.live[name]))

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def answer(self, data: Any) -> None:
        where, known, body = self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1)))
        if body is None:
            self.state.absent(where, known)
        else:
            self.state.put(body, "put" if known < 0 else "get")

    def _resume(self) -> None:
        self.recorder.take_list(self.version, *self.live.values(), resume=True)
        self.position = len(self.log)

    @invariant()
    def changes_only_go_forward(self) -> None:
        for change in self.recorder.changes[self.told :]:
            assert change.resource_version >= self.newest.get(change.key, 0)
            self.newest[change.key] = change.resource_version
            if change.new is None:
                assert change.old is not None
                self.dead.add((change.key, change.old[0]))
            else:
                assert (change.key, change.new[0]) not in self.dead, "a deleted object came back"
        self.told = len(self.recorder.changes)

    @invariant()
    def losses_are_real(self) -> None:
        assert self.state.lost_events <= self.dropped

    def teardown(self) -> None:
        while self.run is not None:
            if self.run.version:
                self.next_page()
            else:
                self.take_snapshot()
        while self.position < len(self.log):
            self.deliver(lose=False)
        for where, known, body in self.answers:
            if body is None:
                self.state.absent(where, known)
            else:
                self.state.put(body, "get")
        self.recorder.take_list(self.version, *self.live.values())
        self.state.take_event(bookmark(self.version + 1))
        self.changes_only_go_forward()
        self.losses_are_real()
        truth = {key(name): Recorder.convert(body) for name, body in self.live.items()}
        assert dict(self.state.store) == truth


class UnorderedHistories(Histories):
    """The same, handed over object by object as kopf does: in order for each object, within a list's interval."""

    in_order = False

    @precondition(lambda self: self.position < len(self.log))
    @rule(lose=st.booleans(), data=st.data())
    def deliver_any(self, lose: bool, data: Any) -> None:
        waiting = self.log[self.position :]
        first = {event.object["metadata"]["uid"]: where for where, event in reversed(list(enumerate(waiting)))}
        where = self.position + data.draw(st.sampled_from(sorted(first.values())))
        self.log.insert(self.position, self.log.pop(where))
        self.deliver(lose=lose)

    @precondition(lambda self: self.run is None)
    @rule()
    def begin_list(self) -> None:
        while self.position < len(self.log):
            self.deliver(lose=False)
        super().begin_list()

    @precondition(lambda self: self.run is None)
    @rule()
    def gap(self) -> None:
        """The watch cannot be resumed: kopf lists, and tells nothing of what it does not find."""
        self.dropped += len(self.log) - self.position
        self.position = len(self.log)
        for body in self.live.values():
            self.state.take_listed(body)

    def deliver(self, lose: bool) -> None:
        super().deliver(lose)

    def reconnect(self) -> None:
        """There is none: what is under way is delivered."""

    def send_bookmark(self) -> None:
        """Kopf keeps them."""


def _version(event: WatchEvent) -> int:
    return int(event.object["metadata"]["resourceVersion"])


TestHistories = pytest.mark.rule(17)(Histories.TestCase)
TestUnorderedHistories = pytest.mark.rule(17)(UnorderedHistories.TestCase)
UnorderedHistories.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
Histories.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
