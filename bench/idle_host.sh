#!/usr/bin/env bash
# How much memory an idle host with three plugins has resident: bench/idle_host.sh [BUILD_DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}

here=$(mktemp -d)
mkdir "$here/plugins"
cp "$build/plugins/greeter.so" "$build/plugins/echo.so" "$build/bench/bench_plugin.so" "$here/plugins/"
"$build/bin/busbard" --node idle --plugins "$here/plugins" --run-dir "$here/run" --state-dir "$here/state" \
  --log-level warn &
host=$!
trap 'kill -TERM "$host" 2>/dev/null || true; wait "$host" || true; rm -rf "$here"' EXIT
until [[ -S "$here/run/busbar.sock" ]]; do
  kill -0 "$host"
  sleep 0.05
done
"$build/bin/busbar" --run-dir "$here/run" plugins  # waits for the first scan
"$build/bin/busbar" --run-dir "$here/run" call greet '{"name": "once"}'
for _ in 1 2 3 4 5; do
  sleep 0.5
  awk '/^(VmRSS|RssAnon|RssFile|Threads)/ { printf "%s %s %s  ", $1, $2, $3 } END { print "" }' "/proc/$host/status"
done
