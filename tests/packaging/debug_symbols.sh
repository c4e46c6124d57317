#!/usr/bin/env bash
# debug_symbols.sh BUILD_DIR SOURCE_DIR: a build with debug information has a package of it, of each file by its build id;
# one without has none.
set -euo pipefail
build=$1 source=$2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/busbar-symbols.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# components FLAG…: those that packages are made of, in a build that is configured with these flags.
components() {
  rm -rf "$scratch/build"
  cmake -S "$source" -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUSBAR_BUILD_TESTS=OFF -DBUSBAR_BUILD_BENCH=OFF \
    -DCMAKE_CXX_FLAGS="$*" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
  sed -n 's/^set(CPACK_COMPONENTS_ALL "\(.*\)")$/;\1;/p' "$scratch/build/CPackConfig.cmake"
}
for flags in "-g" "-g -O2" "-O2 -g2 -Wall"; do
  [[ $(components "$flags") == *";debug;"* ]] || { echo "no package of debug symbols with the flags $flags" >&2; exit 1; }
done
[[ $(components "-O2") != *";debug;"* ]] || { echo "a package of debug symbols without any" >&2; exit 1; }

program=$build/bin/busbard
DESTDIR=$scratch/root cmake -DFILES="$program" -P "$source/packaging/debug_symbols.cmake"
id=$(readelf --notes --wide "$program" | sed -n 's/.*Build ID: //p')
symbols=$scratch/root/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug
[[ -f $symbols && $(stat -c %a "$symbols") == 644 ]] || { find "$scratch/root" >&2; exit 1; }
readelf --sections --wide "$symbols" | grep -q 'symtab' || { echo "$symbols has no symbols" >&2; exit 1; }
