"""What each gateway does where they differ, as it is: docs/gateways.md tells the same to people."""

from dataclasses import dataclass

#: What the gate tells of a caller: a caller's own must not reach the API.
OF_THE_GATE = (
    "X-Client-Id",
    "X-Client-Scope",
    "X-Client-Plan",
    "X-RateLimit-Limit",
    "X-RateLimit-Window",
    "X-Token-Expires",
)
#: What a caller must not send at all.
FROM_THE_CALLER = (*OF_THE_GATE, "X-Required-Scope")

GATEWAY_NAMES = ("nginx", "envoy", "traefik", "caddy", "haproxy")


@dataclass(frozen=True)
class Traits:
    """Of one gateway, with the configuration of its example."""

    #: What callers may get while no gate can be reached, and the most seconds that it takes.
    unreachable: tuple[int, ...] = (503,)
    unreachable_seconds: float = 4.0
    #: What callers may get while all gates hang, and the most seconds that it takes.
    frozen: tuple[int, ...] = (503,)
    frozen_seconds: float = 8.0
    #: What callers get while the gates answer 503.
    undecided: int = 503
    #: The largest of these sizes in thousands of bytes that pass: of all headers together, and of one.
    headers: int = 10
    one_header: int = 7
    #: What HTTP/1.0 gets.
    http_1_0: int = 200
    #: Whether a refused call with ``Expect: 100-continue`` is answered.
    answers_expect: bool = True


#: Of headers.
SIZES = (7, 10, 15, 20, 30, 60, 70, 100)

TRAITS = {
    "nginx": Traits(headers=30, one_header=7),
    "envoy": Traits(headers=60, one_header=60, http_1_0=426),
    "traefik": Traits(headers=100, one_header=100, unreachable=(502, 503), frozen=(504, 503)),
    "caddy": Traits(headers=15, one_header=15, unreachable=(502, 503), frozen=(504, 503), answers_expect=False),
    "haproxy": Traits(headers=10, one_header=10),
}
