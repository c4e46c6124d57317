#!/usr/bin/env bash
# What an author waits for: how long the smallest plugin (plugins/greeter) takes to build with -O2 on one processor, and how
# that splits: bench/compile_time.sh [BUILD_DIR [ROUNDS]]. Needs the build's busbar-manifest. No cache is used.
#
# Each round builds everything once, one after the other, the floors among it; what is shown are medians in seconds, and their ratio
# to a source file that includes four of the standard library's headers.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release} rounds=${2:-5}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
flags=(-std=c++20 -O2 -fPIC -fvisibility=hidden -fvisibility-inlines-hidden -fno-gnu-unique -Iplugin-sdk/include)
linking=(-shared -Wl,-z,defs,-z,now,-z,noexecstack,--exclude-libs,ALL "-Wl,--version-script=cmake/plugin.version")
standard='#include <string>
#include <vector>
#include <map>
#include <functional>'

source_of() { printf '%s\n' "${@:2}" >"$scratch/$1.cpp"; }
source_of empty ''
source_of standard "$standard"
source_of json '#include <nlohmann/json.hpp>'
source_of json_cereal '#include <nlohmann/json.hpp>' '#include <cereal/cereal.hpp>'
source_of sdk '#include <busbar/plugin.hpp>'
cp plugins/greeter/greeter.cpp "$scratch/greeter.cpp"

compile() { g++ "${flags[@]}" -c "$scratch/$1.cpp" -o "$scratch/$1.o"; }
# Its own report: seconds of user, system and the clock for each phase. Reporting takes time too, so that shares are taken.
report() { g++ "${flags[@]}" -ftime-report -c "$scratch/greeter.cpp" -o "$scratch/greeter.o" 2>>"$scratch/report"; }
link() { g++ "${linking[@]}" "$scratch/greeter.o" -o "$scratch/greeter.so"; }
manifest() {
  "$build/bin/busbar-manifest" "$scratch/greeter.so" "$scratch/manifest.cbor"
  objcopy --add-section .busbar.manifest="$scratch/manifest.cbor" "$scratch/greeter.so"
}

timed() {  # timed NAME COMMAND…: appends its seconds to NAME's list
  local before=$EPOCHREALTIME
  "${@:2}"
  local after=$EPOCHREALTIME
  echo "$(((${after/./} - ${before/./}) / 1000))" >>"$scratch/$1.ms"
}

taskset -pc 0 $$ >/dev/null
for round in $(seq 0 "$rounds"); do
  timed empty compile empty
  timed standard compile standard
  timed json compile json
  timed json_cereal compile json_cereal
  timed sdk compile sdk
  timed greeter compile greeter
  report
  timed link link
  timed manifest manifest
  if ((round == 0)); then rm "$scratch"/*.ms "$scratch/report"; fi  # that one has read the headers into memory
done

median() { sort -n "$scratch/$1.ms" | sed -n "$(((rounds + 1) / 2))p"; }
row() { awk -v text="$1" -v ms="$2" -v floor="$(median standard)" \
  'BEGIN { printf "| %s | %.2f | %.2f |\n", text, ms / 1000, ms / floor }'; }

phase() {  # phase NAME: its part of the time to compile, over all rounds
  awk -F '[:(%)]+' -v name="$1" -v ms="$greeter" '
    { gsub(/^ +| +$/, "", $1) }
    $1 == "TOTAL" { split($2, total, " "); all += total[3] }
    $1 == name { part += $6 }
    END { printf "%.0f", ms * part / all }' "$scratch/report"
}

greeter=$(median greeter) linked=$(median link) noted=$(median manifest)
echo '| what | s | ratio |'
echo '|---|---|---|'
row 'floor: an empty file' "$(median empty)"
row 'floor: `<string>`, `<vector>`, `<map>`, `<functional>`' "$(median standard)"
row '**the smallest plugin, whole**' "$((greeter + linked + noted))"
row 'compiled' "$greeter"
row '… of it: preprocessed and parsed' "$(phase 'phase parsing')"
row '… templates instantiated at the end of the file' "$(phase 'phase lang. deferred')"
row '… optimised and written' "$(phase 'phase opt and generate')"
row 'linked' "$linked"
row 'services listed, list put into the file' "$noted"
row 'headers alone: nlohmann/json' "$(median json)"
row 'headers alone: that and cereal' "$(median json_cereal)"
row 'headers alone: the SDK, which includes both' "$(median sdk)"
