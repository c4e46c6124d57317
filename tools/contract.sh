#!/usr/bin/env bash
# Every rule of docs/contract.md has a test by its number: `C_D7` in the test's name, or `// C-D7` behind it on its line.
# Only tests count that ctest would run: built, and not disabled; none that was skipped when the suite last ran here. So
# that is built and passed first (tools/test.sh). Rules that are not kept yet are named below.
#   tools/contract.sh --list   shows each rule with how many tests it has
set -euo pipefail
cd "$(dirname "$0")/.."
contract=docs/contract.md
build=build/dev
event_kinds=host/events/events.hpp

# RULE why it has no test
declare -A later=()

failed=0
complain() {
  echo "tools/contract.sh: $*" >&2
  failed=1
}
give_up() {
  complain "$@"
  exit 1
}

# ---- what is there

mapfile -t rules < <(sed -nE 's/^\| (C-[MRDG][0-9]+) \|.*/\1/p' "$contract")
[[ -f $build/CTestTestfile.cmake ]] || give_up "nothing is built in $build; tools/test.sh does it"
mapfile -t listed < <(ctest --test-dir "$build" -N | sed -nE '/ \(Disabled\)$/d; s/^ *Test +#[0-9]+: (.*)$/\1/p')
mapfile -t sources < <(sed -nE "s|^ *\"file\": \"$PWD/(tests/[^\"]*\.cpp)\".*|\1|p" "$build/compile_commands.json" | sort -u)
for name in "${listed[@]}"; do
  [[ $name != *_NOT_BUILT* ]] || complain "${name%_NOT_BUILT*} is not built; tools/test.sh does it"
done
((${#rules[@]} > 0 && ${#listed[@]} > 0 && ${#sources[@]} > 0)) ||
  give_up "${#rules[@]} rules in $contract, ${#listed[@]} tests of ${#sources[@]} files in $build, expected some of each"

# ---- which tests stand for which rules

log=$build/Testing/Temporary/LastTest.log
skipped=$([[ ! -f $log ]] || awk '/^[0-9]+\/[0-9]+ Testing: / { name = $3 } /^\[  SKIPPED \]/ { print name }' "$log" | sort -u)

# `Instances/Suite.Test/Parameter` is `Suite.Test`, of which any may do.
running=$(comm -23 <(printf '%s\n' "${listed[@]}" | sort -u) <(echo "$skipped") |
  sed -E 's|^[^./]*/([^./]*\.)|\1|; s|^([^./]*)/[^.]*\.|\1.|; s|/.*||' | sort -u)

# One line "RULE Suite.Test" for each rule that a test names.
named=$({
  awk '{
    text = $0
    while (match(text, /(^|[._])C_[MRDG][0-9]+(_|$)/)) {
      rule = substr(text, RSTART, RLENGTH)
      gsub(/^[._]|_$/, "", rule)
      sub("_", "-", rule)
      print rule, $0
      text = substr(text, RSTART + RLENGTH - 1)
    }
  }' <<<"$running"
  sed -nE 's|^TEST(_F\|_P)?\(([A-Za-z0-9_]+), ([A-Za-z0-9_]+)\) \{ +// (C-[MRDG][0-9]+(, C-[MRDG][0-9]+)*)$|\2.\3 \4|p' "${sources[@]}" |
    while read -r name remark; do
      grep -qxF "$name" <<<"$running" || continue
      for rule in ${remark//,/}; do echo "$rule $name"; done
    done
} | sort -u)

# ---- the rules

declare -A tests known
while read -r rule _; do tests[$rule]=$((${tests[$rule]:-0} + 1)); done <<<"$named"
for rule in "${rules[@]}"; do
  [[ -z ${known[$rule]:-} ]] || complain "$rule stands twice in $contract"
  known[$rule]=yes
  count=${tests[$rule]:-0}
  if [[ "${1:-}" == --list ]]; then echo "$rule $count${later[$rule]:+  later: ${later[$rule]}}"; fi
  if [[ -n ${later[$rule]:-} ]]; then
    ((count == 0)) || complain "$rule has a test, but is named as one for later: ${later[$rule]}"
  elif ((count == 0)); then
    complain "$rule has no test that runs: name one ${rule/-/_}_…"
  fi
done
for rule in "${!later[@]}"; do
  [[ -n ${known[$rule]:-} ]] || complain "$rule is named as one for later, but does not stand in $contract"
done
# Anywhere in the tests, so that no remark outlives its rule.
while IFS=: read -r file line rule; do
  [[ -n ${known[${rule/_/-}]:-} ]] || complain "$file:$line names $rule, which does not stand in $contract"
done < <(git grep -noE 'C[-_][MRDG][0-9]+' -- tests)

# ---- the events, which have no numbers: each that there is stands in the table, and in a test

mapfile -t events < <(sed -n '/^## Events/,$p' "$contract" | awk -F'|' 'NF > 4 { print $4 }' | grep -oE '`[a-z_]+`' | tr -d '`' | sort -u)
mapfile -t kinds < <(sed -n '/^enum class EventKind/,/^};/p' "$event_kinds" | sed -nE 's/^  ([a-z_]+),.*/\1/p' | sort -u)
((${#events[@]} > 0)) || complain "there are no events in $contract"
[[ "${events[*]}" == "${kinds[*]}" ]] || complain "the events of $contract are: ${events[*]}; those of $event_kinds: ${kinds[*]}"
tested=$(sed 's|//.*||' "${sources[@]}" | grep -oE '(EventKind::|Kind::|")[a-z_]+\b' | sed -E 's/^.*[:"]//' | sort -u)
for event in "${events[@]}"; do
  grep -qxF "$event" <<<"$tested" || complain "no test looks for the event $event"
done

((failed == 0)) || exit 1
echo "contract: ${#rules[@]} rules, ${#later[@]} of them for later, the others with $(wc -l <<<"$named") tests by their numbers; ${#events[@]} events"
