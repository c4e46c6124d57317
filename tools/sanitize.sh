#!/usr/bin/env bash
# Builds one sanitizer preset and runs the chosen, fast set of tests under it: tools/sanitize.sh asan|tsan [ctest options]
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:?usage: tools/sanitize.sh asan|tsan [ctest options]}
shift
tools/dependencies.sh --test
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
# A report ends the program that made it, and so fails its test.
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
ctest --preset "$preset" --parallel "$(nproc)" "$@"
