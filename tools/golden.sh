#!/usr/bin/env bash
# tools/golden.sh [BUILD_DIR]: writes tests/golden/VERSION of the version that is being made, from a complete build (default:
# build/dev): what it promises to later ones (docs/compatibility.md). Once a version is released (a tag vVERSION says so) its
# files are never written again: raise the version in CMakeLists.txt first. What reads them are the tests Golden.*.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/dev}

version=$(sed -nE 's/^project\(busbar VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
if git rev-parse -q --verify "refs/tags/v$version" >/dev/null; then
  echo "tools/golden.sh: $version is released, and its files in tests/golden/$version stay as they are; raise the version first" >&2
  exit 1
fi
kept=(--bin "$build/bin" --plugins "$build/plugins" --fixtures "$build/tests/plugins" --wire "$build/bin/golden_wire")
python3 tests/golden/golden.py write "$version" "${kept[@]}"
python3 tests/golden/golden.py check all "${kept[@]}"  # also those of the versions before
git status --short -- "tests/golden/$version"
