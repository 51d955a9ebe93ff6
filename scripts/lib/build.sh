# shellcheck shell=bash disable=SC2034,SC2153  # names shared with the other libraries
# Builds the programs. Uses common.sh, and SERVICES of services.sh when it is called.

# programs: the names of all programs of the stack.
programs() { printf '%s\n' tocsin tocsin-twilio-sim "${SERVICES[@]/#/tocsin-}"; }

# build_programs: builds only if a program is missing. scripts/demo and scripts/test use build_now, which also
# updates existing programs.
build_programs() {
  local program
  for program in $(programs); do
    [[ -x $BIN/$program ]] && continue
    [[ -z ${TOCSIN_BIN_DIR:-} ]] || die "there is no program $program in TOCSIN_BIN_DIR=$BIN" "$EXIT_MISSING"
    build_now
    return
  done
}

# build_now: without the dependencies of the tests, unless the folder was configured with them.
build_now() {
  local -a targets
  mapfile -t targets < <(programs)
  say "building (takes minutes the first time)"
  (
    cd "$ROOT"
    [[ -e build/release/CMakeCache.txt ]] || quietly cmake --preset release -DTOCSIN_BUILD_TESTS=OFF
    quietly cmake --build --preset release -j "$(nproc)" --target "${targets[@]}"
  ) || die "the build failed"
}

# quietly COMMAND...: shows its output only if it fails.
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
