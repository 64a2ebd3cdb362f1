"""Asking a cluster's own servers whether they are ready."""

import http.client
import socket
import ssl

from cluster.pki import Pki
from cluster.programs import HOST

_SECONDS = 5.0


class Probe:
    """Sends GET requests as an administrator, with TLS verified."""

    def __init__(self, pki: Pki) -> None:
        self._tls = ssl.create_default_context(cafile=str(pki.ca))
        self._tls.load_cert_chain(pki.admin.certificate, pki.admin.key)

    def ok(self, port: int, path: str) -> bool:
        """Whether the server at ``port`` answers ``path`` with 200 within 5 s."""
        connection = http.client.HTTPSConnection(HOST, port, context=self._tls, timeout=_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as client:
        client.settimeout(_SECONDS)
        return client.connect_ex((HOST, port)) == 0
