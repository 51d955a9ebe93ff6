#!/usr/bin/python3
"""How long an alert takes from its answer to Twilio's door: handover.py ANSWERS MESSAGES.

ANSWERS has lines `number microseconds`, as tocsin-load writes them; MESSAGES is the simulator's book.
Prints p50 and p99. The answer itself takes its way back to the caller, so a hand-over may seem to come
before it.
"""

import json
import sys


def main() -> None:
    with open(sys.argv[1], encoding="ascii") as answers:
        answered = {"load " + number: int(time) for number, time in map(str.split, answers)}
    with open(sys.argv[2], encoding="utf-8") as book:
        messages = [json.loads(line) for line in book]
    waits = sorted((m["created_us"] - answered[m["body"]]) / 1000 for m in messages if m["body"] in answered)
    if not waits:
        sys.exit("no message was found again")
    p50, p99 = (waits[int((len(waits) - 1) * share)] for share in (0.5, 0.99))
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms ({len(waits)} alerts)")


if __name__ == "__main__":
    main()
