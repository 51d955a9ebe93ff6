"""Opens many streams of WatchAlert on alerts that are sent a little later, and prints what they cost.

    python tests/load/watchers.py [COUNT]

Needs the env file of a running stack (source STATE/env) and the packages of the system tests. Prints the memory and the
threads of tocsin-audit before, with all streams open, and after; and how long after a change its watcher was told, this
program's own work included.
"""

import asyncio
import os
import pathlib
import sys
import time

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
import api  # noqa: E402

CONNECTIONS = 10
LEAD_SECONDS = 15  # for the streams to be opened
PER_SECOND = 50  # alerts that fall due
LIMIT_SECONDS = 300
BATCH = 1000


def audit():
    """VmRSS in MB and threads of the first replica."""
    pid = (pathlib.Path(os.environ["TOCSIN_REGISTRY_FILE"]).parent / "run/audit-1.pid").read_text().strip()
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024, int(lines["Threads"])


def show(when):
    memory, threads = audit()
    print(f"{when}: {memory:.1f} MB, {threads} threads", flush=True)


async def watch(channel, metadata, accepted, opened, late):
    stub = channel.unary_stream("/tocsin.v1.StatusService/WatchAlert",
                                request_serializer=lambda message: message.SerializeToString(),
                                response_deserializer=api.message("WatchAlertResponse").FromString)
    asked = api.message("WatchAlertRequest")(alert_id=accepted.alert_id, min_position=accepted.position)
    first = True
    async for answer in stub(asked, metadata=metadata, timeout=LIMIT_SECONDS):
        if first:
            opened.append(accepted.alert_id)
            first = False
            continue
        late.append(time.time() - answer.alert.update_time.ToMicroseconds() / 1e6)


def send(client, count):
    begin = time.time() + LEAD_SECONDS
    requests = [api.request(f"+1514556{number:04d}", send_at=api.timestamp(begin + number / PER_SECOND))
                for number in range(count)]
    return [result.accepted for at in range(0, count, BATCH) for result in client.batch(requests[at:at + BATCH]).results]


async def main(count):
    key = pathlib.Path(os.environ["TOCSIN_API_KEY_FILE"]).read_text()
    client = api.Client(os.environ["TOCSIN_INGRESS_GRPC"], os.environ["TOCSIN_AUDIT_GRPC"], key)
    show("before")
    alerts = send(client, count)
    channels = [grpc.aio.insecure_channel(os.environ["TOCSIN_AUDIT_GRPC"], [("grpc.use_local_subchannel_pool", 1)])
                for _ in range(CONNECTIONS)]
    opened, late = [], []
    tasks = [asyncio.create_task(watch(channels[number % CONNECTIONS], client.metadata, accepted, opened, late))
             for number, accepted in enumerate(alerts)]
    while len(opened) < count and not any(task.done() for task in tasks):
        await asyncio.sleep(0.05)
    show(f"{len(opened)} watch")
    await asyncio.gather(*tasks)
    show("after")
    late.sort()
    quantile = {share: late[min(int(len(late) * share), len(late) - 1)] * 1e3 for share in (0.5, 0.9, 0.99)}
    print(f"{len(late)} changes told, ms behind the change: " +
          ", ".join(f"p{share * 100:.0f} {value:.0f}" for share, value in quantile.items()))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
