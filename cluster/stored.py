"""What etcd holds of custom resources: tens of thousands of objects written within seconds, as kube-apiserver stores
them, and how large it all is. Through the API server each object costs a request.
"""

import base64
import http.client
import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from cluster.local import LocalCluster

#: etcd takes 128 operations and 1.5 MiB in a transaction (``--max-txn-ops``, ``--max-request-bytes``).
_AT_ONCE = 100
_SECONDS = 60


def store(cluster: LocalCluster, resource: str, objects: Iterable[Mapping[str, Any]]) -> None:
    """Write new objects of ``GROUP/PLURAL``; each is complete, with UID, generation and creation time.

    Raises OSError, and RuntimeError when etcd refuses.
    """
    with closing(_connection(cluster)) as connection:
        for part in _parts(objects):
            puts = [{"requestPut": _put(resource, obj)} for obj in part]
            _ask(connection, "/v3/kv/txn", {"success": puts})


def size_in_use(cluster: LocalCluster) -> int:
    """Bytes of etcd's database that hold data. Raises OSError, and RuntimeError when etcd refuses."""
    with closing(_connection(cluster)) as connection:
        return int(_ask(connection, "/v3/maintenance/status", {})["dbSizeInUse"])


def _connection(cluster: LocalCluster) -> http.client.HTTPSConnection:
    pki = cluster.data_dir / "pki"
    tls = ssl.create_default_context(cafile=str(cluster.ca_file))
    tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    return http.client.HTTPSConnection(urlsplit(cluster.etcd_server).netloc, context=tls, timeout=_SECONDS)


def _ask(connection: http.client.HTTPSConnection, path: str, question: Mapping[str, Any]) -> dict[str, Any]:
    connection.request("POST", path, json.dumps(question))
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != http.client.OK:
        raise RuntimeError(f"etcd answers {answer.status} at {path}: {text[:500].decode(errors='replace')}")
    decoded: dict[str, Any] = json.loads(text)
    return decoded


def _put(resource: str, obj: Mapping[str, Any]) -> dict[str, str]:
    meta = obj["metadata"]
    key = f"/registry/{resource}/{meta['namespace']}/{meta['name']}"
    return {"key": _encoded(key), "value": _encoded(json.dumps(obj, separators=(",", ":")))}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _parts(objects: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    remaining = iter(objects)
    while part := list(islice(remaining, _AT_ONCE)):
        yield part
