#!/usr/bin/env bash
# packages.sh BUILD_DIR FIXTURES SCRIPT: makes the Debian packages of a build, and runs SCRIPT, of this folder, as root of a
# root directory of its own that has them (scratch_root.sh). Needs to be root; exit status 77 where it is not.
set -euo pipefail
build=$1 fixtures=$2 script=$3
here=$(cd "$(dirname "$0")" && pwd)

if ((EUID != 0)) || ! unshare --mount --pid --net --cgroup --fork true 2>/dev/null || ! grep -q cgroup2 /proc/filesystems ||
  ! command -v dpkg-deb >/dev/null || ! command -v runuser >/dev/null; then
  echo "packages.sh: skipped: it needs root, namespaces, control groups, dpkg and runuser" >&2
  exit 77
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/busbar-packages.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

cpack --config "$build/CPackConfig.cmake" -B "$scratch/packages" >"$scratch/cpack.log" 2>&1 ||
  { cat "$scratch/cpack.log" >&2; exit 1; }
mkdir "$scratch/plugins"
cp "$fixtures"/{other_abi_major/other_abi_major,behaviours/behaviours}.so "$build"/plugins/{greeter,echo}.so \
  "$scratch/plugins"
echo "no library" >"$scratch/plugins/junk.so"
cp "$here"/{said.bash,"$script"} "$scratch"
unshare --mount --propagation private bash "$here/scratch_root.sh" "$scratch" "$script"
