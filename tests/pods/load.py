"""Asks the gate and counts the answers: run in a pod, by ``load.py HOST:PORT FOLDER``. Needs nothing but Python.

``FOLDER`` has one file per kind of client, with its token. Each worker is a closed loop: it asks as soon as it has had
its answer and a short pause, so that connections are busy whenever one is closed. Twice a second a line with all counts
so far is written: ``{"accepted/kept/200": 12, ...}``. The parts are the kind of client, the way of the connection (kept
open, or fresh for each call) and the answer: a status, or what went wrong.
"""

import http.client
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

KEPT_WORKERS, FRESH_WORKERS = 4, 2
#: Keeps the load bounded: a pause between two calls of a worker, in seconds.
PAUSE = 0.04
_TIMEOUT_SECONDS = 10.0
_TELL_SECONDS = 0.5
_PATH = "/check"


class Load:
    """The workers and their counts."""

    def __init__(self, address: str, tokens: dict[str, str]) -> None:
        self._address = address
        self._tokens = tokens
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def run(self) -> None:
        for kind in self._tokens:
            for work, number in ((self._keep, KEPT_WORKERS), (self._open, FRESH_WORKERS)):
                for _ in range(number):
                    threading.Thread(target=work, args=(kind,), daemon=True).start()
        while True:
            time.sleep(_TELL_SECONDS)
            with self._lock:
                print(json.dumps(self._counts, sort_keys=True), flush=True)

    def _keep(self, kind: str) -> None:
        while True:
            connection = self._connection()
            while self._ask(kind, "kept", connection):
                time.sleep(PAUSE)
            connection.close()

    def _open(self, kind: str) -> None:
        while True:
            connection = self._connection()
            self._ask(kind, "fresh", connection, {"Connection": "close"})
            connection.close()
            time.sleep(PAUSE)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._address, timeout=_TIMEOUT_SECONDS)

    def _ask(
        self, kind: str, way: str, connection: http.client.HTTPConnection, headers: dict[str, str] | None = None
    ) -> bool:
        """One call; whether the connection can be used again."""
        try:
            token = {"Authorization": f"Bearer {self._tokens[kind]}"}
            connection.request("GET", _PATH, headers=token | (headers or {}))
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._count(kind, way, type(error).__name__)
            return False
        self._count(kind, way, str(answer.status))
        return not answer.will_close

    def _count(self, kind: str, way: str, answer: str) -> None:
        with self._lock:
            self._counts[f"{kind}/{way}/{answer}"] += 1


if __name__ == "__main__":
    found = {path.name: path.read_text() for path in Path(sys.argv[2]).iterdir() if path.is_file()}
    Load(sys.argv[1], found).run()
