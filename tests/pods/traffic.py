"""The load on the gate, from a pod, and what has become of its calls."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.pods.platform import Platform, container, pod
from tests.toolkit.objects import JsonObject
from tests.toolkit.waiting import eventually

TEAM = "team"
_SCRIPT = Path(__file__).with_name("load.py")
#: What each kind of client gets as long as nothing fails.
RIGHT = {"accepted": "200", "refused": "401"}
#: So many more calls have to be seen before and after whatever is done.
_CALLS = 200


@dataclass
class Calls:
    """Calls in some time, by one load: by kind of client, way of the connection and answer."""

    way: str
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.counts.values())

    @property
    def failed(self) -> dict[str, int]:
        """Those that did not get the right answer."""
        return {key: number for key, number in self.counts.items() if not self._is_right(key) and number}

    @property
    def wrong(self) -> dict[str, int]:
        """Those that got the opposite: a yes for who is refused, or a no for who is accepted."""
        opposite = {"accepted": ("401", "403"), "refused": ("200",)}
        return {key: n for key, n in self.failed.items() if key.split("/")[2] in opposite[key.split("/")[0]]}

    @staticmethod
    def _is_right(key: str) -> bool:
        kind, _, answer = key.split("/")
        return answer == RIGHT[kind]

    def __str__(self) -> str:
        """As in a report."""
        failed = sum(self.failed.values())
        return f"{self.way}: {self.total} calls, {failed} failed" + (f" {self.failed}" if failed else "")


@dataclass
class Load:
    """The pod that asks."""

    platform: Platform
    name: str

    def counts(self) -> Counter[str]:
        """All its calls so far, by what has become of them."""
        lines = self.platform.kubectl("logs", self.name, f"--namespace={TEAM}", "--tail=2").splitlines()
        return Counter(json.loads(lines[-1])) if lines else Counter()

    @contextlib.contextmanager
    def during(self) -> Iterator[Calls]:
        """The calls while something is done, and some before and after."""
        calls = Calls(self.name)
        before = self.counts()
        self.until_more_than(before)
        yield calls
        after = self.until_more_than(self.counts())
        calls.counts = after - before

    def until_more_than(self, before: Counter[str]) -> Counter[str]:
        """Wait for more right answers of each kind, by each way."""

        def more() -> Counter[str] | None:
            now = self.counts()
            ways = [f"{kind}/{way}/{answer}" for kind, answer in RIGHT.items() for way in ("kept", "fresh")]
            enough = all(now[way] > before[way] for way in ways) and now.total() - before.total() >= _CALLS
            return now if enough else None

        return eventually("more calls are answered", more, pause=0.3)


def start_load(platform: Platform, name: str, address: str, image: str, tokens: Mapping[str, str]) -> Load:
    """Start a load on ``host:port`` with a token for each kind of client."""
    script = {_SCRIPT.name: _SCRIPT.read_text()}
    objects: list[JsonObject] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(tokens)},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": script},
        _pod(name, image, address),
    ]
    platform.kubectl("apply", f"--namespace={TEAM}", "--filename=-", input=yaml.safe_dump_all(objects))
    platform.kubectl("wait", f"--namespace={TEAM}", "--for=condition=Ready", f"pod/{name}", "--timeout=120s")
    load = Load(platform, name)
    eventually("the load has begun", load.counts, pause=0.3)
    return load


def _pod(name: str, image: str, address: str) -> JsonObject:
    command = ["python3", f"/script/{_SCRIPT.name}", address, "/tokens"]
    volumes = {"script": {"configMap": {"name": name}}, "tokens": {"secret": {"secretName": name}}}
    return pod(name, [container("load", image, command, {"script": "/script", "tokens": "/tokens"})], volumes)
