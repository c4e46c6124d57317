#!/bin/bash
# tools/outside.sh [BUILD_DIR]: installs a build (default: build/dev) into a scratch directory, builds the projects of
# tests/outside, and the one that docs/authors.md writes, against what lies there, and nothing else, and uses them with
# the installed programs. Exit status 0 if all of it worked. Needs the build to be complete: cmake --build BUILD_DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/installed.bash" outside "${1:-$here/../build/dev}"

# build NAME SOURCE [cmake options…]: the install prefix is the only way to Busbar. SOURCE is a folder of the tree.
build() {
  local name=$1 source=$2
  shift 2
  step "building $name"
  quietly "$name" cmake -S "$source_dir/$source" -B "$scratch/$name" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_PREFIX_PATH="$prefix" "$@"
  quietly "$name" cmake --build "$scratch/$name" -j2
}

call() { busbar_json call "$@"; }

install_busbar
for file in bin/busbar bin/busbard lib/busbar/plugins/greeter.so lib/busbar/plugins/echo.so etc/busbar/busbar.toml \
    include/busbar/abi.h include/busbar/plugin.hpp share/doc/busbar/{authors,contract,protocol}.md; do
  [[ -e $prefix/$file ]] || { echo "outside.sh: \"$file\" was not installed" >&2; exit 1; }
done

build c tests/outside/c
build plain tests/outside
build embed tests/outside/embed
build client examples/client
step "the guide for authors, from an empty directory"
"$source_dir/tools/guide.sh" "$source_dir/docs/authors.md" "$scratch/guide"
(cd "$scratch/guide/accounts" && CMAKE_PREFIX_PATH=$prefix quietly guide bash -e build.sh)
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

step "the host of the guide, in whose words it is loaded, called and replaced"
guide_host() (
  cd "$scratch/guide/accounts"
  export PATH=$prefix/bin:$PATH TMPDIR=$scratch/guide CMAKE_PREFIX_PATH=$prefix
  source load.sh >"$scratch/host.log" 2>&1
  host_pid=$!
  trap 'kill -TERM "$host_pid" && wait "$host_pid"' EXIT
  "$@"
)
use_guide() {
  expect "its check" 'accounts\.so: ok' cat "$scratch/host.log"
  expect "its calls" '"cents": 300' bash -e calls.sh
  busbar call deposit '{"account": "a-1", "cents": 60000}' --assign 'user="ann"' >/dev/null
  expect "a withdrawal that its configuration has checked" '^ok' \
    busbar call withdraw '{"account": "a-1", "cents": 50000}' --assign 'user="ann"'
  expect "the log of that" 'nobody offers fraud_check: 50000 cents' cat "$scratch/host.log"
  sed -i 's/"accounts", "1.0.0"/"accounts", "1.0.1"/' router.cpp
  expect "the plugin replaced while it serves" '^accounts +1\.0\.1 +[0-9]+ +serving' bash -e replace.sh
}
guide_host use_guide

start_host
expect "the plugin in C" '"value":\{"a":1\}' call echo '{"a": 1}'
for plugin in "${words[@]}"; do
  name=$(basename "$plugin" .so)
  expect "a call to $name" '"words":\{"pear":2\}' call "${name}_words" '{"text": "pear plum pear", "at_least": 2}'
  expect "an answer of $name from a thread" '"value":"pear"' call "${name}_later" '{"text": "pear"}'
  answer=$(call "${name}_throws" '{"text": "it"}' || true)
  expect "an exception in $name" 'no words for.*"kind":"exit"' echo "$answer"
done

seed=$(busbar_json status | grep -o '"registry_address":"[^"]*"' | cut -d'"' -f4)
cp "$prefix/lib/busbar/plugins/greeter.so" "$plugins"
expect "a plugin more" '"greeter"' busbar_json rescan
expect "a program that joins as a client" '^Hello, outsider!$' "$scratch/client/example_client" "$seed" outsider

stop_host

expect "a program with a registry" '^found$' "$scratch/embed/registry_alone"
mkdir "$scratch/embedded"
expect "a program with a host" '^Hello, embedder!$' \
  "$scratch/embed/embed" "$prefix/bin/busbard" "$prefix/lib/busbar/plugins" "$scratch/embedded"
step "all of it works"
