#!/usr/bin/env bash
# What takes longer than a change should wait for; run by hand. tools/soak.sh [MINUTES], by default 10 for each part.
#   1. the hammer tests, again and again, under the thread sanitizer
#   2. the fuzzers, each from the inputs that it found before (build/fuzz/corpus/NAME)
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-10}

tools/dependencies.sh --test
cmake --preset tsan >/dev/null
cmake --build --preset tsan
echo "== hammering for $minutes minutes"
end=$((SECONDS + minutes * 60))
rounds=0
while ((SECONDS < end)); do
  TSAN_OPTIONS=halt_on_error=1 ctest --preset tsan --parallel "$(nproc)" -R '[Hh]ammer' >build/tsan/soak.log 2>&1 || {
    cat build/tsan/soak.log
    exit 1
  }
  rounds=$((rounds + 1))
done
echo "$rounds rounds without a finding"

cmake -S . -B build/fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Dev \
  -DBUSBAR_SANITIZE=address,undefined,fuzzer-no-link -DBUSBAR_BUILD_FUZZERS=ON -DBUSBAR_BUILD_TESTS=OFF \
  -DBUSBAR_BUILD_BENCH=OFF >/dev/null
fuzzers=(cbor json plugin_file config admin registry envelope)
cmake --build build/fuzz --target "${fuzzers[@]/%/_fuzz}"
for name in "${fuzzers[@]}"; do
  echo "== fuzzing $name for $minutes minutes"
  mkdir -p "build/fuzz/corpus/$name"
  "build/fuzz/bin/${name}_fuzz" -max_total_time=$((minutes * 60)) -max_len=65536 -artifact_prefix="build/fuzz/$name-" \
    -print_final_stats=1 "build/fuzz/corpus/$name" 2>&1 | tail -n 8
done
