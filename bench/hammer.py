"""The load generator, the same for everything that speaks HTTP here: a process of its own, raw bytes on a few
connections.

``python -m bench.hammer`` reads a JSON object from standard input (``port``, ``requests`` in base64, ``connections``,
``seconds``, ``rate`` or null, ``pid`` of the server) and writes one (``answers`` by status, ``wall``, ``cpu`` seconds
of the server, ``p50`` and ``p99`` in seconds). Each connection has one request under way; requests go round. With
``rate`` requests start on a schedule, and latency counts from when they were due.
"""

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import cast

import uvloop

from bench import machine

CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did under load."""

    answers: dict[str, int]
    wall: float
    cpu: float
    p50: float
    p99: float

    @property
    def count(self) -> int:
        """All answers."""
        return sum(self.answers.values())

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.count / self.wall

    @property
    def per_cpu_second(self) -> float:
        """Answers for each second of CPU that the server used: a second of one core."""
        return self.count / self.cpu


class Hammer(asyncio.Protocol):
    """One connection: the next request as soon as the last one is answered."""

    def __init__(self, requests: Iterator[bytes], end: float, pause: float | None) -> None:
        self._requests = requests
        self._end = end
        self._pause = pause
        self._due = time.perf_counter()
        self._received = b""
        self.answers: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are of no class of asyncio's
        self._next()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head = received.find(b"\r\n\r\n")
        if head < 0 or len(received) < head + 4 + body_length(received[:head]):
            self._received = received
            return
        self._received = b""
        now = time.perf_counter()
        self.latencies.append(now - self._due)
        self.answers[received[9:12].decode()] += 1
        if now >= self._end:
            self._transport.close()
        else:
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None) if error is None else self.done.set_exception(error)

    def _next(self) -> None:
        now = time.perf_counter()
        if self._pause is None:
            self._due = now
            self._transport.write(next(self._requests))
            return
        self._due += self._pause
        asyncio.get_running_loop().call_later(max(0.0, self._due - now), self._send_late)

    def _send_late(self) -> None:
        self._transport.write(next(self._requests))


def body_length(head: bytes) -> int:
    """How long the body after a head is. Raises ValueError where the head does not say."""
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError("an answer without Content-Length")
    end = lowered.find(b"\r\n", at + 2)
    return int(lowered[at + 17 : end if end >= 0 else len(lowered)])


async def _hammer(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, rate: float | None
) -> tuple[Counter[str], list[float]]:
    loop, around = asyncio.get_running_loop(), cycle(requests)
    end, pause = time.perf_counter() + seconds, connections / rate if rate else None
    made = [
        (await loop.create_connection(lambda: Hammer(around, end, pause), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    everything = asyncio.gather(*(one.done for one in made))
    if not rate:
        _stay_awake(loop, everything)
    await everything
    answers: Counter[str] = Counter()
    for one in made:
        answers.update(one.answers)
    return answers, sorted(latency for one in made for latency in one.latencies)


def _stay_awake(loop: asyncio.AbstractEventLoop, done: "asyncio.Future[list[None]]") -> None:
    """Poll without ever sleeping: else a slow server would pay, in its writes, for waking the generator up."""
    if not done.done():
        loop.call_soon(_stay_awake, loop, done)


def main() -> None:
    """One load."""
    asked = json.load(sys.stdin)
    requests = [base64.b64decode(request) for request in asked["requests"]]
    before, started = machine.cpu_seconds(asked["pid"]), time.perf_counter()
    answers, latencies = uvloop.run(
        _hammer(asked["port"], requests, asked["connections"], asked["seconds"], asked["rate"])
    )
    wall, cpu = time.perf_counter() - started, machine.cpu_seconds(asked["pid"]) - before
    told = Load(answers, wall, cpu, latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100])
    json.dump({name: getattr(told, name) for name in Load.__slots__}, sys.stdout)


def start(
    port: int,
    requests: Sequence[bytes],
    pid: int,
    seconds: float,
    rate: float | None = None,
    connections: int = CONNECTIONS,
) -> "subprocess.Popen[str]":
    """Start a load; ``finish`` returns what it found."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.hammer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    asked = {
        "port": port,
        "requests": [base64.b64encode(request).decode() for request in requests],
        "pid": pid,
        "seconds": seconds,
        "rate": rate,
        "connections": connections,
    }
    assert process.stdin is not None
    process.stdin.write(json.dumps(asked))
    process.stdin.close()
    return process


def finish(process: "subprocess.Popen[str]") -> Load:
    """Wait for a load. Raises RuntimeError."""
    assert process.stdout is not None
    told = process.stdout.read()
    if process.wait() != 0:
        raise RuntimeError("the load generator failed")
    return Load(**json.loads(told))


if __name__ == "__main__":
    main()
