# shellcheck shell=bash disable=SC2034  # what is unused here is used by the scripts that source this
# What every script shares: folders, words to the user, waiting, and the keeping of background processes.
# Sourced by the scripts after `set -euo pipefail`; it starts nothing by itself.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
STATE=$(realpath -m -- "${TOCSIN_STATE_DIR:-$ROOT/.tocsin}")
BIN=${TOCSIN_BIN_DIR:-$ROOT/build/release/bin}
CACHE=${TOCSIN_CACHE_DIR:-${HOME:-/var/tmp}/.cache/tocsin}

# Exit codes of the scripts; 1 is any other failure.
readonly EXIT_USAGE=2 EXIT_MISSING=3

# The store's start is bounded by Kafka's recovery after a crash; a service drains for 25 s at most.
readonly STORE_READY_SECONDS=120 SERVICE_READY_SECONDS=90 STOP_SECONDS=30
readonly LOG_TAIL_LINES=25

say() { printf '%s\n' "$@"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  warn "$1"
  exit "${2:-1}"
}

# Prints the comment block at the head of a script: its usage text lives where its reader looks first.
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }

# The argument of an option, refused when it is absent.
option_value() { [[ $# -ge 2 && -n $2 ]] || die "$1 needs a value; see --help" "$EXIT_USAGE"; }

# random_hex BYTES: from the kernel's generator.
random_hex() { od -An -vtx1 -N"$1" /dev/urandom | tr -d ' \n'; }

# wait_until SECONDS COMMAND...: polls, because the things waited for announce themselves in no better
# way. Fails when the time is up, or at once when the command answers 2 (it will never come).
wait_until() {
  local deadline=$((SECONDS + $1)) answer
  shift
  while true; do
    answer=0
    "$@" || answer=$?
    [[ $answer -ne 0 ]] || return 0
    [[ $answer -ne 2 && $SECONDS -lt $deadline ]] || return 1
    sleep 0.1
  done
}

# port_taken PORT: whether somebody listens there on loopback.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# One up or down at a time in a state folder. The descriptor, as the one of a claimed range of ports (7),
# is closed in every child that stays (launch), or the lock would live as long as the stack.
lock_state() {
  exec 9>"$STATE/lock"
  flock -w 600 9 || die "another scripts/up or scripts/down still works in $STATE"
}

# --- Background processes -----------------------------------------------------------------------------
# run/NAME-I.pid holds the process id. run/NAME-I.born holds the kernel's start time of that process, so
# that a number used again after a reboot is never taken for ours.

# born PID: start time in clock ticks since boot; nothing for a process that is gone or only a zombie
# (where nobody reaps, a dead process keeps its number).
born() {
  local stat
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086  # the line is split into fields on purpose
  set -- $stat
  [[ $1 != Z && $1 != X ]] || return 1
  printf '%s\n' "${20}"
}

# pid_of NAME-I: prints the id of the running process, fails if there is none.
pid_of() {
  local pid at
  read -r pid 2>/dev/null <"$STATE/run/$1.pid" && read -r at 2>/dev/null <"$STATE/run/$1.born" || return 1
  [[ $(born "$pid") == "$at" ]] || return 1
  printf '%s' "$pid"
}

running() { pid_of "$1" >/dev/null 2>&1; }

# launch NAME-I COMMAND...: starts it in a session of its own, so that it outlives this terminal.
launch() {
  local name=$1 pid
  shift
  setsid -- "$@" </dev/null >>"$STATE/log/$name.log" 2>&1 7<&- 9>&- &
  pid=$!
  born "$pid" >"$STATE/run/$name.born" || true
  printf '%s\n' "$pid" >"$STATE/run/$name.pid"
}

# ready_or_gone NAME-I COMMAND...: for wait_until; a process that ended will never be ready.
ready_or_gone() {
  local name=$1
  shift
  running "$name" || return 2
  "$@" >/dev/null 2>&1 || return 1
}

# await_ready NAME-I SECONDS COMMAND...: shows the end of the log when it does not get ready.
await_ready() {
  local name=$1 seconds=$2 why="was not ready after $2 s"
  shift 2
  ! wait_until "$seconds" ready_or_gone "$name" "$@" || return 0
  running "$name" || why="ended while starting"
  warn "$name $why; the end of $STATE/log/$name.log:"
  tail -n "$LOG_TAIL_LINES" "$STATE/log/$name.log" >&2 || true
  return 1
}

# stop_signal NAME-I: PostgreSQL's SIGTERM waits for its clients for ever, its SIGINT is the orderly stop.
stop_signal() { [[ $1 == postgres-* ]] && printf INT || printf TERM; }

stopped() { ! running "$1"; }

# send_signal SIGNAL NAME-I: nothing happens when it is gone already.
send_signal() {
  local pid
  if pid=$(pid_of "$2"); then kill -s "$1" "$pid" 2>/dev/null || true; fi
}

# stop NAME-I...: all of them at once, each bounded; may be called for what does not run.
stop() {
  local name
  for name in "$@"; do
    send_signal "$(stop_signal "$name")" "$name"
  done
  for name in "$@"; do
    if ! wait_until "$STOP_SECONDS" stopped "$name"; then
      warn "$name did not stop within $STOP_SECONDS s and is killed"
      send_signal KILL "$name"
      wait_until 5 stopped "$name" || warn "$name survives SIGKILL"
    fi
    rm -f "$STATE/run/$name.pid" "$STATE/run/$name.born"
  done
}

# names_of NAME: the NAME-I that have a pid file, whether they live or not, in the order of I.
names_of() {
  local file
  for file in "$STATE/run/$1"-*.pid; do
    if [[ -e $file && ${file##*"/$1-"} =~ ^[0-9]+\.pid$ ]]; then basename "$file" .pid; fi
  done | sort -V
}
