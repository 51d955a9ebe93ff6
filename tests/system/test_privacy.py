"""Numbers and texts are never stored in the clear. P1, P3."""

import base64
import os
import subprocess
import urllib.parse
import uuid

import grpc
import pytest
import redis

import api
import consistency_check
import poll
import stack as stacks

# The tests search for the digits of these numbers, with and without the prefix.
DELIVERED, REFUSED, REPLIED, MALFORMED = "+15145557101", "+15145557102", "+15145557103", "+151455571045145557104"
TEXT = "Zinnoberrot pergola 7Q2: see you at twelve."
REPLY = "Quittengelee nebelkrähe 9K4"
SERVICES = ["ingress", "sms-worker", "voice-worker", "audit"]


def spellings():
    """Each secret in its encodings: in the clear, URL-encoded, in hex, in base64."""
    found = {}
    for secret in (DELIVERED, REFUSED, REPLIED, MALFORMED):
        digits = secret[-10:].encode()
        found |= {digits: secret, digits.hex().encode(): secret} | _base64(digits, secret)
    for secret in (TEXT, REPLY):
        raw = secret.encode()
        word = raw.split()[0]
        found |= {word: secret, word.lower(): secret, word.hex().encode(): secret,
                  urllib.parse.quote(secret).encode(): secret} | _base64(raw, secret)
    return found


def _base64(raw, secret):
    """The inner part at each of the three alignments that it can have in a longer text."""
    return {base64.b64encode(b"\0" * shift + raw)[4:-4]: secret for shift in range(3)}


def leaks(where, content):
    return [f"{where}: {secret} as {spelling!r}" for spelling, secret in spellings().items() if spelling in content]


def stored(path):
    """The content of a file; empty for sparse files without data, such as Kafka's indexes of 10 MiB."""
    try:
        if not os.path.isfile(path) or os.stat(path).st_blocks == 0:
            return b""
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""  # a store has removed it


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack({"TOCSIN_IN_DOUBT_TIMEOUT": "3s"}) as started:
        yield started


@pytest.fixture(scope="module")
def used(stack, client):
    """The stack after alerts that were delivered, refused, malformed and replied to."""
    simulator = stack.simulator()
    simulator.faults(outcomes={REFUSED: {"status": "undelivered", "code": 30005}})
    client.until_state(client.send(DELIVERED, text=TEXT), "DELIVERED")
    client.until_state(client.send(REFUSED, text=TEXT), "FAILED")
    client.until_state(client.enqueue(_plan()), "DELIVERED")
    simulator.faults(next=[{"kind": "refuse", "code": 30007}])
    client.until_state(client.send(DELIVERED, text=TEXT), "FAILED")
    simulator.faults(next=[{"kind": "500"}])
    client.until_state(client.send(DELIVERED, text=TEXT, idempotency_key=str(uuid.uuid4()),
                                   in_doubt_policy=api.IN_DOUBT_FAIL), "FAILED")
    for fields in ({"to": MALFORMED, "text": TEXT}, {"to": DELIVERED, "text": TEXT * 100}):
        with pytest.raises(grpc.RpcError) as caught:
            client.send(**fields)
        assert not leaks("the error", repr(caught.value).encode())
    inbound = stack.env["TOCSIN_PUBLIC_BASE_URL"] + "/twilio/sms/inbound"
    assert simulator.inbound(REPLIED, REPLY, inbound)["status"] == 200
    assert simulator.inbound(REPLIED, "STOP", inbound)["status"] == 200
    poll.until("audit has stored the replies", lambda: _webhooks_from(stack, REPLIED[-4:]) == 2)
    return stack


def _plan():
    """Two steps, of which the first is not delivered."""
    step, target = api.message("Step"), api.message("Target")
    wait = api.message("google.protobuf.Duration")(seconds=600)
    return api.message("EnqueueRequest")(text=TEXT, plan=api.message("Plan")(steps=[
        step(targets=[target(person="ann", to=REFUSED)]),
        step(wait_duration=wait, targets=[target(person="ben", to=DELIVERED, text=TEXT + " Ben")])]))


def _webhooks_from(stack, last_four):
    with stack.database().cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tocsin.webhooks WHERE last_four = %s", (last_four,))
        return cursor.fetchone()[0]


def test_the_search_finds_planted_secrets():
    planted = [DELIVERED, urllib.parse.quote(DELIVERED), DELIVERED[1:], TEXT, urllib.parse.quote(REPLY),
               base64.b64encode(f"xx{TEXT}".encode()).decode(), DELIVERED.encode().hex()]
    assert all(leaks("planted", f"log {text} end".encode()) for text in planted)
    assert not leaks("innocent", b"*******7101 at twelve")


def test_the_message_reached_twilio(used):
    messages = used.simulator().messages()
    assert (DELIVERED, TEXT) in {(message["to"], message["body"]) for message in messages}


@pytest.mark.parametrize("folder", ["log", "kafka", "postgres", "redis", "spool", "run"])
def test_no_file_of_the_stack_contains_a_number_or_a_text(used, folder):
    found, read = [], 0
    for parent, _, names in os.walk(used.state / folder, followlinks=True):
        for name in names:
            content = stored(os.path.join(parent, name))
            read += len(content)
            found += leaks(os.path.join(parent, name), content)
    assert not found
    assert read > 0 or folder == "spool"


def test_no_record_of_any_topic_contains_a_number_or_a_text(used):  # the files may be compressed
    topics = [*consistency_check.LANES, *consistency_check.DELAYS, *consistency_check.DEAD, consistency_check.EVENTS,
              consistency_check.WEBHOOKS, *(f"{consistency_check.PREFIX}.{name}" for name in ("consents", "registry"))]
    records = list(consistency_check.read_topics(used.env["TOCSIN_KAFKA_BOOTSTRAP"], topics))
    assert len(records) > 10
    for topic, headers, key, value in records:
        content = b"\n".join([key or b"", value or b"", *(name.encode() + b"=" + (header or b"")
                                                         for name, header in headers.items())])
        assert not leaks(topic, content)


def test_no_key_of_redis_contains_a_number_or_a_text(used):
    store = redis.Redis.from_url(used.env["TOCSIN_REDIS_URL"])
    keys = list(store.scan_iter(count=1000))
    assert keys
    readers = {b"hash": store.hgetall, b"string": store.get, b"list": lambda key: store.lrange(key, 0, -1),
               b"set": store.smembers, b"zset": lambda key: store.zrange(key, 0, -1, withscores=True),
               b"stream": store.xrange}
    for key in keys:
        kind = store.type(key)
        if kind != b"none":  # it has expired
            assert not leaks(repr(key), key + _flat(readers[kind](key)))


def _flat(value):
    """All bytes of a nested value of Redis."""
    if isinstance(value, dict):
        return b"\n".join(_flat(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple, set)):
        return b"\n".join(_flat(item) for item in value)
    return value if isinstance(value, bytes) else str(value).encode()


def test_no_database_dump_contains_a_number_or_a_text(used):
    dump = subprocess.run(["pg_dump", used.env["TOCSIN_POSTGRES_URL"]], capture_output=True, timeout=120, check=True)
    assert b"tocsin.alerts" in dump.stdout
    assert not leaks("pg_dump", dump.stdout)


@pytest.mark.parametrize("service", SERVICES)
def test_no_metric_contains_a_number_or_a_text(used, service):  # O1
    metrics = used.metrics(service)
    assert "tocsin_" in metrics
    assert not leaks(service, metrics.encode())


def test_no_log_contains_a_secret_of_the_installation(used):  # P7
    secrets = [path.read_bytes() for path in (used.state / "secrets").iterdir()
               if path.name in ("twilio-auth-token", "api-key", "postgres-password")]
    assert len(secrets) == 3
    for log in (used.state / "log").iterdir():
        assert not [log.name for secret in secrets if secret in log.read_bytes()]


def test_no_command_line_contains_a_secret(used):  # P7
    secrets = [path.read_bytes() for path in (used.state / "secrets").iterdir()
               if path.name != "account-sid"]  # not a secret; it is stored beside its token
    for name in stacks.BIN.glob("tocsin*"):
        for pid in subprocess.run(["pgrep", "-f", str(name)], capture_output=True, text=True,
                                  check=False).stdout.split():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read()
            except FileNotFoundError:
                continue
            assert not [pid for secret in secrets if secret in command]
