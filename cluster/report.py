"""Telling people, on standard error, what goes on and how long it has taken."""

import sys
import time

_LINE_SECONDS = 15.0


def line(text: str) -> None:
    """Write one line."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """How far a long step is: one line that is rewritten on a terminal, else a line every 15 s."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._terminal = sys.stderr.isatty()

    @property
    def elapsed(self) -> str:
        """The time since the beginning, such as ``3 min 07 s``."""
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"

    def tell(self, text: str) -> None:
        """Show ``text`` and the time, if it is time to."""
        if self._terminal:
            print(f"\r\033[K  {text}, {self.elapsed}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._told >= _LINE_SECONDS:
            self._told = time.monotonic()
            line(f"  {text}, {self.elapsed}")

    def end(self, text: str) -> None:
        """Show the last line."""
        line(f"\r\033[K{text}" if self._terminal else text)
