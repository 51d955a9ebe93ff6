# shellcheck shell=bash disable=SC2034,SC2153  # names shared with the other libraries
# Brings the machine to where Tocsin builds and runs: Debian packages and Kafka's jars. Asks the network
# only for what is missing.

readonly KAFKA_VERSION=4.3.0
KAFKA_JARS=$CACHE/kafka-$KAFKA_VERSION/libs
readonly POLICY=/usr/sbin/policy-rc.d CLUSTER_CONF=/etc/postgresql-common/createcluster.conf

# packages_of SET...: the packages of these sets, from the one list.
packages_of() {
  local set
  for set in "$@"; do
    awk -v set="$set" '$1 == set { print $2 }' "$ROOT/scripts/lib/packages.txt"
  done
}

# missing_packages SET...: those that dpkg does not have.
missing_packages() {
  command -v dpkg-query >/dev/null ||
    die "this is not Debian: install what scripts/lib/packages.txt lists by hand" "$EXIT_MISSING"
  comm -23 <(packages_of "$@" | sort -u) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

# install_packages SET...: as root installs what is missing; otherwise says what is to be installed.
install_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $EUID -ne 0 ]]; then
    warn "missing Debian packages: ${missing[*]}"
    warn "install them as root, then call this again:"
    warn "  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    exit "$EXIT_MISSING"
  fi
  say "installing ${#missing[@]} Debian packages (some minutes on a fresh machine)"
  (install_as_root "${missing[@]}") || die "the packages could not be installed" "$EXIT_MISSING"
}

# A subshell's work: its EXIT trap takes back what holds only while packages are installed.
install_as_root() {
  log=$(mktemp "${TMPDIR:-/tmp}/tocsin-apt.XXXXXX") # not local: the trap outlives the function
  trap 'rm -f "$log"' EXIT
  keep_daemons_silent
  if ! apt_get -s install "$@" >/dev/null 2>&1; then
    apt_get update >"$log" 2>&1 || { tail -n 15 "$log" >&2; return 1; }
  fi
  # An index that is older than the mirror names files that are gone; a fresh one is worth one more try.
  apt_get install "$@" >"$log" 2>&1 ||
    { apt_get update && apt_get install "$@"; } >>"$log" 2>&1 ||
    { tail -n "$LOG_TAIL_LINES" "$log" >&2; return 1; }
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confold --no-install-recommends "$@"
}

# The stack runs stores of its own: the packages must neither start the system's nor make a cluster.
# What exists already, a cluster or the administrator's own policy, is left alone.
keep_daemons_silent() {
  if [[ ! -e $POLICY ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
    trap 'rm -f "$log" "$POLICY"' EXIT
  fi
  if ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && [[ ! -e $CLUSTER_CONF ]]; then
    mkdir -p "${CLUSTER_CONF%/*}"
    printf '# Tocsin needs the programs only; see createcluster.conf in postgresql-common.\n%s\n' \
      'create_main_cluster = false' >"$CLUSTER_CONF"
  fi
}

# install_kafka: copies the broker's jars to the cache by Maven, with the machine's own Maven settings.
install_kafka() {
  [[ ! -d $KAFKA_JARS ]] || return 0
  say "fetching Kafka $KAFKA_VERSION (44 MB)"
  mkdir -p "${KAFKA_JARS%/*}"
  (
    # The folder appears in one step, so that a broken download is never taken for the whole.
    part=$(mktemp -d "${KAFKA_JARS%/*}/part.XXXXXX") || exit 1
    trap 'rm -rf "$part"' EXIT
    fetch_jars "$part" || fetch_jars "$part" || { tail -n 15 "$part/log" >&2; exit 1; }
    chmod 755 "$part/libs"
    [[ -d $KAFKA_JARS ]] || mv -T "$part/libs" "$KAFKA_JARS"
  ) || die "Maven could not fetch Kafka's jars; check the network and ~/.m2/settings.xml" "$EXIT_MISSING"
}

fetch_jars() {
  mvn -q -B --strict-checksums -f "$ROOT/scripts/lib/kafka-pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$1/libs" >>"$1/log" 2>&1
}
