"""Where both programs listen."""

import errno
import socket

_BACKLOG = 2048


def listen(host: str | None, port: int) -> socket.socket:
    """A socket that listens at an address or name; without one at all addresses, of IPv4 and of IPv6.

    ``0.0.0.0`` are all of IPv4 alone, ``::`` all of IPv6 alone. Without IPv6 in the kernel, all addresses are those of
    IPv4. A port of 0 is any free one. Raises OSError: the port is taken, the address or name is not there.
    """
    if host is not None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    try:
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
    except (OSError, ValueError) as error:  # ValueError: a platform whose sockets are of one family
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise
        return socket.create_server(("0.0.0.0", port), backlog=_BACKLOG)  # noqa: S104 - a pod is reached from outside


def place(listening: socket.socket) -> str:
    """Where a socket listens, for people."""
    host, port = listening.getsockname()[:2]
    if listening.family != socket.AF_INET6:
        return f"{host}:{port}"
    both = host == "::" and not listening.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return f"all addresses, port {port}" if both else f"[{host}]:{port}"
