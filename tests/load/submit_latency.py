#!/usr/bin/python3
"""Time from the response of Enqueue to the message at Twilio: submit_latency.py RESPONSES MESSAGES.

RESPONSES has lines `number microseconds`, as tocsin-load writes them; MESSAGES are the simulator's messages. Prints p50
and p99. The response travels back to the client meanwhile, so a message may seem to be created before it.
"""

import json
import sys


def main() -> None:
    with open(sys.argv[1], encoding="ascii") as lines:
        responses = {"load " + number: int(time) for number, time in map(str.split, lines)}
    with open(sys.argv[2], encoding="utf-8") as lines:
        messages = [json.loads(line) for line in lines]
    delays = sorted((m["created_us"] - responses[m["body"]]) / 1000 for m in messages if m["body"] in responses)
    if not delays:
        sys.exit("no message matches a response")
    p50, p99 = (delays[int((len(delays) - 1) * share)] for share in (0.5, 0.99))
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms ({len(delays)} alerts)")


if __name__ == "__main__":
    main()
