#!/usr/bin/python3
"""Measures what one alert needs: bytes in Kafka, Redis and PostgreSQL, and CPU time. docs/capacity.md uses the figures.

    build/venv/bin/python tests/load/capacity.py [ALERTS] [--channel VOICE]

Starts a stack of its own, sends ALERTS (default 5 000) with idempotency keys and waits until all are final. Bytes do
not depend on the machine, CPU times do.
"""

import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import interpreter  # first: it checks that the modules below exist
import redis

import api
import consistency_check
import poll
import stack as stacks

TEXT = "Code blue in ward 4, bed 12. Reply by phone to extension 2201."  # one segment
LABELS = {"ward": "4"}
FINAL_SECONDS = 600
PROCESSES = [f"{name}-1" for name in ("ingress", "sms-worker", "voice-worker", "audit", "kafka", "redis")]


def cpu_seconds(stack, process):
    fields = pathlib.Path(f"/proc/{stack.pid(process)}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def topic_bytes(stack):
    """Topic -> bytes in its segments, as they are compressed by the producers."""
    found = {}
    for path in (stack.state / "kafka").resolve().glob("**/tocsin.*/*.log"):
        topic = path.parent.name.rsplit("-", 1)[0]
        found[topic] = found.get(topic, 0) + path.stat().st_size
    return found


def scalar(stack, query):
    connection = stack.database()
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]
    finally:
        connection.close()


def values(stack):
    store = redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"])
    info = store.info()
    size = ("SELECT coalesce(sum({}(oid)), 0)::bigint FROM pg_class WHERE relkind IN ('r', 'm')"
            " AND relnamespace = 'tocsin'::regnamespace")
    return ({f"Kafka: {topic}": size for topic, size in topic_bytes(stack).items()} |
            {"Redis: memory": info["used_memory"], "Redis: network in": info["total_net_input_bytes"],
             "Redis: network out": info["total_net_output_bytes"],
             "PostgreSQL: tables": scalar(stack, size.format("pg_table_size")),
             "PostgreSQL: indexes": scalar(stack, size.format("pg_indexes_size")),
             "PostgreSQL: WAL": int(scalar(stack, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"))} |
            {f"CPU, us: {process}": round(cpu_seconds(stack, process) * 1e6) for process in PROCESSES})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("alerts", nargs="?", type=int, default=5_000)
    parser.add_argument("--channel", choices=("SMS", "VOICE"), default="SMS")
    arguments = parser.parse_args()
    with stacks.Stack() as stack:
        stack.change_registry(lambda text: text.replace("calls_per_second: 1000", "calls_per_second: 100000"))
        stack.simulator().phones({"*": {"answer": "human", "keys": ["1"]}})
        client = stack.client()
        first = client.send("+15145550100")  # what is created once
        client.until_state(first)
        before = values(stack)
        requests = [api.request(f"+1604{2_000_000 + number}", TEXT, channel=arguments.channel, labels=LABELS,
                                idempotency_key=f"capacity-{number}") for number in range(arguments.alerts)]
        api.enqueue_all(client, requests)
        poll.until("every alert is final", lambda: consistency_check.is_quiescent(stack), FINAL_SECONDS)
        after = values(stack)
        client.close()
    for name in sorted(after):
        if each := (after[name] - before.get(name, 0)) / arguments.alerts:
            print(f"{name:32} {each:10.1f}")


if __name__ == "__main__":
    main()
