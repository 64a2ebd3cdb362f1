"""What is read around a client is read in an order in which no use of its secrets gets lost."""

from __future__ import annotations

from typing import Any, cast

import pytest

from apiclients.cli.cluster.gather import gather
from apiclients.kube.objects import LEASES, JsonObject, ResourceType
from apiclients.lifecycle.usage import LastUse, encode, hour_of
from apiclients.resources.fields import format_time
from apiclients.resources.names import USAGE_ANNOTATION, USAGE_LEASE_SELECTOR
from tests.cli.samples import NOW, UID, ago, client, credential


class Moving:
    """Stands for ``Session`` and its client. After so many reads the status says what the gate reported until then."""

    namespace = "team-a"

    def __init__(self, moves_after: int) -> None:
        self.left = moves_after
        self.kube = self

    def now(self) -> Any:
        return NOW

    async def get(self, resource: ResourceType, *_: object) -> JsonObject:
        return {"metadata": {}} if resource == LEASES else self._read()[0]

    async def objects(self, resource: ResourceType, *_: object, labels: str = "", **__: object) -> list[JsonObject]:
        return [self._read()[1]] if resource == LEASES and labels == USAGE_LEASE_SELECTOR else []

    def _read(self) -> tuple[JsonObject, JsonObject]:
        """The client and the report."""
        self.left -= 1
        used = ago(minutes=5)
        told = {"lastUsedTime": format_time(used)} if self.left < 0 else {}
        report = {} if told else {UID: LastUse(hour_of(used.timestamp()), {1: hour_of(used.timestamp())})}
        previous = credential(1, ago(days=40), state="Previous", **told)
        read = client(status={"credentials": [credential(2, ago(hours=14)), previous], "lastCredentialId": 2})
        read["metadata"]["uid"] = UID
        annotations = {USAGE_ANNOTATION: encode(report.items())[0]}
        return read, {"metadata": {"name": "a-usage", "annotations": annotations}}


@pytest.mark.rule(35)
@pytest.mark.parametrize("moves_after", range(4))
async def test_a_use_is_in_the_status_or_in_the_report(moves_after: int) -> None:
    found = await gather(cast(Any, Moving(moves_after)), "billing-1.0", system_namespace="apiclients-system")
    reported = UID in found.reports["a-usage"].clients
    assert reported or found.client.status.credentials[1].last_used_time is not None
