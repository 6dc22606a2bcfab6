"""The lag that KEDA's scaler nats-jetstream computes, asked of a real server as KEDA asks.

Written after what pkg/scalers/nats_jetstream_scaler.go of kedacore/keda does: its URLs, the parameters of its query,
and the fields that it reads. In a cluster only the consumer's leader knows the lag. The scaler finds it by the names of
nodes: the first label of each address in the routes, before the endpoint's own host.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


class NoLag(Exception):
    """The scaler reports an error, and the ScaledObject's fallback applies."""


@dataclass(frozen=True)
class Scaler:
    """`metadata` is a trigger's; `fetch` returns the JSON at a URL."""

    metadata: Mapping[str, str]
    fetch: Callable[[str], dict[str, Any]]

    def lag(self) -> int:
        endpoint = self.metadata["natsServerMonitoringEndpoint"]
        answer = self._streams_of(endpoint)
        if answer.get("meta_cluster", {}).get("cluster_size", 0) > 1:
            return _lag(self._of_leader(endpoint))
        return _lag(self._consumer(answer))

    def replicas(self) -> int:
        """What the autoscaler makes of it: the target is an average for each pod."""
        lag = self.lag()
        if lag <= int(self.metadata["activationLagThreshold"]):
            return 0
        return -(-lag // int(self.metadata["lagThreshold"]))

    def _of_leader(self, endpoint: str) -> Mapping[str, Any]:
        for address in self.fetch(f"http://{endpoint}/varz")["cluster"]["urls"]:
            node = address.split(".")[0]
            consumer = self._consumer(self._streams_of(f"{node}.{endpoint}"))
            if consumer["cluster"]["leader"] == node:
                return consumer
        raise NoLag("leader node not found")

    def _streams_of(self, endpoint: str) -> Mapping[str, Any]:
        query = urlencode({"acc": self.metadata["account"], "config": "true", "consumers": "true"})
        return self.fetch(f"http://{endpoint}/jsz?{query}")

    def _consumer(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        for account in answer.get("account_details", []):
            for stream in account.get("stream_detail", []):
                for consumer in stream.get("consumer_detail", []):
                    found = (account["name"], stream["name"], consumer["name"])
                    if found == tuple(self.metadata[name] for name in ("account", "stream", "consumer")):
                        return dict(consumer)
        raise NoLag("consumer not found")


def _lag(consumer: Mapping[str, Any]) -> int:
    return int(consumer["num_pending"] + consumer["num_ack_pending"])
