#!/bin/bash
# tools/new.sh [BUILD_DIR]: what `busbar new` promises. Installs a build (default: build/dev) into a scratch directory, has it
# write a project in an empty directory, types what it says, then the commands of its README, section by section: a host is
# started, the plugin called, changed and replaced; then all of that by `busbar dev`. Exit status 0 if all of it worked. Needs the build to be complete:
# cmake --build BUILD_DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/installed.bash" new "${1:-$here/../build/dev}"

name=3d-Print.v2  # with all that a plugin's name may have, and a service's may not
service=plugin_3d_print_v2
project=$scratch/work/$name

# As a user has it: the programs are in the PATH, and nothing else says where Busbar is. What the README makes with
# mktemp goes with the scratch directory.
mkdir -p "$scratch/work" "$scratch/tmp"
export PATH=$prefix/bin:$PATH TMPDIR=$scratch/tmp CXXFLAGS=-Werror
unset CMAKE_PREFIX_PATH busbar_DIR XDG_RUNTIME_DIR

busbar_json() { busbar --json "$@"; }  # where XDG_RUNTIME_DIR says, as the README has it

fails() { ! "$@"; }

# comes WHAT PATTERN COMMAND…: the command says something that matches, sooner or later.
comes() {
  local what=$1 pattern=$2
  shift 2
  for _ in $(seq 1800); do  # a compiler on a busy machine takes its time
    if "$@" 2>&1 | grep -Eq -- "$pattern"; then
      step "$what: ok"
      return
    fi
    kill -0 "$host_pid"
    sleep 0.1
  done
  expect "$what, within minutes" "$pattern" "$@"
}

# sh_blocks SECTION: the commands that the README shows there.
sh_blocks() {
  awk -v section="## $1" '/^## /{ here = $0 == section } /^```/{ block = $0 == "```sh"; next } here && block' \
    "$project/README.md"
}

install_busbar
expect "the guide that the README names" 'share/doc/busbar/authors\.md' ls "$prefix/share/doc/busbar/authors.md"

cd "$scratch/work"
said=$(busbar new "$name")
sed -n '/^next:$/,/^$/s/^  //p' <<<"$said" >"$scratch/next.sh"
expect "what busbar new says is next" "${name}_test \.* +Passed" bash -ex "$scratch/next.sh"
expect "the package that was found" "$prefix/" grep '^busbar_DIR' "$project/build/CMakeCache.txt"

cd "$project"
step "starting a host as the README says"
sh_blocks Load >"$scratch/load.sh"
source "$scratch/load.sh" >"$scratch/host.log" 2>&1
host_pid=$!
wait_for_host
expect "the check of the README" "${service}_greeted \(idempotent" cat "$scratch/host.log"
expect "the plugin serves" "\"name\":\"$name\".*\"state\":\"serving\"" busbar_json plugins
expect "a call" '"value":\{"text":"Hello, Grace!"\}' busbar_json call "${service}_greet" '{"name": "Grace"}'
expect "what it remembers" '"value":\{"count":1,"last":"Grace"\}' busbar_json call "${service}_greeted"

example=$(busbar_json describe "${service}_greet" | grep -o '"example":{[^}]*}' | cut -d: -f2-)
expect "the example of describe, $example" '"value":\{"text":"Hello, Ada!"\}' \
  busbar_json call "${service}_greet" "$example"

sh_blocks Call >"$scratch/call.sh"
expect "the calls of the README" '"last": "Ada"' bash -ex "$scratch/call.sh"
expect "its remark on a request that does not fit" '"path":"name"' \
  sh -c "busbar --json call ${service}_greet '{}' || true"

sed -i 's/"Hello"/"Servus"/' router.hpp
sh_blocks "Change it while it serves" >"$scratch/change.sh"
expect "the plugin changed while it serves" "^$name +0\.1\.0 +2 +serving" bash -ex "$scratch/change.sh"
expect "a call to what it is now" '"value":\{"text":"Servus, Ada!"\}' busbar_json call "${service}_greet" '{"name": "Ada"}'
expect "its second generation" "\"generation\":2,[^}]*\"name\":\"$name\"" busbar_json plugins

cp "build/plugins/$name.so" "$scratch/served.so"
sed -i -E 's/^(\w+)::\1\(\) \{/&\n  throw std::runtime_error("broken on purpose");/' router.cpp
expect "a change that does not build, and is not rescanned" 'broken on purpose' fails bash -e "$scratch/change.sh"
expect "the file that is served, after that" '' cmp "build/plugins/$name.so" "$scratch/served.so"
expect "a rescan after that" '^nothing has changed' busbar rescan
expect "a call after that" '"value":\{"text":"Servus, Ada!"\}' busbar_json call "${service}_greet" '{"name": "Ada"}'

stop_host

# What was broken on purpose is broken still.
$(sh_blocks Develop) >"$scratch/host.log" 2>&1 &
host_pid=$!
comes "busbar dev, of what cannot be built" 'nothing yet that could be served' cat "$scratch/host.log"
run_dir=$(sed -n 's/.* busbar --run-dir \([^ ]*\) call .*/\1/p' "$scratch/host.log")
call() { busbar --run-dir "$run_dir" --json call "${service}_greet" '{"name": "Ada"}'; }
sed -i '/broken on purpose/d' router.cpp
comes "the project as it is mended and saved" '"value":\{"text":"Servus, Ada!"\}' call
sed -i 's/"Servus"/"Moin"/' router.hpp
comes "a save" '"value":\{"text":"Moin, Ada!"\}' call
sed -i 's/"Moin"/Hello/' router.hpp
comes "what the compiler says of a save that does not build" 'router\.hpp:[0-9]+:[0-9]+: error: ' cat "$scratch/host.log"
comes "what busbar dev says of it" 'what was built before goes on' cat "$scratch/host.log"
expect "a call after that" '"value":\{"text":"Moin, Ada!"\}' call
sed -i -E 's/\bHello\b/"Hello"/' router.hpp
comes "the save that mends it" '"value":\{"text":"Hello, Ada!"\}' call
expect "a call in what is shown" " service_responded  ${service}_greet " cat "$scratch/host.log"
stop_host
expect "its last words" '^dev: the host has ended in order' tail -n 1 "$scratch/host.log"
expect "what is left of it" '^0$' sh -c "ls -d $TMPDIR/busbar-dev-* 2>/dev/null | wc -l"
step "all of it works"
