#!/bin/bash
# tools/new.sh [BUILD_DIR]: what `busbar new` promises. Installs a build (default: build/dev) into a scratch directory, has it
# write a project in an empty directory, types what it says, and puts the plugin into a host that runs: it is called, its
# examples are, the commands of its README are typed, and it is replaced. Exit status 0 if all of it worked. Needs
# the build to be complete: cmake --build BUILD_DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/installed.bash" new "${1:-$here/../build/dev}"

name=3d-Print.v2  # with all that a plugin's name may have, and a service's may not
service=plugin_3d_print_v2
project=$scratch/work/$name

# As a user has it: the programs are in the PATH, and nothing else says where Busbar is.
mkdir -p "$scratch/work" "$scratch/runtime"
ln -s "$scratch/run" "$scratch/runtime/busbar"
export PATH=$prefix/bin:$PATH XDG_RUNTIME_DIR=$scratch/runtime CXXFLAGS=-Werror
unset CMAKE_PREFIX_PATH busbar_DIR

# sh_blocks SECTION: the commands that the README shows there.
sh_blocks() {
  awk -v section="## $1" '/^## /{ here = $0 == section } /^```/{ block = $0 == "```sh"; next } here && block' \
    "$project/README.md"
}

install_busbar

cd "$scratch/work"
said=$(busbar new "$name")
sed -n '/^next:$/,/^$/s/^  //p' <<<"$said" >"$scratch/next.sh"
expect "what busbar new says is next" "${name}_test \.* +Passed" bash -ex "$scratch/next.sh"
expect "the package that was found" "$prefix/" grep '^busbar_DIR' "$project/build/CMakeCache.txt"
expect "the services in the file" "${service}_greeted \(idempotent" busbar check "$project/build/plugins/$name.so"

start_host
cp "$project/build/plugins/$name.so" "$plugins"
expect "the plugin serves" "\"name\":\"$name\".*\"state\":\"serving\"" busbar_json rescan
expect "a call" '"value":\{"text":"Hello, Grace!"\}' busbar_json call "${service}_greet" '{"name": "Grace"}'
expect "what it remembers" '"value":\{"count":1,"last":"Grace"\}' busbar_json call "${service}_greeted"

example=$(busbar_json describe "${service}_greet" | grep -o '"example":{[^}]*}' | cut -d: -f2-)
expect "the example of describe, $example" '"value":\{"text":"Hello, Ada!"\}' \
  busbar_json call "${service}_greet" "$example"

sh_blocks Call >"$scratch/call.sh"
expect "the calls of the README" '"last": "Ada"' bash -ex "$scratch/call.sh"
expect "its remark on a request that does not fit" '"path":"name"' \
  sh -c "busbar --json call ${service}_greet '{}' || true"

cd "$project"
sed -i 's/"Hello"/"Servus"/' router.hpp
sh_blocks "Change it while it serves" | sed "/^busbar rescan/i cp 'build/plugins/$name.so' '$plugins'" >"$scratch/change.sh"
expect "the plugin changed while it serves" 'serving' bash -ex "$scratch/change.sh"
expect "a call to what it is now" '"value":\{"text":"Servus, Ada!"\}' busbar_json call "${service}_greet" '{"name": "Ada"}'
expect "its second generation" "\"generation\":2,[^}]*\"name\":\"$name\"" busbar_json plugins

stop_host
step "all of it works"
