#!/usr/bin/env bash
# Builds a release and its Debian packages, and has lintian judge them: they lie in build/package/packages. Fails where
# it finds an error, or is warned of something.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/dependencies.sh --package
# How Debian's programs are built: debug symbols, which go into a package of their own, hardening, no paths of this machine.
export DEB_BUILD_MAINT_OPTIONS=hardening=+all
eval "$(dpkg-buildflags --export=sh)"
cmake -S . -B build/package -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
  -DBUSBAR_BUILD_TESTS=OFF -DBUSBAR_BUILD_BENCH=OFF >/dev/null
cmake --build build/package
rm -rf build/package/packages
(cd build/package && cpack)
lintian --fail-on error,warning --tag-display-limit 0 build/package/packages/busbar{,-dev,-dbgsym}_*.deb
