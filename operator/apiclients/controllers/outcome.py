"""What a reconcile comes to."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """``done`` is False for another try after a backoff; ``due`` is when to look again although nothing changed."""

    done: bool = True
    due: datetime | None = None
