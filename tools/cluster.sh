#!/usr/bin/env bash
# Builds, starts N hosts on this machine (default: 3) that know each other through the first, and shows what a cluster
# does: nodes, calls that cross, one host killed, what becomes of its services. Everything is gone afterwards.
#   tools/cluster.sh --check [N]   says little; exit status 0 only if all of it was as it must be
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  echo "usage: tools/cluster.sh [--check] [N], with N from 2 to 20" >&2
  exit 2
}
check=false
if [[ "${1:-}" == --check ]]; then
  check=true
  shift
fi
count=${1:-3}
[[ $# -le 1 && "$count" =~ ^[0-9]+$ ]] && ((count >= 2 && count <= 20)) || usage

tools/dependencies.sh
echo "building …" >&2
[[ -f build/dev/build.ninja ]] || cmake --preset dev -DBUSBAR_BUILD_TESTS=OFF -DBUSBAR_BUILD_BENCH=OFF >/dev/null
cmake --build --preset dev --target busbard busbar greeter echo >&2

bin=build/dev/bin
here=$(mktemp -d "${TMPDIR:-/tmp}/busbar-cluster.XXXXXX")
declare -A pids
finish() {
  local status=$?
  kill -TERM "${pids[@]}" 2>/dev/null || true
  wait "${pids[@]}" 2>/dev/null || true
  if ((status != 0)); then tail -n 20 "$here"/*.log >&2; fi
  rm -rf "$here"
}
trap finish EXIT

# start NAME PLUGIN [FLAG…]: a host with that one plugin ("" for none).
start() {
  local name=$1 plugin=$2
  shift 2
  mkdir -p "$here/$name/plugins"
  if [[ -n $plugin ]]; then cp "build/dev/plugins/$plugin.so" "$here/$name/plugins"; fi
  "$bin/busbard" --node "$name" --plugins "$here/$name/plugins" --run-dir "$here/$name/run" \
    --state-dir "$here/$name/state" "$@" 2>"$here/$name.log" &
  pids[$name]=$!
}
# on NAME ARGUMENTS…: the command line, over that host's run directory.
on() { "$bin/busbar" --run-dir "$here/$1/run" "${@:2}"; }
# show NAME ARGUMENTS…: the same, shown as it would be typed; whatever its exit status is.
show() {
  if $check; then return; fi
  printf '\n$ busbar --run-dir %s/run' "$1"
  printf ' %q' "${@:2}"
  echo
  on "$@" || true
}
# expect WHAT PATTERN COMMAND…: until what the command says matches; it must do so within a minute.
expect() {
  local what=$1 pattern=$2 out=
  shift 2
  for _ in $(seq 600); do
    out=$("$@" 2>&1) || true
    if grep -Eq -- "$pattern" <<<"$out"; then
      if $check; then echo "cluster.sh: $what: ok"; fi
      return
    fi
    sleep 0.1
  done
  echo "cluster.sh: $what: expected $pattern, found: $out" >&2
  exit 1
}
up() { on "$1" --json nodes | grep -o '"state":"up"' | wc -l; }

names=()
for ((i = 1; i <= count; ++i)); do names+=("n$i"); done
first=n1
last=n$count

start "$first" greeter
expect "the seed is ready" '"ready":true' on "$first" --json status
seed=$(on "$first" --json status | grep -o '"registry_address":"[^"]*"' | cut -d'"' -f4)
for name in "${names[@]:1}"; do
  if [[ $name == "$last" ]]; then start "$name" echo --join "$seed"; else start "$name" "" --join "$seed"; fi
done
for name in "${names[@]}"; do expect "$name knows all others" "^$((count - 1))$" up "$name"; done
show "$first" nodes
show "$first" services

expect "a call from the last host to the first" '"text":"Hello, world!"' on "$last" --json call greet '{"name": "world"}'
expect "a call from the first host to the last" '"value":\[1,2,3\]' on "$first" --json call echo '[1, 2, 3]'
expect "the provider describes its service" "\"described_by\":\"$last\"" on "$first" --json describe echo
show "$last" call greet '{"name": "world"}'
show "$first" call echo '[1, 2, 3]'

$check || printf '\n$ kill -9 %s   # %s\n' "${pids[$last]}" "$last"
kill -KILL "${pids[$last]}"
wait "${pids[$last]}" 2>/dev/null || true
unset "pids[$last]"
expect "a killed host's services are gone" '"response":"service_unavailable"' on "$first" --json call echo '[1, 2, 3]'
expect "a killed host is gone" "^$((count - 2))$" up "$first"
expect "the others serve" '"text":"Hello, again!"' on "$first" --json call greet '{"name": "again"}'
show "$first" call echo '[1, 2, 3]'
show "$first" nodes

start "$last" echo --join "$seed"
expect "it comes back" '"value":\[1,2,3\]' on "$first" --json call echo '[1, 2, 3]'
show "$first" nodes
for name in "${names[@]}"; do
  kill -TERM "${pids[$name]}"
  wait "${pids[$name]}"  # in order: exit status 0
  unset "pids[$name]"
done
if $check; then echo "cluster.sh: all of it works"; fi
