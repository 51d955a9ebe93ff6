"""Opens many WatchAlert streams on alerts that are sent later, and prints what they cost.

    python tests/load/watchers.py [COUNT]

Needs the env file of a running stack (source STATE/env) and the packages of the system tests. Prints memory and threads
of tocsin-audit before, with all streams open, and after; and the delay from a change to its response, including the
work of this program.
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
LEAD_SECONDS = 15  # to open the streams
PER_SECOND = 50  # alerts that become due
TIMEOUT_SECONDS = 300
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


async def watch(channel, metadata, accepted, opened, delays):
    stub = channel.unary_stream("/tocsin.v1.StatusService/WatchAlert",
                                request_serializer=lambda message: message.SerializeToString(),
                                response_deserializer=api.message("WatchAlertResponse").FromString)
    request = api.message("WatchAlertRequest")(alerts=[api.message("AlertCursor")(
        alert_id=accepted.alert_id, consistency_token=accepted.consistency_token)])
    first = True
    async for response in stub(request, metadata=metadata, timeout=TIMEOUT_SECONDS):
        if first:
            opened.append(accepted.alert_id)
            first = False
            continue
        delays.append(time.time() - response.alert.update_time.ToMicroseconds() / 1e6)


def send(client, count):
    start = time.time() + LEAD_SECONDS
    requests = [api.request(f"+1514556{number:04d}", send_time=api.timestamp(start + number / PER_SECOND))
                for number in range(count)]
    return [result.accepted for at in range(0, count, BATCH) for result in client.batch(requests[at:at + BATCH]).results]


async def main(count):
    key = pathlib.Path(os.environ["TOCSIN_API_KEY_FILE"]).read_text()
    client = api.Client(os.environ["TOCSIN_INGRESS_GRPC"], os.environ["TOCSIN_AUDIT_GRPC"], key)
    show("before")
    alerts = send(client, count)
    channels = [grpc.aio.insecure_channel(os.environ["TOCSIN_AUDIT_GRPC"], [("grpc.use_local_subchannel_pool", 1)])
                for _ in range(CONNECTIONS)]
    opened, delays = [], []
    tasks = [asyncio.create_task(watch(channels[number % CONNECTIONS], client.metadata, accepted, opened, delays))
             for number, accepted in enumerate(alerts)]
    while len(opened) < count and not any(task.done() for task in tasks):
        await asyncio.sleep(0.05)
    show(f"{len(opened)} streams")
    await asyncio.gather(*tasks)
    show("after")
    delays.sort()
    quantile = {share: delays[min(int(len(delays) * share), len(delays) - 1)] * 1e3 for share in (0.5, 0.9, 0.99)}
    print(f"{len(delays)} changes, delay in ms: " +
          ", ".join(f"p{share * 100:.0f} {value:.0f}" for share, value in quantile.items()))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
