#!/usr/bin/python3
"""Records what the programs of one version write to Kafka and Redis, for the tests in this folder.

    tests/wire/record.py build/previous/COMMIT

The folder has the sources of the version and its programs in build/release/bin (scripts/lib/build_previous.sh makes
it; its name is the commit). Starts a stack, sends alerts that end in different ways, and writes recorded.json and
descriptors.binpb into the folder of this program.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
VERSION = pathlib.Path(sys.argv[1]).resolve()
os.environ["TOCSIN_BIN_DIR"] = str(VERSION / "build/release/bin")
sys.path.insert(0, str(ROOT / "tests/system"))

import interpreter  # first: it checks that the modules below exist
import confluent_kafka
import redis
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

import api
import consistency_check
import poll
import stack as stacks

CLIENT = "demo"
ACKNOWLEDGES, LANDLINE, BUSY = "+15005556101", "+15005550009", "+15005556486"  # docs/simulator.md
SETTINGS = {"TOCSIN_TWILIO_POST_TIMEOUT": "3s", "TOCSIN_LEASE": "8s", "TOCSIN_IN_DOUBT_INITIAL_DELAY": "300ms",
            "TOCSIN_IN_DOUBT_TIMEOUT": "20s", "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "20s", "TOCSIN_VOICE_MAX_CALLS": "2",
            "TOCSIN_VOICE_RETRY_BUSY": "200ms"}
STORED_BY_EPOCH = ("restored", "acceptances_restored", "recent_restored", "restore_lease", "write_counts")  # of one process of Redis


def describe(proto):
    """The descriptors of a folder of .proto files, and a function from a name to the class of a message."""
    files = sorted(str(path.relative_to(proto)) for path in (proto / "tocsin").rglob("*.proto"))
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["protoc", f"-I{proto}", "--include_imports", f"--descriptor_set_out={out.name}", *files], check=True)
        described = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.AddSerializedFile(file.SerializeToString())
    factory = message_factory.MessageFactory(pool)
    return described, lambda name: factory.GetPrototype(pool.FindMessageTypeByName(name))


def text(raw):
    return base64.b64encode(raw).decode()


class Recording:
    """Sends alerts, and remembers what was sent."""

    def __init__(self, stack):
        self.client, self.simulator = stack.client(), stack.simulator()
        self.alerts = []

    def send(self, to, key="", body="Pump 4 is hot.", **fields):
        request = api.request(to, body, idempotency_key=key, **fields)
        response = self.client.enqueue(request)
        self.alerts.append({"alert_id": response.alert_id, "request": text(request.SerializeToString())})
        return response

    def run(self):
        """One alert or more for each kind of record, event and value."""
        send, client = self.send, self.client
        client.until_state(send("+15145550101", "delivered"), "DELIVERED")
        client.until_state(send("+15145550102", body="Tempête à 18 h 🔔", labels={"room": "4"}, priority="HIGH"), "DELIVERED")
        client.until_state(send("+15145550103", "emergency", priority="EMERGENCY"), "DELIVERED")
        client.until_state(send(LANDLINE, "refused", priority="BULK"), "FAILED")
        client.until_state(send(ACKNOWLEDGES, "call", channel="VOICE", priority="EMERGENCY"), "ACKNOWLEDGED")
        client.until_state(send(BUSY, "busy", channel="VOICE"), "FAILED")
        later = send("+15145550104", "cancelled", send_time=api.in_seconds(3_600))
        assert client.cancel(later.alert_id) == "CANCELLED"
        later = send("+15145550105", "acknowledged", send_time=api.in_seconds(3_600))
        assert client.acknowledge(later.alert_id, "nurse 7")
        self.simulator.faults(next=[{"kind": "429", "retry_after": 1}])
        client.until_state(send("+15145550106", "rate-limited"), "DELIVERED")
        self.simulator.faults(next=[{"kind": "500_after"}])
        client.until_state(send("+15145550107", "in-doubt"), "DELIVERED")
        send("+15145550109", "scheduled", send_time=api.in_seconds(7_200))

    def inbound(self, url):
        self.simulator.inbound("+15145550110", "STOP", url)
        self.simulator.inbound("+15145550111", "START", url)
        self.simulator.inbound("+15145550112", "Who is this?", url)


def kafka_records(env, message):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": env["TOCSIN_KAFKA_BOOTSTRAP"], "group.id": "tocsin-tests"})
    topics = sorted(topic for topic in consumer.list_topics(timeout=30).topics if topic.startswith("tocsin."))
    consumer.close()
    found = []
    for topic, headers, key, value in consistency_check.read_topics(env["TOCSIN_KAFKA_BOOTSTRAP"], topics):
        headers = {name: raw.decode() for name, raw in headers.items()}
        record = message(headers["schema"]).FromString(value)
        found.append({"topic": topic, "key": key.decode(), "headers": headers, "value": text(value),
                      "text": text_format.MessageToString(record)})
    return found


def redis_values(env):
    store = redis.Redis.from_url(env["TOCSIN_REDIS_URL"])
    return {text(key): text(store.dump(key)) for key in sorted(store.keys("*"))
            if key.decode(errors="replace").removeprefix("tocsin:") not in STORED_BY_EPOCH}


def tokens(simulator):
    sent = simulator.requests() + simulator.call_requests()
    return sorted({request["token"] for request in sent if request["token"]})


def main():
    described, message = describe(VERSION / "proto")
    with stacks.Stack(SETTINGS) as stack:
        recording = Recording(stack)
        recording.run()
        recording.inbound(f"http://{stack.env['TOCSIN_INGRESS_HTTP']}/twilio/sms/inbound")
        poll.until("the opt-out is recorded", lambda: [
            row for row in kafka_records(stack.env, message) if row["topic"] == "tocsin.consents"])
        recorded = {
            "commit": VERSION.name,
            "client_id": CLIENT,
            "keyring": pathlib.Path(stack.env["TOCSIN_KEYRING_FILE"]).read_text(),
            "alerts": [alert | {"alert": text_format.MessageToString(recording.client.get(alert["alert_id"]))}
                       for alert in recording.alerts],
            "tokens": tokens(recording.simulator),
            "records": kafka_records(stack.env, message),
            "redis": redis_values(stack.env)}
    (HERE / "recorded.json").write_text(json.dumps(recorded, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    (HERE / "descriptors.binpb").write_bytes(described.SerializeToString())
    schemas = {row["headers"]["schema"] for row in recorded["records"]}
    print(f"{len(recorded['records'])} records of {len(schemas)} messages, {len(recorded['redis'])} values of Redis")


if __name__ == "__main__":
    main()
