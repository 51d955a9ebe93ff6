"""CPU time, memory, context switches and futex calls of processes."""

import os
import pathlib
import shutil
import subprocess

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
FUTEX_EVENT = "syscalls:sys_enter_futex"


def _stat(pid):
    """The fields of /proc/PID/stat after the name: state, parent, ...; None if the process has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu_us(pid):
    """CPU time of all threads; 0 if the process has ended."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) * TICK_US if fields else 0


def cpu_us_with_children(pid):
    """Also of its children, those that have ended included: PostgreSQL has a process per connection."""
    fields = _stat(pid)
    if not fields:
        return 0
    ended = (int(fields[13]) + int(fields[14])) * TICK_US
    pids = (int(path.name) for path in pathlib.Path("/proc").iterdir() if path.name.isdigit())
    children = [child for child in pids if (stat := _stat(child)) and int(stat[1]) == pid]
    return cpu_us(pid) + ended + sum(map(cpu_us, children))


def _status_number(path, name):
    for line in path.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def rss_mb(pid):
    """Resident memory (VmRSS) and its private part (RssAnon)."""
    path = pathlib.Path(f"/proc/{pid}/status")
    return _status_number(path, "VmRSS") / 1024, _status_number(path, "RssAnon") / 1024


def voluntary_switches(pid):
    """Of the threads that live now."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += _status_number(task / "status", "voluntary_ctxt_switches")
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread has just ended
    return total


def futex_calls(pid, seconds):
    """Calls in the next `seconds`, counted by perf, else by strace, which slows the process; None without either."""
    if shutil.which("perf"):
        result = subprocess.run(["perf", "stat", "-x,", "-e", FUTEX_EVENT, "-p", str(pid), "--", "sleep", str(seconds)],
                                capture_output=True, text=True, check=False)
        first = result.stderr.strip().splitlines()[-1:] or [""]
        if first[0].split(",")[0].isdigit():
            return int(first[0].split(",")[0])
    if not shutil.which("strace"):
        return None
    result = subprocess.run(["timeout", "-s", "INT", str(seconds), "strace", "-c", "-f", "-e", "trace=futex", "-U",
                             "name,calls", "-p", str(pid)], capture_output=True, text=True, check=False)
    calls = [line.split()[1] for line in result.stderr.splitlines() if line.startswith("futex ")]
    return int(calls[0]) if calls else None
