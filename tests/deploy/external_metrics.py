"""The lag of consumer groups as external metrics of the API server, which KEDA serves in production. A
HorizontalPodAutoscaler reads them."""

import contextlib
import json
import subprocess
import sys

import confluent_kafka

import cluster
import poll

PORT = 16443  # of fakemetrics.py
SERVICE = {"name": "external-metrics", "namespace": "kube-system"}
GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"
KAFKA_SECONDS = 30
MIN_REPLICAS = 2


def metric_name(number, topic):
    return f"s{number}-kafka-{topic.replace('.', '-')}"


def autoscaler(scaled):
    """The HorizontalPodAutoscaler that KEDA makes of a ScaledObject, with two replicas at least. It removes replicas
    after seconds instead of minutes."""
    spec, triggers = scaled["spec"], scaled["spec"]["triggers"]
    metrics = [{"type": "External", "external": {
        "metric": {"name": metric_name(number, trigger["metadata"]["topic"])},
        "target": {"type": "AverageValue", "averageValue": trigger["metadata"]["lagThreshold"]}}}
        for number, trigger in enumerate(triggers)]
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": scaled["metadata"]["name"], "namespace": cluster.NAMESPACE},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment"} | spec["scaleTargetRef"],
                     "minReplicas": MIN_REPLICAS, "maxReplicas": spec["maxReplicaCount"], "metrics": metrics,
                     "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5, "policies": [
                         {"type": "Pods", "value": 4, "periodSeconds": 15}]}}}}


def lag(bootstrap, group, topic):
    """The number of records that the group has not committed."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group})  # does not join it
    try:
        numbers = consumer.list_topics(topic, timeout=KAFKA_SECONDS).topics[topic].partitions
        committed = consumer.committed([confluent_kafka.TopicPartition(topic, number) for number in numbers],
                                       timeout=KAFKA_SECONDS)
        return sum(consumer.get_watermark_offsets(part, timeout=KAFKA_SECONDS)[1] - max(part.offset, 0)
                   for part in committed)
    finally:
        consumer.close()


class ExternalMetrics:
    """A context manager: serves the lag of the triggers of a ScaledObject, as it was at the last update()."""

    def __init__(self, kubernetes, bootstrap, scaled):
        self._cluster, self._bootstrap = kubernetes, bootstrap
        self._triggers = [trigger["metadata"] for trigger in scaled["spec"]["triggers"]]
        self._cleanup = contextlib.ExitStack()

    def update(self):
        """Returns topic -> lag."""
        lags = {row["topic"]: lag(self._bootstrap, row["consumerGroup"], row["topic"]) for row in self._triggers}
        part = self._cluster.home / "cl/metrics.part"
        part.write_text(json.dumps({metric_name(number, topic): str(lags[topic]) for number, topic in enumerate(lags)}))
        part.replace(part.with_suffix(".json"))
        return lags

    def __enter__(self):
        with contextlib.ExitStack() as cleanup:
            self.update()
            log = cleanup.enter_context((self._cluster.home / "external-metrics.log").open("wb"))
            server = subprocess.Popen(
                [sys.executable, self._cluster.folder / "fakemetrics.py", self._cluster.program],
                env=self._cluster.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            cleanup.callback(server.wait)
            cleanup.callback(server.terminate)
            self._cluster.apply(*self._objects())
            cleanup.callback(self._cluster.kubectl, "delete", "apiservice", f"{VERSION}.{GROUP}", namespace=())
            poll.until("the API server has the metrics", self._is_available)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_):
        self._cleanup.close()

    def _objects(self):
        return ({"apiVersion": "v1", "kind": "Service", "metadata": SERVICE,
                 "spec": {"ports": [{"name": "https", "port": 443, "targetPort": PORT}]}},
                {"apiVersion": "v1", "kind": "Endpoints", "metadata": SERVICE,
                 "subsets": [{"addresses": [{"ip": self._cluster.address}], "ports": [{"name": "https", "port": PORT}]}]},
                {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                 "metadata": {"name": f"{VERSION}.{GROUP}"},
                 "spec": {"group": GROUP, "version": VERSION, "service": SERVICE | {"port": 443},
                          "insecureSkipTLSVerify": True, "groupPriorityMinimum": 100, "versionPriority": 100}})

    def _is_available(self):
        conditions = self._cluster.get("apiservice", f"{VERSION}.{GROUP}").get("status", {}).get("conditions", ())
        return any(found["type"] == "Available" and found["status"] == "True" for found in conditions)
