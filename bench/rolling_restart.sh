#!/usr/bin/env bash
# Three hosts are stopped in order and started again, one after the other, under 16 callers; how many calls failed:
#   bench/rolling_restart.sh [ROUNDS] [BUILD_DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-10}
build=${2:-build/release}
names=(a b c)

here=$(mktemp -d)
declare -A pids
finish() {
  kill -TERM "${pids[@]}" 2>/dev/null || true
  wait || true
  rm -rf "$here"
}
trap finish EXIT

on() { "$build/bin/busbar" --run-dir "$here/$1/run" --json "${@:2}"; }
address_of() { on "$1" status | grep -o '"registry_address":"[^"]*"' | cut -d'"' -f4; }
# start NAME [SEED]: and waits until it is ready.
start() {
  "$build/bin/busbard" --node "$1" --plugins "$here/plugins" --run-dir "$here/$1/run" --state-dir "$here/$1/state" \
    --log-level warn ${2:+--join "$2"} 2>>"$here/$1.log" &
  pids[$1]=$!
  until on "$1" status 2>/dev/null | grep -q '"ready":true'; do
    kill -0 "${pids[$1]}"
    sleep 0.02
  done
}
# Whether each host and the callers can call each other.
whole() {
  local name
  for name in "${names[@]}"; do
    (($(on "$name" nodes | grep -o '"state":"\(self\|up\)"' | wc -l) == 4)) || return 1
  done
}
wait_until_whole() {
  until whole; do sleep 0.05; done
}
tell() {
  echo "$1" >&"${callers[1]}"
  read -r _ <&"${callers[0]}"
}

mkdir "$here/plugins"
cp "$build/bench/bench_plugin.so" "$here/plugins/"
start a
start b "$(address_of a)"
start c "$(address_of a)"
coproc callers { "$build/bin/rolling_callers" "$(address_of a)"; }
read -r _ <&"${callers[0]}"
wait_until_whole
longest=0
for ((round = 0; round < rounds; ++round)); do
  for name in "${names[@]}"; do
    tell restarting
    sleep 0.1
    begun=$(date +%s%N)
    kill -TERM "${pids[$name]}"
    wait "${pids[$name]}"
    took=$((($(date +%s%N) - begun) / 1000000))
    if ((took > longest)); then longest=$took; fi
    other=${names[0]}
    if [[ $other == "$name" ]]; then other=${names[1]}; fi
    start "$name" "$(address_of "$other")"
    wait_until_whole
    tell whole
  done
done
echo "$((rounds * ${#names[@]})) restarts; the longest stop took $longest ms"
echo over >&"${callers[1]}"
cat <&"${callers[0]}"
