#!/usr/bin/env bash
# judged.sh BUILD_DIR: makes the Debian packages of a build, in which lintian must find nothing to be said: no error, and
# no warning.
set -euo pipefail
build=$1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/busbar-judged.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

cpack --config "$build/CPackConfig.cmake" -B "$scratch" >"$scratch/cpack.log" 2>&1 || { cat "$scratch/cpack.log" >&2; exit 1; }
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$scratch"/busbar_*.deb "$scratch"/busbar-dev_*.deb
