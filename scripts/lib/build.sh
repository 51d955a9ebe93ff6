# shellcheck shell=bash disable=SC2034,SC2153  # names shared with the other libraries
# Builds the programs. Uses common.sh, and SERVICES of services.sh when it is called.

# programs: the names of everything the stack runs.
programs() { printf '%s\n' tocsin tocsin-twilio-sim "${SERVICES[@]/#/tocsin-}"; }

# build_programs: only what is missing is built; scripts/demo and scripts/test call build_now instead,
# which also brings old programs up to date.
build_programs() {
  local program
  for program in $(programs); do
    [[ -x $BIN/$program ]] && continue
    [[ -z ${TOCSIN_BIN_DIR:-} ]] || die "TOCSIN_BIN_DIR=$BIN has no program $program" "$EXIT_MISSING"
    build_now
    return
  done
}

# build_now: the tests' own needs are left out unless this folder was configured with them before.
build_now() {
  local -a targets
  mapfile -t targets < <(programs)
  say "building (minutes the first time)"
  (
    cd "$ROOT"
    [[ -e build/release/CMakeCache.txt ]] || quietly cmake --preset release -DTOCSIN_BUILD_TESTS=OFF
    quietly cmake --build --preset release -j "$(nproc)" --target "${targets[@]}"
  ) || die "the build failed"
}

# quietly COMMAND...: its output is shown only when it fails.
quietly() {
  local log
  log=$(mktemp "${TMPDIR:-/tmp}/tocsin-build.XXXXXX")
  "$@" >"$log" 2>&1 || {
    tail -n 60 "$log" >&2
    rm -f "$log"
    return 1
  }
  rm -f "$log"
}
