"""Tens of thousands of objects within seconds: written into etcd as kube-apiserver stores them.

Through the API server each costs a request, and that many take longer than the tests that need them.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import urlsplit

from apiclients.resources.names import GROUP
from cluster import LocalCluster
from tests.toolkit.objects import JsonObject

#: etcd takes 128 operations and 1.5 MiB in a transaction (``--max-txn-ops``, ``--max-request-bytes``).
_AT_ONCE = 100
_SECONDS = 60


def store(cluster: LocalCluster, plural: str, objects: Iterable[JsonObject]) -> None:
    """Write new objects of one of our kinds; each is complete, with UID, generation and creation time."""
    pki = cluster.data_dir / "pki"
    tls = ssl.create_default_context(cafile=str(cluster.ca_file))
    tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    connection = http.client.HTTPSConnection(urlsplit(cluster.etcd_server).netloc, context=tls, timeout=_SECONDS)
    try:
        for part in _parts(objects):
            puts = [{"requestPut": _put(plural, obj)} for obj in part]
            connection.request("POST", "/v3/kv/txn", json.dumps({"success": puts}))
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
    finally:
        connection.close()


def _put(plural: str, obj: JsonObject) -> dict[str, str]:
    meta = obj["metadata"]
    key = f"/registry/{GROUP}/{plural}/{meta['namespace']}/{meta['name']}"
    return {"key": _encoded(key), "value": _encoded(json.dumps(obj))}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _parts(objects: Iterable[JsonObject]) -> Iterator[list[JsonObject]]:
    rest = iter(objects)
    while part := list(islice(rest, _AT_ONCE)):
        yield part
