#!/usr/bin/env bash
# Fuzzing with libFuzzer: tools/fuzz.sh [SECONDS] [NAME…], by default 10 seconds for each fuzzer that there is
# (tests/fuzz/NAME_fuzz.cpp). Each starts from the inputs that are kept (tests/fuzz/corpus/NAME), and from what it found
# before here (build/fuzz/corpus/NAME). Fails where one finds something, and says with which input it happens again.
#   tools/fuzz.sh --keep [NAME…]   takes what was found here into the kept inputs, as few as show as much of the code
set -euo pipefail
cd "$(dirname "$0")/.."

what=fuzz
seconds=10
if [[ "${1:-}" == --keep ]]; then
  what=keep
  shift
elif [[ "${1:-}" =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
names=("$@")
if ((${#names[@]} == 0)); then
  for source in tests/fuzz/*_fuzz.cpp; do names+=("$(basename "$source" _fuzz.cpp)"); done
fi

tools/dependencies.sh --test
cmake -S . -B build/fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Dev \
  -DCMAKE_CXX_FLAGS_DEV="-O1 -gline-tables-only" -DBUSBAR_SANITIZE=address,undefined,fuzzer-no-link \
  -DBUSBAR_BUILD_FUZZERS=ON -DBUSBAR_BUILD_TESTS=OFF -DBUSBAR_BUILD_BENCH=OFF >/dev/null
cmake --build build/fuzz --target "${names[@]/%/_fuzz}"
export ASAN_OPTIONS=detect_stack_use_after_return=1:allow_addr2line=1 UBSAN_OPTIONS=print_stacktrace=1

# What takes longer or more memory than this is a find, too. Minutes, for where others leave it little of the processors.
export limits="-max_len=65536 -timeout=300 -rss_limit_mb=2048" seconds
number() { sed -nE "s/^stat::$1: +([0-9]+)$/\1/p" "build/fuzz/$2.log"; }
covered() { grep -oE 'cov: [0-9]+' "build/fuzz/$1.log" | tail -n 1; }

fuzz() {
  local name=$1 found=0
  local own=build/fuzz/corpus/$name kept=tests/fuzz/corpus/$name log=build/fuzz/$name.log
  mkdir -p "$own" "$kept"
  local options="$limits -max_total_time=$seconds -artifact_prefix=build/fuzz/$name- -print_final_stats=1"
  "build/fuzz/bin/${name}_fuzz" $options "$own" "$kept" >"$log" 2>&1 || found=1
  echo "$name: $(number number_of_executed_units "$name") executions, $(number average_exec_per_sec "$name") a second," \
    "$(covered "$name"), peak $(number peak_rss_mb "$name") MB, finds: $found"
  ((found)) || return 0
  local input
  input=$(sed -nE 's/.*Test unit written to (.*)$/\1/p' "$log" | tail -n 1)
  grep -vE '^#[0-9]|NEW_FUNC|^INFO' "$log" | tail -n 60
  echo "tools/fuzz.sh: it happens again with: build/fuzz/bin/${name}_fuzz ${input:-(it left no input: see $log)}"
  return 1
}

# As few inputs as reach all the code that all of them reach, however often, in place of those that were kept.
keep() {
  local name=$1 kept=tests/fuzz/corpus/$1 fewest=build/fuzz/fewest/$1
  rm -rf "$fewest"
  mkdir -p "$fewest" "$kept" "build/fuzz/corpus/$name"
  "build/fuzz/bin/${name}_fuzz" $limits -set_cover_merge=1 -use_counters=0 "$fewest" "$kept" "build/fuzz/corpus/$name" \
    >"build/fuzz/$name.keep.log" 2>&1 || return 1
  rm -rf "$kept"
  mv "$fewest" "$kept"
  echo "$name: $(find "$kept" -type f | wc -l) inputs, $(du -sb "$kept" | cut -f1) bytes"
}

export -f fuzz keep number covered
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c "$what {}"
