#!/usr/bin/env bash
# Builds, starts a host with the example plugins, makes a first call, shows the answer, and serves until Ctrl-C.
#   tools/run.sh --check   ends after that first call; exit status 0 only if the answer was right
set -euo pipefail
cd "$(dirname "$0")/.."

check=false
case "${1:-}" in
  "") ;;
  --check) check=true ;;
  *)
    echo "usage: tools/run.sh [--check]" >&2
    exit 2
    ;;
esac

tools/dependencies.sh
echo "building …" >&2
# Without the suite, which needs more packages, unless it was asked for before.
[[ -f build/dev/build.ninja ]] || cmake --preset dev -DBUSBAR_BUILD_TESTS=OFF -DBUSBAR_BUILD_BENCH=OFF >/dev/null
cmake --build --preset dev --target busbard busbar greeter echo >&2

here=$(mktemp -d "${TMPDIR:-/tmp}/busbar.XXXXXX")
bin=build/dev/bin
"$bin/busbard" --node here --plugins build/dev/plugins --run-dir "$here/run" --state-dir "$here/state" &
host=$!
trap 'kill -TERM "$host" 2>/dev/null || true; wait "$host" || true; rm -rf "$here"' EXIT

# The host makes its socket a moment after it has started.
for _ in $(seq 100); do
  [[ -S "$here/run/busbar.sock" ]] && break
  kill -0 "$host" || exit 1
  sleep 0.1
done

request='{"name": "world"}'
echo "\$ busbar call greet '$request'"
answer=$("$bin/busbar" --run-dir "$here/run" --json call greet "$request") || true
echo "$answer"

if $check; then
  [[ "$answer" == *'"text":"Hello, world!"'* ]] || exit 1
  kill -TERM "$host"
  wait "$host"
  exit
fi

cat <<TEXT

Serving; Ctrl-C ends it. In another terminal:
  $bin/busbar --run-dir $here/run services
  $bin/busbar --run-dir $here/run call echo '[1, 2, 3]'
  $bin/busbar --run-dir $here/run --help
TEXT
trap 'trap - INT' INT  # the host gets the Ctrl-C too, and ends by itself
wait "$host" || wait "$host" || true
