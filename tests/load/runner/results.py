"""What the rows have measured, and the table."""

import dataclasses
import statistics

ORDER = ("ingress", "sms-worker", "voice-worker", "audit", "peer", "client", "broker", "redis", "postgres", "simulator",
         "TLS terminator")


@dataclasses.dataclass
class Measurement:
    """One round of one side. Times in milliseconds; cpu: microseconds per item, by process."""

    per_second: float | None = None
    unit: str = "/s"
    p50_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    cpu: dict[str, float] = dataclasses.field(default_factory=dict)
    failed: int = 0
    error: str = ""
    notes: dict[str, float] = dataclasses.field(default_factory=dict)  # text with {} for the figure -> figure


@dataclasses.dataclass
class Row:
    """A line of the table. `limit` is a text, or a function from all results to a text."""

    name: str
    title: str
    command: str
    limit: object
    run: object
    brokers: int = 1
    own_stack: bool = False  # without the records of other rows


def _median(measurements, value):
    values = [number for number in map(value, measurements) if number is not None]
    return statistics.median(values) if values else None


def median_of(measurements):
    """One measurement with the median of each figure."""
    median = Measurement(unit=measurements[0].unit)
    for name in ("per_second", "p50_ms", "p99_ms", "p999_ms"):
        setattr(median, name, _median(measurements, lambda m, name=name: getattr(m, name)))
    for field in ("cpu", "notes"):
        names = dict.fromkeys(name for m in measurements for name in getattr(m, field))
        setattr(median, field, {name: _median(measurements, lambda m, name=name: getattr(m, field).get(name))
                                for name in names})
    median.failed = sum(m.failed for m in measurements)
    median.error = next((m.error for m in measurements if m.error), "")
    return median


def number(value):
    """10 241, 104, 4.8, 0.47"""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def figures(m):
    parts = [] if m.per_second is None else [number(m.per_second) + m.unit]
    times = [f"{name} {number(value)}" for name, value in
             (("p50", m.p50_ms), ("p99", m.p99_ms), ("p99.9", m.p999_ms)) if value is not None]
    parts += [", ".join(times) + " ms"] if times else []
    parts += [text.format(number(value)) for text, value in m.notes.items()]
    parts += [f"{m.failed} FAILED: {m.error}"] if m.failed else []
    return ", ".join(parts) or "-"


def cpu(m):
    parts = [f"{name} {m.cpu[name]:.0f}" for name in ORDER if m.cpu.get(name, 0) >= 1]
    return ", ".join(parts) or "-"


def ratio(tocsin, peer):
    """Tocsin's figure divided by the peer's: of the rates if they were measured, else of times and notes."""
    if tocsin.per_second and peer.per_second and tocsin.p999_ms is None:
        return f"{tocsin.per_second / peer.per_second:.2f}"
    pairs = [("p50 {}", tocsin.p50_ms, peer.p50_ms), ("p99 {}", tocsin.p99_ms, peer.p99_ms)]
    pairs += [(text, value, peer.notes.get(text)) for text, value in tocsin.notes.items()]
    # A POST may be earlier than the response is received, so a time can be negative.
    return ", ".join(text.format(f"{mine / other:.2f}") for text, mine, other in pairs
                     if mine is not None and other is not None and mine > 0 and other > 0) or "-"


def table(rows, results, with_peers):
    """Lines of Markdown. results: row name -> side -> measurements."""
    medians = {name: {side: median_of(rounds) for side, rounds in sides.items()} for name, sides in results.items()}
    heads = ["work", "Tocsin", *(["Go peer", "ratio"] if with_peers else []), "limit", "CPU per item, us",
             *(["CPU per item of the peer, us"] if with_peers else []), "command"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        sides = medians.get(row.name, {})
        tocsin, peer = sides.get("tocsin"), sides.get("peer")
        if tocsin is None:
            continue
        cells = [row.title, figures(tocsin)]
        if with_peers:
            cells += [figures(peer) if peer else "-", ratio(tocsin, peer) if peer else "-"]
        cells += [row.limit(medians) if callable(row.limit) else row.limit, cpu(tocsin)]
        if with_peers:
            cells += [cpu(peer) if peer else "-"]
        lines.append("| " + " | ".join([*cells, f"`{row.command}`"]) + " |")
    return lines
