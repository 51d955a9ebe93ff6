#!/usr/bin/python3
"""Compares what the client, Kafka, the simulator and PostgreSQL know of every alert, as sets.

    /usr/bin/python3 tests/system/ledger.py --state DIR [--client FILE]

DIR is the state folder of a stack that runs with the simulator; FILE holds one accepted alert_id a line.
Prints the counts, every difference, and the tries in doubt. Exit status: 0 no difference, 1 differences.
"""

import argparse
import base64
import collections
import dataclasses
import pathlib
import struct
import sys
import time
import uuid

import confluent_kafka
import psycopg2

import api
import stack as stacks

PREFIX = "tocsin"
LANES = [f"{PREFIX}.sms.{name}" for name in ("emergency", "high", "normal", "bulk")]
DELAYS = [f"{PREFIX}.delay.{kind}.{tier}" for kind in ("emergency", "other") for tier in ("5s", "1m", "10m", "1h")]
DEAD, EVENTS, WEBHOOKS = f"{PREFIX}.sms.dead", f"{PREFIX}.events", f"{PREFIX}.webhooks"
# Who works off what: what is done is committed.
GROUPS = {f"{PREFIX}.sms.emergency": LANES[:1], f"{PREFIX}.sms.other": LANES[1:], f"{PREFIX}.sms.facts": [WEBHOOKS],
          f"{PREFIX}.relay": DELAYS}
FOLDED = [*LANES, EVENTS, WEBHOOKS]  # by the audit
SHOWN = 20  # items of one difference
KAFKA_SECONDS = 120  # for all of the topics
TOKEN = struct.Struct(">B16sII")  # format, alert, step, try: the begin of a token (common/twilio/try_token.cpp)
CARRIER_ENDS = {"delivered", "undelivered", "failed", "canceled"}


def try_of(name):
    """A TryName as (alert_id, step, try)."""
    return name.alert_id, name.step, getattr(name, "try")


def try_of_token(token):
    """The try a callback URL names; None for what is no token."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        form, alert, step, attempt = TOKEN.unpack_from(raw)
    except (ValueError, TypeError, struct.error):
        return None
    return (str(uuid.UUID(bytes=alert)), step, attempt) if form == 1 else None


def read_topics(bootstrap, topics):
    """Every record of the topics, from the first to what is the last now: (topic, headers, key, value)."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "tocsin-tests",
                                         "enable.auto.commit": False, "enable.partition.eof": True})
    known = consumer.list_topics(timeout=KAFKA_SECONDS).topics
    open_ = [confluent_kafka.TopicPartition(topic, partition, 0)
             for topic in topics if topic in known for partition in known[topic].partitions]
    consumer.assign(open_)
    left = {(part.topic, part.partition) for part in open_}
    deadline = time.monotonic() + KAFKA_SECONDS
    try:
        while left:
            assert time.monotonic() < deadline, f"Kafka did not give the ends of {sorted(left)}"
            for record in consumer.consume(num_messages=500, timeout=0.2):
                if record.error() is None:
                    yield record.topic(), dict(record.headers() or ()), record.key(), record.value()
                elif record.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    left.discard((record.topic(), record.partition()))
                else:
                    raise confluent_kafka.KafkaException(record.error())
    finally:
        consumer.close()


@dataclasses.dataclass
class Kafka:
    """What the topics say."""

    accepted: set = dataclasses.field(default_factory=set)  # alert ids
    tries: set = dataclasses.field(default_factory=set)  # told of by an event or a callback
    begun: set = dataclasses.field(default_factory=set)
    doubted: dict = dataclasses.field(default_factory=dict)  # try -> when its first doubt began, us of UTC
    settled_by: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(set))  # try -> words
    sent_again: set = dataclasses.field(default_factory=set)  # alerts: in doubt, and openly sent again
    failed: set = dataclasses.field(default_factory=set)
    given_up: set = dataclasses.field(default_factory=set)  # failed, and no try follows
    dead: set = dataclasses.field(default_factory=set)
    sids: dict = dataclasses.field(default_factory=dict)  # SID -> try
    facts: set = dataclasses.field(default_factory=set)  # ids of events and callbacks that tell of a try
    unreadable: int = 0

    @classmethod
    def read(cls, bootstrap):
        books = cls()
        takes = {DEAD: books._dead, EVENTS: books._event, WEBHOOKS: books._webhook}
        for topic, headers, _, value in read_topics(bootstrap, [*LANES, DEAD, EVENTS, WEBHOOKS]):
            takes.get(topic, books._work)(value, headers)
        return books

    def _work(self, value, headers):
        if "accepts" in headers:
            self.accepted.add(try_of(getattr(api.message("WorkRecord").FromString(value), "try"))[0])

    def _dead(self, value, _):
        dead = api.message("DeadRecord").FromString(value)
        if dead.HasField("work"):
            self.dead.add(try_of(getattr(dead.work, "try")))
        else:
            self.unreadable += 1

    def _event(self, value, _):
        event = api.message("Event").FromString(value)
        if event.WhichOneof("fact") != "try_changed":
            return
        name, changed = try_of(getattr(event, "try")), event.try_changed
        status = api.TRY_STATUSES[changed.status]
        self.tries.add(name)
        self.facts.add(event.event_id)
        if changed.provider_sid:
            self.sids[changed.provider_sid] = name
        if status == "SENDING":
            self.begun.add(name)
        if status == "IN_DOUBT":
            self.doubted[name] = min(event.time_us, self.doubted.get(name, event.time_us))
        if changed.settled_by:
            self.settled_by[name].add(changed.settled_by)
        if status == "FAILED":
            self.failed.add(name)
        if status in ("FAILED", "UNDELIVERED") and changed.last:
            self.given_up.add(name)
        if changed.settled_by == "policy" and changed.next_try:
            self.sent_again.add(name[0])

    def _webhook(self, value, _):
        webhook = api.message("WebhookRecord").FromString(value)
        if webhook.HasField("try"):
            name = try_of(getattr(webhook, "try"))
            self.tries.add(name)
            self.facts.add(webhook.webhook_id)
            self.sids[webhook.provider_sid] = name


@dataclasses.dataclass
class Simulator:
    """What Twilio's stand-in saw."""

    posted: set  # tries
    accepted: collections.Counter  # try -> POSTs taken
    moments: list  # of accepted POSTs: (us of UTC, try), in their order
    sids: dict  # SID -> try
    unsettled: set  # alerts whose last status was never taken from a callback, or never came
    strangers: list  # POSTs without a token of ours
    faults: collections.Counter

    @classmethod
    def read(cls, simulator):
        requests, messages = simulator.requests(), simulator.messages()
        tries = [(request, try_of_token(request["token"] or "")) for request in requests]
        moments = sorted((request["at_us"], name) for request, name in tries if name and request["accepted"])
        sids = {message["sid"]: try_of_token(message["token"] or "") for message in messages}
        return cls(posted={name for _, name in tries if name},
                   accepted=collections.Counter(name for _, name in moments),
                   moments=moments,
                   sids=sids,
                   unsettled={sids[message["sid"]][0] for message in messages if sids[message["sid"]] and
                              not CARRIER_ENDS & set(message["acknowledged"])},
                   strangers=[request["number"] for request, name in tries if not name],
                   faults=collections.Counter(str(request["fault"] or request["code"])
                                              for request in requests if request["fault"] or request["code"]))

    def longest_silence(self, begin_us, end_us):
        """Seconds without an accepted POST between two times."""
        times = [begin_us, *(at_us for at_us, _ in self.moments if begin_us < at_us < end_us), end_us]
        return max(later - earlier for earlier, later in zip(times, times[1:])) / 1e6


@dataclasses.dataclass
class Tables:
    """What PostgreSQL says."""

    states: dict  # alert id -> word
    ended: set  # alert ids
    accepted: set  # alert ids whose acceptance was folded
    tries: set
    doubted: set
    sids: dict  # SID -> try
    facts: set

    @classmethod
    def read(cls, connection):
        with connection.cursor() as cursor:
            cursor.execute("SELECT alert_id::text, state, ended_us IS NOT NULL, accepted_us IS NOT NULL"
                           "  FROM tocsin.alerts")
            alerts = cursor.fetchall()
            cursor.execute("SELECT alert_id::text, step, try, provider_sid, doubted FROM tocsin.tries")
            tries = [(tuple(row[:3]), row[3], row[4]) for row in cursor]
            cursor.execute("SELECT event_id::text FROM tocsin.facts")
            facts = {row[0] for row in cursor}
        return cls(states={row[0]: api.STATES[row[1]] for row in alerts},
                   ended={row[0] for row in alerts if row[2]}, accepted={row[0] for row in alerts if row[3]},
                   tries={name for name, _, _ in tries}, doubted={name for name, _, doubted in tries if doubted},
                   sids={sid: name for name, sid, _ in tries if sid}, facts=facts)


class Ledger:
    """The four books side by side. client: alert ids whose acceptance the client was told; None: no such record."""

    def __init__(self, client, kafka, simulator, tables):
        self.client, self.kafka, self.simulator, self.tables = client, kafka, simulator, tables

    @classmethod
    def read(cls, env, client=None):
        connection = psycopg2.connect(env["TOCSIN_POSTGRES_URL"])
        try:
            return cls(client, Kafka.read(env["TOCSIN_KAFKA_BOOTSTRAP"]),
                       Simulator.read(stacks.Simulator(env["TOCSIN_TWILIO_BASE_URL"])), Tables.read(connection))
        finally:
            connection.close()

    def differences(self):
        """What is wrong: sentence -> the items it is wrong of. Empty when the books agree."""
        found = self._of_alerts() | self._of_tries() | self._of_posts() | self._of_sids()
        return {what: sorted(map(str, items)) for what, items in found.items() if items}

    def _of_alerts(self):
        kafka, tables = self.kafka, self.tables
        client = kafka.accepted if self.client is None else self.client
        open_ = tables.accepted - tables.ended
        return {
            "accepted to the client, not in a lane": client - kafka.accepted,
            "in a lane, the client was not told": kafka.accepted - client,
            "in a lane, not in PostgreSQL": kafka.accepted - tables.accepted,
            "in PostgreSQL, not in a lane": set(tables.states) - kafka.accepted,
            "without an end": {alert for alert in open_
                               if tables.states[alert] != "SENT" or alert not in self.simulator.unsettled},
        }

    def _of_tries(self):
        kafka, tables = self.kafka, self.tables
        return {
            "tries on topics, not in PostgreSQL": kafka.tries - tables.tries,
            "tries in PostgreSQL, not on topics": tables.tries - kafka.tries,
            "facts on topics, not in PostgreSQL": kafka.facts - tables.facts,
            "facts in PostgreSQL, not on topics": tables.facts - kafka.facts,
            "doubts on topics and in PostgreSQL differ": set(kafka.doubted) ^ tables.doubted,
            "given up without a dead letter, or the reverse": kafka.given_up ^ kafka.dead,
            "records that could not be read": range(kafka.unreadable),
        }

    def _of_posts(self):
        kafka, simulator = self.kafka, self.simulator
        per_alert = collections.Counter(alert for alert, _, _ in simulator.accepted.elements())
        return {
            "POSTs without a token": simulator.strangers,
            "POSTs of tries whose begin is not on record": simulator.posted - kafka.begun,
            "tries begun and neither POSTed, failed nor in doubt":
                kafka.begun - simulator.posted - kafka.failed - set(kafka.doubted),
            "tries accepted more than once": {name for name, count in simulator.accepted.items() if count > 1},
            "alerts accepted more than once, and not openly sent again":
                {alert for alert, count in per_alert.items() if count > 1} - kafka.sent_again,
            "accepted again before a doubt of the earlier try was on record": self.unrecorded_doubles(),
            "doubts that nothing settled": set(kafka.doubted) - set(kafka.settled_by),
        }

    def _of_sids(self):
        simulator, tables = self.simulator, self.tables
        return {
            "SIDs that Twilio never gave": (set(tables.sids) | set(self.kafka.sids)) - set(simulator.sids),
            "SIDs on topics and in PostgreSQL differ": set(self.kafka.sids.items()) ^ set(tables.sids.items()),
            "SIDs with another try than Twilio's":
                {sid for sid, name in tables.sids.items() if simulator.sids.get(sid, name) != name},
            "accepted by Twilio, known neither by SID nor as a doubt":
                {sid for sid, name in simulator.sids.items() if sid not in tables.sids and name not in tables.doubted},
        }

    def doubles(self):
        """Accepted POSTs of an alert after its first: (us of UTC, try)."""
        met, found = set(), []
        for moment in self.simulator.moments:
            if moment[1][0] in met:
                found.append(moment)
            met.add(moment[1][0])
        return found

    def unrecorded_doubles(self):
        """Those that no recorded doubt of another try of the alert goes before."""
        return [(at_us, name) for at_us, name in self.doubles()
                if not any(other[0] == name[0] and other != name and began_us <= at_us
                           for other, began_us in self.kafka.doubted.items())]

    def unsettled(self):
        """Alerts that stay SENT: Twilio's word on their end never came."""
        return (self.tables.accepted - self.tables.ended) & self.simulator.unsettled

    def open_doubts(self):
        """Tries of which it is still not known whether Twilio took them."""
        known = set(self.tables.sids.values())
        return {name for name in self.tables.doubted if name not in known}

    def report(self):
        tables, simulator = self.tables, self.simulator
        states = collections.Counter(tables.states.values())
        lines = [
            f"alerts    client {'-' if self.client is None else len(self.client)}, "
            f"lanes {len(self.kafka.accepted)}, PostgreSQL {len(tables.accepted)}",
            "states    " + ", ".join(f"{state} {count}" for state, count in sorted(states.items())),
            f"tries     topics {len(self.kafka.tries)}, PostgreSQL {len(tables.tries)}, begun {len(self.kafka.begun)}, "
            f"POSTed {len(simulator.posted)}, dead letters {len(self.kafka.dead)}",
            f"SIDs      Twilio {len(simulator.sids)}, topics {len(self.kafka.sids)}, PostgreSQL {len(tables.sids)}",
            f"facts     topics {len(self.kafka.facts)}, PostgreSQL {len(tables.facts)}",
            "faults    " + (", ".join(f"{name} {count}" for name, count in sorted(simulator.faults.items())) or "none"),
            f"accepted POSTs beyond one per try: {sum(count - 1 for count in simulator.accepted.values())}",
            f"accepted POSTs beyond one per alert: {len(self.doubles())}, not after a recorded doubt: "
            f"{len(self.unrecorded_doubles())}",
            f"stay SENT because no callback told the end: {len(self.unsettled())}",
            "doubts settled by " + (", ".join(f"{how} {count}" for how, count in sorted(collections.Counter(
                how for name, words in self.kafka.settled_by.items() if name in self.kafka.doubted
                for how in words).items())) or "nothing"),
            f"tries ever in doubt {len(tables.doubted)}, of them still {len(self.open_doubts())}:",
            *(f"  {'taken ' if simulator.accepted[name] else 'not taken'} {'/'.join(map(str, name))}"
              for name in sorted(self.open_doubts())),
        ]
        differences = self.differences()
        for what, items in differences.items():
            lines += [f"DIFFERENCE {what}: {len(items)}", *(f"  {item}" for item in items[:SHOWN])]
        return "\n".join([*lines, "the books differ" if differences else "the books agree"])


def _ends(consumer, topics):
    """The end of each partition that ever held a record."""
    known = consumer.list_topics(timeout=KAFKA_SECONDS).topics
    parts = [confluent_kafka.TopicPartition(topic, number)
             for topic in topics if topic in known for number in known[topic].partitions]
    ends = {(part.topic, part.partition): consumer.get_watermark_offsets(part, timeout=KAFKA_SECONDS)[1]
            for part in parts}
    return {part: end for part, end in ends.items() if end > 0}


def _worked_off(bootstrap):
    """Whether the workers have committed all there is."""
    for group, topics in GROUPS.items():
        consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group})  # joins nothing
        try:
            ends = _ends(consumer, topics)
            asked = [confluent_kafka.TopicPartition(*part) for part in ends]
            done = consumer.committed(asked, timeout=KAFKA_SECONDS) if asked else []
            if any(part.offset < ends[part.topic, part.partition] for part in done):
                return False
        finally:
            consumer.close()
    return True


def _folded(bootstrap, cursor):
    """Whether the audit has folded all there is."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "tocsin-tests"})
    try:
        ends = _ends(consumer, FOLDED)
    finally:
        consumer.close()
    cursor.execute("SELECT topic, partition, next_offset FROM tocsin.positions")
    reached = {(topic, partition): offset for topic, partition, offset in cursor}
    return all(reached.get(part, 0) >= end for part, end in ends.items())


def settled(stack):
    """Whether all is at rest: an end of each alert, or SENT and no callback to come; every record worked off."""
    bootstrap = stack.env["TOCSIN_KAFKA_BOOTSTRAP"]
    connection = stack.database()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT alert_id::text, state FROM tocsin.alerts WHERE ended_us IS NULL")
            open_ = {alert: api.STATES[state] for alert, state in cursor}
            if set(open_.values()) - {"SENT"} or stack.simulator().health()["callbacks_waiting"]:
                return False
            if not _worked_off(bootstrap) or not _folded(bootstrap, cursor):
                return False
            return not open_ or set(open_) <= Simulator.read(stack.simulator()).unsettled
    finally:
        connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", required=True, type=pathlib.Path, help="state folder of the stack")
    parser.add_argument("--client", type=pathlib.Path, help="file with the alert ids the client was told")
    arguments = parser.parse_args()
    client = set(arguments.client.read_text().split()) if arguments.client else None
    ledger = Ledger.read(stacks.read_env(arguments.state), client)
    print(ledger.report())
    return 1 if ledger.differences() else 0


if __name__ == "__main__":
    sys.exit(main())
