#!/usr/bin/env bash
# packages.sh BUILD_DIR FIXTURES: makes the Debian packages of a build; then installs, runs, upgrades, removes and purges
# them with the real dpkg, in a root of its own (in_scratch_root.sh). Needs to be root; exit status 77 where it is not.
set -euo pipefail
build=$1 fixtures=$2
here=$(cd "$(dirname "$0")" && pwd)

if ((EUID != 0)) || ! unshare --mount --pid --fork true 2>/dev/null ||
  ! command -v dpkg-deb >/dev/null || ! command -v runuser >/dev/null; then
  echo "packages.sh: skipped: it needs root, namespaces, dpkg and runuser" >&2
  exit 77
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/busbar-packages.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

cpack --config "$build/CPackConfig.cmake" -B "$scratch/packages" >"$scratch/cpack.log" 2>&1 ||
  { cat "$scratch/cpack.log" >&2; exit 1; }
mkdir "$scratch/plugins"
cp "$fixtures/other_abi_major/other_abi_major.so" "$build"/plugins/{greeter,echo}.so "$scratch/plugins"
echo "no library" >"$scratch/plugins/junk.so"
cp "$here/in_scratch_root.sh" "$scratch"

# This machine's files, and what is changed about them in memory. All of it is gone with the namespace, as are the
# processes in it.
unshare --mount --pid --fork --kill-child --propagation private bash -euo pipefail -c '
  mkdir "$1/memory"
  mount -t tmpfs tmpfs "$1/memory"
  cd "$1/memory"
  mkdir upper work root
  mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
  mount -t proc proc root/proc
  mount --rbind /dev root/dev
  mount -t tmpfs tmpfs root/run
  mount -t tmpfs tmpfs root/tmp
  cp -r "$1/packages" "$1/plugins" "$1/in_scratch_root.sh" root/tmp
  chroot root bash /tmp/in_scratch_root.sh
' - "$scratch"
