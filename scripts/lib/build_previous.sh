#!/usr/bin/env bash
# Builds the programs of the previous version, whose commit is in scripts/lib/previous-version, from the history of the
# repository, and prints their folder. They are kept in build/previous.
#
#   scripts/lib/build_previous.sh
#
# Exit status: 0 built, 1 failed.

set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/lib/build.sh
source "$ROOT/scripts/lib/build.sh"
# shellcheck source=scripts/lib/services.sh
source "$ROOT/scripts/lib/services.sh"

readonly KEEP_BUILDS=2

commit=$(cat "$ROOT/scripts/lib/previous-version")
folder=$ROOT/build/previous/$commit

if [[ ! -e $folder/done ]]; then
  git -C "$ROOT" cat-file -e "$commit^{commit}" || die "the history has no commit $commit; a shallow clone is not enough"
  rm -rf "$folder"
  mkdir -p "$folder"
  git -C "$ROOT" archive "$commit" | tar -x -C "$folder"
  mapfile -t targets < <(programs)
  (
    cd "$folder"
    quietly cmake --preset release -DTOCSIN_BUILD_TESTS=OFF
    quietly cmake --build --preset release -j "$(nproc)" --target "${targets[@]}"
  ) || die "the previous version could not be built"
  touch "$folder/done"
  # shellcheck disable=SC2012  # the names are commits
  ls -td "$ROOT"/build/previous/*/ | tail -n +$((KEEP_BUILDS + 1)) | xargs -r rm -rf
fi
printf '%s\n' "$folder/build/release/bin"
