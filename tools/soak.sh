#!/usr/bin/env bash
# What takes longer than a change should wait for; run by hand. tools/soak.sh [MINUTES], by default 10 for each part.
#   1. a thousand reloads of one plugin under callers, and its file ill-treated a hundred times in each way; takes as long
#      as it does, some five minutes
#   2. the hammer tests, again and again, under the thread sanitizer
#   3. the fuzzers (tools/fuzz.sh)
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-10}

tools/dependencies.sh --test
cmake --preset dev >/dev/null
cmake --build --preset dev --target busbar_system_tests
echo "== reloading a thousand times"
# Not by ctest, whose limit for a test is for a hundred.
BUSBAR_RELOADS=1000 build/dev/bin/busbar_system_tests --gtest_filter='ManyReloads.*:AbuseUnderLoad.*' \
  --gtest_brief=1

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

echo "== fuzzing, $minutes minutes each"
tools/fuzz.sh $((minutes * 60))
