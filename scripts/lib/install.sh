# shellcheck shell=bash disable=SC2034,SC2153  # names shared with the other libraries
# Installs what Tocsin needs to build and run: Debian packages and Kafka's jars. Uses the network only if
# something is missing.

readonly KAFKA_VERSION=4.3.0
KAFKA_JARS=$CACHE/kafka-$KAFKA_VERSION/libs
readonly POLICY=/usr/sbin/policy-rc.d CLUSTER_CONF=/etc/postgresql-common/createcluster.conf

# packages_of SET...: the packages of these sets. A package whose program is already on the PATH is
# skipped: it may come from another source that conflicts with Debian's package.
packages_of() {
  local set package program
  for set in "$@"; do
    while read -r package program; do
      [[ -n $program ]] && command -v "$program" >/dev/null || printf '%s\n' "$package"
    done < <(awk -v set="$set" '$1 == set { print $2, $3 }' "$ROOT/scripts/lib/packages.txt")
  done
}

# missing_packages SET...: the packages that are not installed.
missing_packages() {
  command -v dpkg-query >/dev/null ||
    die "this is not Debian: install the packages of scripts/lib/packages.txt by hand" "$EXIT_MISSING"
  comm -23 <(packages_of "$@" | sort -u) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

# install_packages SET...: installs missing packages as root; another user is shown the command.
install_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $EUID -ne 0 ]]; then
    warn "missing Debian packages: ${missing[*]}"
    warn "install them as root, then run this script again:"
    warn "  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    exit "$EXIT_MISSING"
  fi
  say "installing ${#missing[@]} Debian packages (some minutes on a fresh machine)"
  (install_as_root "${missing[@]}") || die "the packages could not be installed" "$EXIT_MISSING"
}

# Runs in a subshell: its EXIT trap removes temporary files and the policy.
install_as_root() {
  log=$(mktemp "${TMPDIR:-/tmp}/tocsin-apt.XXXXXX") # not local: the trap outlives the function
  trap 'rm -f "$log"' EXIT
  prevent_daemon_start
  if ! apt_get -s install "$@" >/dev/null 2>&1; then
    apt_get update >"$log" 2>&1 || { tail -n 15 "$log" >&2; return 1; }
  fi
  # An outdated index refers to files that the mirror no longer has. Retry once with a fresh one.
  apt_get install "$@" >"$log" 2>&1 ||
    { apt_get update && apt_get install "$@"; } >>"$log" 2>&1 ||
    { tail -n "$LOG_TAIL_LINES" "$log" >&2; return 1; }
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confold --no-install-recommends "$@"
}

# The stack runs its own stores: the packages must not start services or create a PostgreSQL cluster.
# An existing cluster and an existing policy are not modified.
prevent_daemon_start() {
  if [[ ! -e $POLICY ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
    trap 'rm -f "$log" "$POLICY"' EXIT
  fi
  if ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && [[ ! -e $CLUSTER_CONF ]]; then
    mkdir -p "${CLUSTER_CONF%/*}"
    printf '# Tocsin needs only the programs; see createcluster.conf in postgresql-common.\n%s\n' \
      'create_main_cluster = false' >"$CLUSTER_CONF"
  fi
}

# install_kafka: copies the broker's jars to the cache with Maven and the user's Maven settings.
install_kafka() {
  [[ ! -d $KAFKA_JARS ]] || return 0
  say "downloading Kafka $KAFKA_VERSION (44 MB)"
  mkdir -p "${KAFKA_JARS%/*}"
  (
    # The folder is renamed at the end, so that an interrupted download is never used.
    part=$(mktemp -d "${KAFKA_JARS%/*}/part.XXXXXX") || exit 1
    trap 'rm -rf "$part"' EXIT
    download_jars "$part" || download_jars "$part" || { tail -n 15 "$part/log" >&2; exit 1; }
    chmod 755 "$part/libs"
    [[ -d $KAFKA_JARS ]] || mv -T "$part/libs" "$KAFKA_JARS"
  ) || die "Maven could not download Kafka's jars; check the network and ~/.m2/settings.xml" "$EXIT_MISSING"
}

download_jars() {
  mvn -q -B --strict-checksums -f "$ROOT/scripts/lib/kafka-pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$1/libs" >>"$1/log" 2>&1
}
