#!/usr/bin/env bash
# Builds everything and passes the whole suite. Further arguments go to ctest: tools/test.sh -R Pool
set -euo pipefail
cd "$(dirname "$0")/.."

tools/dependencies.sh --test
cmake --preset dev -DBUSBAR_BUILD_TESTS=ON -DBUSBAR_BUILD_BENCH=ON -DBUSBAR_WERROR="${BUSBAR_WERROR:-OFF}" >/dev/null
cmake --build --preset dev
ctest --preset dev --parallel "$(($(nproc) + 1))" "$@"
