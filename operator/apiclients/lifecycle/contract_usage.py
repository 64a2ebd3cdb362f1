"""How a gate reports the last use of contracts, of which there may be many times as many as clients.

By hour the UIDs, which are UUIDs (RFC 9562), as base64 (RFC 4648, section 4) of their 16 bytes each. So 10,000
contracts take 214 kB; as text they would take 390.
"""

import re
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated

from pydantic import Field, TypeAdapter

from apiclients.lifecycle.usage import Hour

#: Of all annotations of an object the API server takes 256 KiB: these are for the reports of clients and contracts.
MAX_REPORTS_BYTES = 240_000
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BYTES = 16
#: What an hour costs beside its ids, with the padding of base64.
_HOUR_BYTES = len('"10000000":"====",')

_REPORT = TypeAdapter(dict[Hour, Annotated[str, Field(max_length=MAX_REPORTS_BYTES)]])


def encode_contracts(uses: Mapping[str, int], room: int) -> str:
    """A report of hours by UID, in at most ``room`` bytes: the first ones that fit. What is no UUID is left out."""
    known = ((uid, hour) for uid, hour in uses.items() if _UUID.fullmatch(uid))
    by_hour = defaultdict[int, list[str]](list)
    for uid, hour in islice(known, fitting(uses, room)):
        by_hour[hour].append(uid)
    return _REPORT.dump_json({hour: _packed(uids) for hour, uids in by_hour.items()}).decode()


def fitting(uses: Mapping[str, int], room: int) -> int:
    """How many of these have room in a report of so many bytes."""
    left = room - len("{}") - len(set(uses.values())) * _HOUR_BYTES
    return max(0, left * 3 // 4 // _BYTES)


def decode_contracts(text: str) -> dict[str, int]:
    """The hours of a report by UID. What somebody else wrote into the annotation counts as nothing."""
    try:
        by_hour = _REPORT.validate_json(text)
        return {uid: hour for hour, ids in sorted(by_hour.items()) for uid in _unpacked(ids)}
    except ValueError:  # of pydantic and of base64 too
        return {}


def _packed(uids: list[str]) -> str:
    return b64encode(bytes.fromhex("".join(uids).replace("-", ""))).decode()


def _unpacked(ids: str) -> Iterator[str]:
    """Raises ValueError."""
    raw = b64decode(ids, validate=True)
    if len(raw) % _BYTES:
        raise ValueError("no list of UUIDs")
    digits, step = raw.hex(), 2 * _BYTES
    for at in range(0, len(digits), step):
        one = digits[at : at + step]
        yield "-".join((one[:8], one[8:12], one[12:16], one[16:20], one[20:]))
