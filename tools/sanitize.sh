#!/usr/bin/env bash
# Builds one sanitizer preset and runs tests under it: tools/sanitize.sh asan|tsan [ctest options]
# asan is built by clang, whose thread-safety analysis comes with it. tsan is built by g++: clang 14's library ends a
# program where a descriptor is closed that was opened unseen, as libzmq's are, before suppressions are asked.
# What only drives programs is built once, without (BUSBAR_DRIVERS).
# Without options: all but those that only run a compiler, and those that are about size or time rather than memory. What
# is not built under it (busbar_test in tests/CMakeLists.txt) is not run either.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:?usage: tools/sanitize.sh asan|tsan [ctest options]}
shift
tools/dependencies.sh --test
# g++ warns of fences under the thread sanitizer, which does not see what they order, also in what we include.
werror=${BUSBAR_WERROR:-OFF}
[[ $preset == tsan ]] && werror=OFF
cmake --preset dev -DBUSBAR_BUILD_TESTS=ON -DBUSBAR_WERROR="${BUSBAR_WERROR:-OFF}" >/dev/null
cmake --build --preset dev --target busbar_system_tests busbar_metrics_tests
cmake --preset "$preset" -DBUSBAR_WERROR="$werror" >/dev/null
cmake --build --preset "$preset"
# A report ends the program that made it, and so fails its test.
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/tsan.supp
if (($# == 0)); then set -- --exclude-regex '^Abi|Compile|LargePayloads|Mutations|AHundredThousand'; fi
ctest --preset "$preset" --parallel "$(($(nproc) + 1))" "$@"
