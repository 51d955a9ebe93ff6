#!/usr/bin/python3
"""Compares the records of the client, Kafka, PostgreSQL and the Twilio simulator for every alert, as sets.

    /usr/bin/python3 tests/system/consistency_check.py --state DIR [--client FILE]

DIR is the state folder of a stack that runs with the simulator. FILE contains one accepted alert_id per line. Prints
the counts, every difference, and the attempts in doubt. Exit status: 0 consistent, 1 differences.
"""

import argparse
import base64
import collections
import contextlib
import dataclasses
import itertools
import pathlib
import struct
import sys
import time
import uuid

import interpreter  # first: it checks that the modules below exist
import confluent_kafka
import psycopg2

import api
import stack as stacks

PREFIX = "tocsin"
CHANNELS = ("sms", "voice")
LANES = [f"{PREFIX}.{channel}.{name}" for channel in CHANNELS for name in ("emergency", "high", "normal", "bulk")]
DELAYS = [f"{PREFIX}.delay.{kind}.{tier}" for kind in ("emergency", "other") for tier in ("5s", "1m", "10m", "1h")]
DEAD = [f"{PREFIX}.{channel}.dead" for channel in CHANNELS]
EVENTS, WEBHOOKS = f"{PREFIX}.events", f"{PREFIX}.webhooks"


def _groups_of(channel):
    prefix = f"{PREFIX}.{channel}"
    lanes = [lane for lane in LANES if lane.startswith(prefix)]
    return {f"{prefix}.emergency": lanes[:1], f"{prefix}.other": lanes[1:], f"{prefix}.events": [WEBHOOKS]}


# Consumer groups and their topics. A group commits the offsets of what it has finished.
GROUPS = {name: topics for channel in CHANNELS for name, topics in _groups_of(channel).items()} | {
    f"{PREFIX}.delay_queue": DELAYS}
PROJECTED = [*LANES, EVENTS, WEBHOOKS]  # the topics that audit reads
SHOWN = 20  # items of one difference
KAFKA_SECONDS = 120  # for all topics
TOKEN = struct.Struct(">B16sII")  # version, alert, step, attempt: the begin of a token (attempt_token.cpp)
FINAL_CALLBACKS = {"delivered", "undelivered", "failed", "canceled", "completed"}
PRICED = 5  # AlertEventKind::kPriced. Prices may still arrive when everything else is final; they are not compared.
NOT_SENT = {"CANCELLED", "EXPIRED", "SUPPRESSED", "REJECTED"}  # such a start was abandoned before the POST
GIVEN_UP = {"FAILED", "UNDELIVERED", "BUSY", "NO_ANSWER"}  # a dead letter is written if no attempt follows


def attempt_of(ref):
    """An AttemptRef as (alert_id, step, attempt)."""
    return ref.alert_id, ref.step, ref.attempt


def attempt_of_token(token):
    """The attempt in the token of a callback URL; None if it is not a token."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        version, alert, step, attempt = TOKEN.unpack_from(raw)
    except (ValueError, TypeError, struct.error):
        return None
    return (str(uuid.UUID(bytes=alert)), step, attempt) if version == 1 else None


def _keep_first(times, attempt, time_us):
    times[attempt] = min(time_us, times.get(attempt, time_us))


def read_topics(bootstrap, topics):
    """Every record of the topics, from the first to the last at the time of the call: (topic, headers, key, value)."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "tocsin-tests",
                                         "enable.auto.commit": False, "enable.partition.eof": True})
    known = consumer.list_topics(timeout=KAFKA_SECONDS).topics
    assigned = [confluent_kafka.TopicPartition(topic, partition, 0)
                for topic in topics if topic in known for partition in known[topic].partitions]
    consumer.assign(assigned)
    remaining = {(part.topic, part.partition) for part in assigned}
    deadline = time.monotonic() + KAFKA_SECONDS
    try:
        while remaining:
            assert time.monotonic() < deadline, f"the end was not reached in {sorted(remaining)}"
            for record in consumer.consume(num_messages=500, timeout=0.2):
                if record.error() is None:
                    yield record.topic(), dict(record.headers() or ()), record.key(), record.value()
                elif record.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    remaining.discard((record.topic(), record.partition()))
                else:
                    raise confluent_kafka.KafkaException(record.error())
    finally:
        consumer.close()


def longest_gap(times, begin, end):
    """The longest time between begin and end without any of the times."""
    within = [begin, *sorted(time_ for time_ in times if begin < time_ < end), end]
    return max(later - earlier for earlier, later in zip(within, within[1:]))


@dataclasses.dataclass
class KafkaRecords:
    """The content of the topics."""

    accepted: set = dataclasses.field(default_factory=set)  # alert ids
    attempts: set = dataclasses.field(default_factory=set)  # of events and callbacks
    started: set = dataclasses.field(default_factory=set)  # attempts with an event SENDING
    in_doubt: dict = dataclasses.field(default_factory=dict)  # attempt -> when it first became in doubt, us of UTC
    resolved_by: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(set))  # attempt -> names
    not_received: set = dataclasses.field(default_factory=set)  # attempts that Twilio's list lacked
    resent: set = dataclasses.field(default_factory=set)  # attempts after which the policy resent, with an event
    # Attempts that Twilio accepted, reported as not delivered, with a next attempt -> when, us of UTC
    undelivered: dict = dataclasses.field(default_factory=dict)
    failed: set = dataclasses.field(default_factory=set)  # attempts
    not_sent: set = dataclasses.field(default_factory=set)  # attempts that ended without a POST, maybe after a start
    given_up: set = dataclasses.field(default_factory=set)  # failed attempts that no other follows
    dead_letters: set = dataclasses.field(default_factory=set)  # attempts
    sids: dict = dataclasses.field(default_factory=dict)  # SID -> attempt
    events: set = dataclasses.field(default_factory=set)  # ids of events and callbacks of an attempt
    unparsed: int = 0

    @classmethod
    def read(cls, bootstrap):
        records = cls()
        handlers = {**dict.fromkeys(DEAD, records._dead_letter), EVENTS: records._event, WEBHOOKS: records._webhook}
        for topic, headers, _, value in read_topics(bootstrap, [*LANES, *DEAD, EVENTS, WEBHOOKS]):
            handlers.get(topic, records._work)(value, headers)
        return records

    def _work(self, value, headers):
        if "accepts" in headers:
            self.accepted.add(api.message("records.v1.WorkRecord").FromString(value).attempt.alert_id)

    def _dead_letter(self, value, _):
        letter = api.message("records.v1.DeadLetterRecord").FromString(value)
        if letter.HasField("work"):
            self.dead_letters.add(attempt_of(letter.work.attempt))
        else:
            self.unparsed += 1

    def _event(self, value, _):
        event = api.message("records.v1.Event").FromString(value)
        fact = event.WhichOneof("fact")
        if fact in ("acknowledged", "cancel_requested", "declined", "goal_missed", "plan_exhausted"):
            self.events.add(event.event_id)
        if fact != "attempt_changed":
            return
        attempt, changed = attempt_of(event.attempt), event.attempt_changed
        status, resolved_by = api.ATTEMPT_STATUSES[changed.status], api.RESOLVED_BY[changed.resolved_by]
        self.attempts.add(attempt)
        self.events.add(event.event_id)
        if changed.provider_sid:
            self.sids[changed.provider_sid] = attempt
        if status == "SENDING":
            self.started.add(attempt)
        if status == "IN_DOUBT":
            _keep_first(self.in_doubt, attempt, event.time_us)
        if changed.resolved_by:
            self.resolved_by[attempt].add(resolved_by)
        if status == "FAILED":
            self.failed.add(attempt)
        if status in NOT_SENT:
            self.not_sent.add(attempt)
        if status in GIVEN_UP and changed.last:
            self.given_up.add(attempt)
        if resolved_by == "LIST_ABSENCE":
            self.not_received.add(attempt)
        if changed.next_attempt and resolved_by == "POLICY":
            self.resent.add(attempt)
        elif changed.next_attempt and changed.provider_sid:
            _keep_first(self.undelivered, attempt, event.time_us)

    def _webhook(self, value, _):
        webhook = api.message("records.v1.WebhookRecord").FromString(value)
        if webhook.HasField("attempt"):
            attempt = attempt_of(webhook.attempt)
            self.attempts.add(attempt)
            if webhook.status:  # without one, such as of a Gather without a key, it is no event
                self.events.add(webhook.webhook_id)
            self.sids[webhook.provider_sid] = attempt


@dataclasses.dataclass
class TwilioRecords:
    """What the simulator received and accepted."""

    posted: set  # attempts
    accepted: collections.Counter  # attempt -> accepted POSTs
    accepted_posts: list  # (us of UTC, attempt), in order of time
    sids: dict  # SID -> attempt
    without_final_callback: set  # alerts whose final status callback was not sent, or not acknowledged
    without_token: list  # numbers of POSTs without a token of Tocsin
    faults: collections.Counter

    @classmethod
    def read(cls, simulator):
        requests = simulator.requests() + simulator.call_requests()
        messages = simulator.messages() + simulator.every_call()
        posts = [(request, attempt_of_token(request["token"] or "")) for request in requests]
        accepted_posts = sorted((request["at_us"], attempt) for request, attempt in posts
                                if attempt and request["accepted"])
        sids = {message["sid"]: attempt_of_token(message["token"] or "") for message in messages}
        return cls(posted={attempt for _, attempt in posts if attempt},
                   accepted=collections.Counter(attempt for _, attempt in accepted_posts),
                   accepted_posts=accepted_posts,
                   sids=sids,
                   without_final_callback={sids[message["sid"]][0] for message in messages if sids[message["sid"]] and
                                           not FINAL_CALLBACKS & set(message["acknowledged"])},
                   without_token=[request["number"] for request, attempt in posts if not attempt],
                   faults=collections.Counter(str(request["fault"] or request["code"])
                                              for request in requests if request["fault"] or request["code"]))

    def longest_gap(self, begin_us, end_us):
        """The longest time without an accepted POST between two times, in seconds."""
        return longest_gap((at_us for at_us, _ in self.accepted_posts), begin_us, end_us) / 1e6


@dataclasses.dataclass
class DatabaseRows:
    """The content of PostgreSQL."""

    states: dict  # alert id -> name of the state
    final: set  # alert ids
    accepted: set  # alert ids whose acceptance is stored
    attempts: set
    in_doubt: set  # attempts that were ever in doubt
    sids: dict  # SID -> attempt
    events: set

    @classmethod
    def read(cls, connection):
        with connection.cursor() as cursor:
            cursor.execute("SELECT alert_id::text, state, end_time_us IS NOT NULL, create_time_us IS NOT NULL"
                           "  FROM tocsin.alerts")
            alerts = cursor.fetchall()
            cursor.execute("SELECT alert_id::text, step, attempt, provider_sid, was_in_doubt FROM tocsin.attempts")
            attempts = [(tuple(row[:3]), row[3], row[4]) for row in cursor]
            cursor.execute("SELECT event_id::text FROM tocsin.alert_events WHERE kind <> %s", (PRICED,))
            events = {row[0] for row in cursor}
        return cls(states={row[0]: api.STATES[row[1]] for row in alerts},
                   final={row[0] for row in alerts if row[2]}, accepted={row[0] for row in alerts if row[3]},
                   attempts={attempt for attempt, _, _ in attempts},
                   in_doubt={attempt for attempt, _, was_in_doubt in attempts if was_in_doubt},
                   sids={sid: attempt for attempt, sid, _ in attempts if sid}, events=events)


class Comparison:
    """The four sets of records. client: ids of the alerts that the client knows to be accepted; None: not recorded."""

    def __init__(self, client, kafka, twilio, database):
        self.client, self.kafka, self.twilio, self.database = client, kafka, twilio, database

    @classmethod
    def read(cls, env, client=None):
        connection = psycopg2.connect(env["TOCSIN_POSTGRES_URL"])
        try:
            return cls(client, KafkaRecords.read(env["TOCSIN_KAFKA_BOOTSTRAP"]),
                       TwilioRecords.read(stacks.Simulator(env["TOCSIN_TWILIO_BASE_URL"])),
                       DatabaseRows.read(connection))
        finally:
            connection.close()

    def differences(self):
        """Description of a difference -> the items concerned. Empty if the records are consistent."""
        found = self._of_alerts() | self._of_attempts() | self._of_posts() | self._of_sids()
        return {description: sorted(map(str, items)) for description, items in found.items() if items}

    def _of_alerts(self):
        kafka, database = self.kafka, self.database
        client = kafka.accepted if self.client is None else self.client
        not_final = database.accepted - database.final
        return {
            "accepted by the client's records, not in a lane": client - kafka.accepted,
            "in a lane, not in the client's records": kafka.accepted - client,
            "in a lane, not in PostgreSQL": kafka.accepted - database.accepted,
            "in PostgreSQL, not in a lane": set(database.states) - kafka.accepted,
            "not in a final state": {alert for alert in not_final if database.states[alert] != "SENT"
                                     or alert not in self.twilio.without_final_callback},
        }

    def _of_attempts(self):
        kafka, database = self.kafka, self.database
        return {
            "attempts on topics, not in PostgreSQL": kafka.attempts - database.attempts,
            "attempts in PostgreSQL, not on topics": database.attempts - kafka.attempts,
            "events on topics, not in PostgreSQL": kafka.events - database.events,
            "events in PostgreSQL, not on topics": database.events - kafka.events,
            "in doubt on topics or in PostgreSQL, not in both": set(kafka.in_doubt) ^ database.in_doubt,
            "given up without a dead letter, or the reverse": kafka.given_up ^ kafka.dead_letters,
            "records that could not be parsed": range(kafka.unparsed),
        }

    def _of_posts(self):
        kafka, twilio = self.kafka, self.twilio
        per_target = collections.defaultdict(set)  # (alert, step) -> attempts; an alert without a plan has one step
        for attempt in twilio.accepted:
            per_target[attempt[:2]].add(attempt)
        followed = kafka.resent | set(kafka.undelivered)
        return {
            "POSTs without a token": twilio.without_token,
            "POSTs of attempts without a recorded start": twilio.posted - kafka.started,
            "attempts started, but neither POSTed nor ended nor in doubt":
                kafka.started - twilio.posted - kafka.failed - kafka.not_sent - set(kafka.in_doubt),
            # An emergency that the log has started may be recorded as both. Then the acceptance counts.
            "attempts POSTed and accepted, but recorded as not sent":
                set(twilio.accepted) & kafka.not_sent - set(kafka.sids.values()),
            "attempts accepted more than once": {attempt for attempt, count in twilio.accepted.items() if count > 1},
            "alerts accepted more than once without a recorded resend or repetition":
                {target[0] for target, attempts in per_target.items() if set(sorted(attempts)[:-1]) - followed},
            "accepted again before the earlier attempt was recorded as in doubt or as not delivered":
                self.unrecorded_repeats(),
            "accepted by Twilio, but sent again as never received": set(twilio.accepted) & kafka.not_received,
            "attempts in doubt that were not resolved": set(kafka.in_doubt) - set(kafka.resolved_by),
        }

    def _of_sids(self):
        twilio, database = self.twilio, self.database
        return {
            "SIDs that Twilio did not assign": (set(database.sids) | set(self.kafka.sids)) - set(twilio.sids),
            "SIDs on topics and in PostgreSQL differ": set(self.kafka.sids.items()) ^ set(database.sids.items()),
            "SIDs with another attempt than at Twilio":
                {sid for sid, attempt in database.sids.items() if twilio.sids.get(sid, attempt) != attempt},
            "accepted by Twilio, but neither the SID is known nor the attempt in doubt":
                {sid for sid, attempt in twilio.sids.items()
                 if sid not in database.sids and attempt not in database.in_doubt},
        }

    def repeats(self):
        """Accepted POSTs of a target after its first: (us of UTC, attempt)."""
        seen, found = set(), []
        for post in self.twilio.accepted_posts:
            if post[1][:2] in seen:
                found.append(post)
            seen.add(post[1][:2])
        return found

    def unrecorded_repeats(self):
        """Repeats before which no other attempt of the target was recorded as in doubt or as not delivered."""
        recorded = collections.defaultdict(list)  # (alert, step) -> (attempt, us of UTC)
        for attempt, time_us in itertools.chain(self.kafka.in_doubt.items(), self.kafka.undelivered.items()):
            recorded[attempt[:2]].append((attempt, time_us))
        return [(at_us, attempt) for at_us, attempt in self.repeats()
                if not any(other != attempt and time_us <= at_us for other, time_us in recorded[attempt[:2]])]

    def without_final_callback(self):
        """Alerts that stay SENT because Twilio's final callback did not arrive."""
        return (self.database.accepted - self.database.final) & self.twilio.without_final_callback

    def still_in_doubt(self):
        """Attempts of which it is not known whether Twilio accepted them."""
        known = set(self.database.sids.values())
        return {attempt for attempt in self.database.in_doubt if attempt not in known}

    def report(self):
        kafka, twilio, database = self.kafka, self.twilio, self.database
        resolved = collections.Counter(name for attempt, names in kafka.resolved_by.items()
                                       if attempt in kafka.in_doubt for name in names)
        still = self.still_in_doubt()
        lines = [
            f"alerts    client {'-' if self.client is None else len(self.client)}, "
            f"lanes {len(kafka.accepted)}, PostgreSQL {len(database.accepted)}",
            f"states    {_counts(collections.Counter(database.states.values()))}",
            f"attempts  topics {len(kafka.attempts)}, PostgreSQL {len(database.attempts)}, "
            f"started {len(kafka.started)}, POSTed {len(twilio.posted)}, dead letters {len(kafka.dead_letters)}",
            f"SIDs      Twilio {len(twilio.sids)}, topics {len(kafka.sids)}, PostgreSQL {len(database.sids)}",
            f"events    topics {len(kafka.events)}, PostgreSQL {len(database.events)}",
            f"faults    {_counts(twilio.faults)}",
            f"accepted POSTs beyond one per attempt: {sum(count - 1 for count in twilio.accepted.values())}",
            f"accepted POSTs beyond one per target: {len(self.repeats())}, "
            f"without an earlier attempt in doubt or not delivered: {len(self.unrecorded_repeats())}",
            f"alerts that stay SENT without a final callback: {len(self.without_final_callback())}",
            f"attempts in doubt, resolved by: {_counts(resolved)}",
            f"attempts ever in doubt: {len(database.in_doubt)}, still in doubt: {len(still)}",
            *(f"  {'accepted' if twilio.accepted[attempt] else 'not accepted'} {'/'.join(map(str, attempt))}"
              for attempt in sorted(still)),
        ]
        differences = self.differences()
        for description, items in differences.items():
            lines += [f"DIFFERENCE {description}: {len(items)}", *(f"  {item}" for item in items[:SHOWN])]
        return "\n".join([*lines, "not consistent" if differences else "consistent"])


def _counts(counter):
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "none"


def _ends(consumer, topics):
    """The end offset of each partition that ever had a record."""
    known = consumer.list_topics(timeout=KAFKA_SECONDS).topics
    parts = [confluent_kafka.TopicPartition(topic, number)
             for topic in topics if topic in known for number in known[topic].partitions]
    ends = {(part.topic, part.partition): consumer.get_watermark_offsets(part, timeout=KAFKA_SECONDS)[1]
            for part in parts}
    return {part: end for part, end in ends.items() if end > 0}


def _behind(name, positions, ends):
    """Descriptions of the partitions of which a reader has not processed everything."""
    return [f"{name} is at {positions.get(part, 0)} of {end} in {part[0]}/{part[1]}"
            for part, end in ends.items() if positions.get(part, 0) < end]


def _uncommitted(bootstrap):
    """Descriptions of the records that the workers have not committed."""
    found = []
    for group, topics in GROUPS.items():
        consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group})  # does not join it
        try:
            ends = _ends(consumer, topics)
            partitions = [confluent_kafka.TopicPartition(*part) for part in ends]
            committed = consumer.committed(partitions, timeout=KAFKA_SECONDS) if partitions else []
            found += _behind(group, {(part.topic, part.partition): part.offset for part in committed}, ends)
        finally:
            consumer.close()
    return found


def _unprojected(bootstrap, cursor):
    """Descriptions of the records that audit has not stored."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "tocsin-tests"})
    try:
        ends = _ends(consumer, PROJECTED)
    finally:
        consumer.close()
    cursor.execute("SELECT topic, partition, next_offset FROM tocsin.positions")
    return _behind("audit", {(topic, partition): offset for topic, partition, offset in cursor}, ends)


def unfinished(stack):
    """Descriptions of what is left to do. Empty if every record is processed, and every alert is final, or SENT with no
    callback to come."""
    bootstrap = stack.env["TOCSIN_KAFKA_BOOTSTRAP"]
    connection = stack.database()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT alert_id::text, state FROM tocsin.alerts WHERE end_time_us IS NULL")
            not_final = {alert: api.STATES[state] for alert, state in cursor}
            open_alerts = {alert for alert, state in not_final.items() if state != "SENT"}
            callbacks = stack.simulator().health()["callbacks_waiting"]
            if open_alerts or callbacks:
                return [f"{len(open_alerts)} alerts are not final, the simulator has {callbacks} callbacks"]
            if found := _uncommitted(bootstrap) + _unprojected(bootstrap, cursor):
                return found
            sent = set(not_final)
            if sent and not sent <= TwilioRecords.read(stack.simulator()).without_final_callback:
                return [f"{len(sent)} alerts are SENT, and not all of them lack a callback"]
            return []
    finally:
        connection.close()


def is_quiescent(stack):
    """Whether nothing is left to do."""
    return not unfinished(stack)


def is_final(stack):
    """Whether every alert is final and nothing is left to do."""
    with contextlib.closing(stack.database()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tocsin.alerts WHERE end_time_us IS NULL")
        all_final = cursor.fetchone()[0] == 0
    return all_final and is_quiescent(stack)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", required=True, type=pathlib.Path, help="state folder of the stack")
    parser.add_argument("--client", type=pathlib.Path, help="file of the alert ids that the client received")
    arguments = parser.parse_args()
    client = set(arguments.client.read_text().split()) if arguments.client else None
    comparison = Comparison.read(stacks.read_env(arguments.state), client)
    print(comparison.report())
    return 1 if comparison.differences() else 0


if __name__ == "__main__":
    sys.exit(main())
