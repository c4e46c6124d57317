#!/bin/bash
# tools/outside.sh [BUILD_DIR]: installs a build (default: build/dev) into a scratch directory, builds the projects of
# tests/outside, and the one that docs/authors.md writes, against what lies there, and nothing else, and uses them with
# the installed programs. Exit status 0 if all of it worked. Needs the build to be complete: cmake --build BUILD_DIR.
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
build_dir=$(cd "${1:-$source_dir/build/dev}" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/busbar-outside.XXXXXX")
prefix=$scratch/usr
plugins=$scratch/plugins
host_pid=

finish() {
  status=$?
  if [[ -n $host_pid ]]; then kill "$host_pid" && wait "$host_pid" || true; fi
  if [[ $status -ne 0 ]]; then
    echo "outside.sh: failed; what was being done is above, the host's log below" >&2
    cat "$scratch/host.log" >&2 2>/dev/null || true
  fi
  rm -rf "$scratch"
}
trap finish EXIT

step() { echo "outside.sh: $*"; }

# build NAME SOURCE [cmake options…]: the install prefix is the only way to Busbar. SOURCE is a folder of the tree.
build() {
  local name=$1 source=$2
  shift 2
  step "building $name"
  cmake -S "$source_dir/$source" -B "$scratch/$name" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_PREFIX_PATH="$prefix" "$@" >"$scratch/$name.log" 2>&1 &&
    cmake --build "$scratch/$name" -j2 >>"$scratch/$name.log" 2>&1 || { cat "$scratch/$name.log" >&2; return 1; }
}

# expect WHAT PATTERN COMMAND…: the command must succeed and say something that matches.
expect() {
  local what=$1 pattern=$2 out
  shift 2
  out=$("$@" 2>&1) || { echo "outside.sh: $what: exit status $?, output: $out" >&2; return 1; }
  if ! grep -Eq -- "$pattern" <<<"$out"; then
    echo "outside.sh: $what: expected $pattern, found: $out" >&2
    return 1
  fi
  step "$what: ok"
}

call() { "$prefix/bin/busbar" --run-dir "$scratch/run" --json call "$@"; }

step "installing $build_dir"
cmake --install "$build_dir" --prefix "$prefix" >"$scratch/install.log"
for file in bin/busbar bin/busbard lib/busbar/plugins/greeter.so lib/busbar/plugins/echo.so etc/busbar/busbar.toml \
    include/busbar/abi.h include/busbar/plugin.hpp; do
  [[ -e $prefix/$file ]] || { echo "outside.sh: \"$file\" was not installed" >&2; exit 1; }
done

build c tests/outside/c
build plain tests/outside
build embed tests/outside/embed
build client examples/client
step "the guide for authors, from an empty directory"
"$source_dir/tools/guide.sh" "$source_dir/docs/authors.md" "$scratch/guide"
(cd "$scratch/guide/accounts" && CMAKE_PREFIX_PATH=$prefix bash -e build.sh) >"$scratch/guide.log" 2>&1 ||
  { cat "$scratch/guide.log" >&2; exit 1; }
words=("$scratch/plain/plugins/outside.so")  # those of words.cpp
if command -v clang++ >/dev/null && echo '#include <string>' | clang++ -stdlib=libc++ -fsyntax-only -x c++ - 2>/dev/null; then
  CC=clang CXX=clang++ build libcxx tests/outside -DCMAKE_CXX_FLAGS=-stdlib=libc++ -DOUTSIDE_NAME=libcxx
  words+=("$scratch/libcxx/plugins/libcxx.so")
else
  step "no clang++ with libc++ here: the plugin built with them is left out"
fi

loaded=("$scratch/c/plugins/echo.so" "${words[@]}" "$scratch/guide/accounts/build/plugins/accounts.so")
mkdir "$plugins"
cp "${loaded[@]}" "$plugins"
expect "busbar check" '"ok":true' "$prefix/bin/busbar" --json check "${loaded[@]}"
expect "a manifest in what was built outside" 'outside_words \(idempotent' "$prefix/bin/busbar" check "${loaded[1]}"

step "starting the installed host"
"$prefix/bin/busbard" --node outside --plugins "$plugins" --run-dir "$scratch/run" --state-dir "$scratch/state" \
  >"$scratch/host.log" 2>&1 &
host_pid=$!
for _ in $(seq 300); do  # until it answers; it then waits by itself for the first scan
  if "$prefix/bin/busbar" --run-dir "$scratch/run" status >/dev/null 2>&1; then break; fi
  kill -0 "$host_pid"
  sleep 0.1
done

mkdir "$scratch/guide/run"
ln -s "$scratch/run" "$scratch/guide/run/busbar"  # where the command line looks for the host, as the guide has it
expect "the calls of the guide" '"cents": 300' \
  env PATH="$prefix/bin:$PATH" XDG_RUNTIME_DIR="$scratch/guide/run" bash -e "$scratch/guide/accounts/calls.sh"
expect "the plugin in C" '"value":\{"a":1\}' call echo '{"a": 1}'
for plugin in "${words[@]}"; do
  name=$(basename "$plugin" .so)
  expect "a call to $name" '"words":\{"pear":2\}' call "${name}_words" '{"text": "pear plum pear", "at_least": 2}'
  expect "an answer of $name from a thread" '"value":"pear"' call "${name}_later" '{"text": "pear"}'
  answer=$(call "${name}_throws" '{"text": "it"}' || true)
  expect "an exception in $name" 'no words for.*"kind":"exit"' echo "$answer"
done

seed=$("$prefix/bin/busbar" --run-dir "$scratch/run" --json status | grep -o '"registry_address":"[^"]*"' | cut -d'"' -f4)
cp "$prefix/lib/busbar/plugins/greeter.so" "$plugins"
expect "a plugin more" '"greeter"' "$prefix/bin/busbar" --run-dir "$scratch/run" --json rescan
expect "a program that joins as a client" '^Hello, outsider!$' "$scratch/client/example_client" "$seed" outsider

step "stopping the host"
kill -TERM "$host_pid"
wait "$host_pid"
host_pid=

expect "a program with a registry" '^found$' "$scratch/embed/registry_alone"
mkdir "$scratch/embedded"
expect "a program with a host" '^Hello, embedder!$' \
  "$scratch/embed/embed" "$prefix/bin/busbard" "$prefix/lib/busbar/plugins" "$scratch/embedded"
step "all of it works"
