# shellcheck shell=bash disable=SC2034  # some variables are used only by the scripts that source this
# Shared by all scripts: folders, messages, waiting, background processes. Sourced after `set -euo pipefail`; has no
# side effects of its own.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
STATE=$(realpath -m -- "${TOCSIN_STATE_DIR:-$ROOT/.tocsin}")
BIN=${TOCSIN_BIN_DIR:-$ROOT/build/release/bin}
CACHE=${TOCSIN_CACHE_DIR:-${HOME:-/var/tmp}/.cache/tocsin}

# Exit codes of the scripts; 1 is any other failure.
readonly EXIT_USAGE=2 EXIT_MISSING=3

# Kafka's recovery after a crash determines the limit for stores. A service drains for at most 25 s.
readonly STORE_READY_SECONDS=120 SERVICE_READY_SECONDS=90 KEYS_READY_SECONDS=60 STOP_SECONDS=30
readonly LOG_TAIL_LINES=25

say() { printf '%s\n' "$@"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  warn "$1"
  exit "${2:-1}"
}

# Prints the comment at the head of the script, which is its usage text.
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }

# option_value OPTION VALUE: fails without a value.
option_value() { [[ $# -ge 2 && -n $2 ]] || die "$1 needs a value; see --help" "$EXIT_USAGE"; }

# random_hex BYTES: from the kernel's generator.
random_hex() { od -An -vtx1 -N"$1" /dev/urandom | tr -d ' \n'; }

# wait_until SECONDS COMMAND...: polls until the command succeeds. Fails after SECONDS, or at once when the
# command exits with 2 (waiting is useless).
wait_until() {
  local deadline=$((SECONDS + $1)) code
  shift
  while true; do
    code=0
    "$@" || code=$?
    [[ $code -ne 0 ]] || return 0
    [[ $code -ne 2 && $SECONDS -lt $deadline ]] || return 1
    sleep 0.1
  done
}

# port_in_use PORT: whether a process listens on it on loopback.
port_in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# One scripts/up or scripts/down at a time per state folder. Background processes close the descriptor of the
# lock, and that of the reserved port range (7), or they would keep both (launch).
lock_state() {
  exec 9>"$STATE/lock"
  flock -w 600 9 || die "another scripts/up or scripts/down is running in $STATE"
}

# --- Background processes -----------------------------------------------------------------------------
# run/NAME-I.pid has the process id, run/NAME-I.started the start time of that process: after a reboot another
# process may have the same id.

# start_time PID: in clock ticks since boot; fails for a process that has ended or is a zombie.
start_time() {
  local stat
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086  # the line is split into fields on purpose
  set -- $stat
  [[ $1 != Z && $1 != X ]] || return 1
  printf '%s\n' "${20}"
}

# pid_of NAME-I: prints the id of the running process; fails if there is none.
pid_of() {
  local pid at
  read -r pid 2>/dev/null <"$STATE/run/$1.pid" && read -r at 2>/dev/null <"$STATE/run/$1.started" || return 1
  [[ $(start_time "$pid") == "$at" ]] || return 1
  printf '%s' "$pid"
}

running() { pid_of "$1" >/dev/null 2>&1; }

# launch NAME-I COMMAND...: starts it in a new session, so that it outlives this terminal.
launch() {
  local name=$1 pid
  shift
  setsid -- "$@" </dev/null >>"$STATE/log/$name.log" 2>&1 7<&- 9>&- &
  pid=$!
  start_time "$pid" >"$STATE/run/$name.started" || true
  printf '%s\n' "$pid" >"$STATE/run/$name.pid"
}

# ready_or_ended NAME-I COMMAND...: for wait_until; exits with 2 if the process has ended.
ready_or_ended() {
  local name=$1
  shift
  running "$name" || return 2
  "$@" >/dev/null 2>&1 || return 1
}

# await_ready NAME-I SECONDS COMMAND...: shows the end of the log on failure.
await_ready() {
  local name=$1 seconds=$2 problem="was not ready after $2 s"
  shift 2
  ! wait_until "$seconds" ready_or_ended "$name" "$@" || return 0
  running "$name" || problem="ended during the start"
  warn "$name $problem; the end of $STATE/log/$name.log:"
  tail -n "$LOG_TAIL_LINES" "$STATE/log/$name.log" >&2 || true
  return 1
}

# stop_signal NAME-I: on SIGTERM PostgreSQL would wait for all clients; SIGINT is its fast shutdown.
stop_signal() { [[ $1 == postgres-* ]] && printf INT || printf TERM; }

stopped() { ! running "$1"; }

# send_signal SIGNAL NAME-I: does nothing if the process has ended.
send_signal() {
  local pid
  if pid=$(pid_of "$2"); then kill -s "$1" "$pid" 2>/dev/null || true; fi
}

# stop NAME-I...: stops them in parallel, each within a time limit. They need not be running.
stop() {
  local name
  for name in "$@"; do
    send_signal "$(stop_signal "$name")" "$name"
  done
  for name in "$@"; do
    if ! wait_until "$STOP_SECONDS" stopped "$name"; then
      warn "$name did not stop within $STOP_SECONDS s and is killed"
      send_signal KILL "$name"
      wait_until 5 stopped "$name" || warn "$name did not end after SIGKILL"
    fi
    rm -f "$STATE/run/$name.pid" "$STATE/run/$name.started"
  done
}

# names_of NAME: each NAME-I with a pid file, running or not, in order of I.
names_of() {
  local file
  for file in "$STATE/run/$1"-*.pid; do
    if [[ -e $file && ${file##*"/$1-"} =~ ^[0-9]+\.pid$ ]]; then basename "$file" .pid; fi
  done | sort -V
}
