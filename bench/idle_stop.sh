#!/usr/bin/env bash
# How long an idle host with three plugins, which knows another one, takes from SIGTERM to the end of its process:
#   bench/idle_stop.sh [ROUNDS] [BUILD_DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-9}
build=${2:-build/release}

here=$(mktemp -d)
mkdir "$here/plugins"
cp "$build/plugins/greeter.so" "$build/plugins/echo.so" "$build/bench/bench_plugin.so" "$here/plugins/"
declare -A pids
trap 'kill -TERM "${pids[@]}" 2>/dev/null || true; wait || true; rm -rf "$here"' EXIT

on() { "$build/bin/busbar" --run-dir "$here/$1/run" --json "${@:2}"; }
start() {
  "$build/bin/busbard" --node "$1" --plugins "$here/plugins" --run-dir "$here/$1/run" --state-dir "$here/$1/state" \
    --log-level warn ${2:+--join "$2"} &
  pids[$1]=$!
  until on "$1" status 2>/dev/null | grep -q '"ready":true'; do
    kill -0 "${pids[$1]}"
    sleep 0.02
  done
}

start stays
seed=$(on stays status | grep -o '"registry_address":"[^"]*"' | cut -d'"' -f4)
took=()
for ((i = 0; i < rounds; ++i)); do
  start goes "$seed"
  until on goes nodes | grep -q '"state":"up"'; do sleep 0.02; done
  begun=${EPOCHREALTIME/./}
  kill -TERM "${pids[goes]}"
  wait "${pids[goes]}"
  took+=($((${EPOCHREALTIME/./} - begun)))
done
mapfile -t took < <(printf '%s\n' "${took[@]}" | sort -n)
printf 'from SIGTERM to the end of an idle host, %s rounds, us: median %s, most %s; asked: under 300000\n' \
  "$rounds" "${took[rounds / 2]}" "${took[-1]}"
